"""A packaged model that predicts anything else is noticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from airflow_mltrack.exceptions import ModelPackageError, UnsupportedModel
from airflow_mltrack.model_package.comparison import TOLERANCE, prove_equal


class Fixed:
    """Predicts what it was given."""

    def __init__(self, **answers: Any) -> None:
        for name, answer in answers.items():
            setattr(self, name, lambda rows, answer=answer: answer)


def compare(left: Any, right: Any) -> dict[str, object]:
    return prove_equal(Fixed(predict=left), Fixed(predict=right), [1, 2])


@pytest.mark.parametrize(
    "answer",
    [
        np.array([1.0, np.nan]),
        np.array([1, 0]),
        np.array(["good", "bad"]),
        np.array([True, False]),
        csr_matrix([[0.0, 1.0]]),
        [1.0, 2.0],
    ],
)
def test_equal_answers_are_equal(answer: Any) -> None:
    assert compare(answer, answer) == {"rows": 2, "methods": ["predict"], "max_difference": 0.0}


def test_rounding_of_threads_is_measured_and_accepted() -> None:
    found = compare(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-14]))
    assert 0.0 < float(str(found["max_difference"])) < TOLERANCE


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (np.array([1.0, 2.0]), np.array([1.0, 2.1])),
        (np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])),
        (np.array([1.0, 2.0]), np.array([1.0, np.nan])),
        (np.array([1.0, 2.0]), np.array([1.0])),
        (np.array([1.0, 2.0]), np.array(["1", "2"])),
        (np.array(["good", "bad"]), np.array(["good", "good"])),
        (csr_matrix([[0.0, 1.0]]), csr_matrix([[1.0, 1.0]])),
    ],
)
def test_other_answers_are_refused(left: Any, right: Any) -> None:
    with pytest.raises(UnsupportedModel, match="predict of the packaged model differs"):
        compare(left, right)


def test_every_method_is_compared() -> None:
    same = np.array([1.0])
    left = Fixed(predict_proba=same, transform=same, predict=same)
    right = Fixed(predict_proba=same, transform=same, predict=same)
    assert prove_equal(left, right, [1])["methods"] == ["predict_proba", "predict", "transform"]
    with pytest.raises(UnsupportedModel, match="transform"):
        prove_equal(left, Fixed(predict_proba=same, transform=same + 1, predict=same), [1])


def test_a_packaged_model_that_fails_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="the packaged model's predict fails"):
        prove_equal(Fixed(predict=np.array([1.0])), object(), [1])


def test_an_original_that_fails_blames_the_rows() -> None:
    class Picky:
        def predict(self, rows: Any) -> Any:
            raise KeyError("income")

    with pytest.raises(ModelPackageError, match="fails on the example rows: 'income'"):
        prove_equal(Picky(), Picky(), [1])
