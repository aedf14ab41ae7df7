"""Which rows break what was learned from training data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.model_package.signature import Signature, infer_signature
from airflow_mltrack.model_package.signature_check import violating_rows

TRAINING = pd.DataFrame(
    {
        "age": [20, 30, 40, 50],
        "income": [1.0, None, 3.0, 4.0],
        "debt": [1.0, 2.0, 3.0, 4.0],
        "job": ["a", "b", "a", "b"],
        "count": pd.array([1, None, 3, 4], dtype="Int64"),
        "grade": pd.Categorical(["x", "y", "x", "y"]),
    }
)


def test_rows_like_those_of_training_break_nothing() -> None:
    assert violating_rows(infer_signature(TRAINING), TRAINING) == {}


def test_every_rule_names_its_rows() -> None:
    rows = TRAINING.assign(
        age=[20, 99, 30, 1],
        income=[np.nan, 9.0, 2.0, 2.0],
        debt=[1.0, np.nan, 1.0, np.nan],
        job=["a", "c", "b", "a"],
        count=pd.array([None, 2, 9, 9], dtype="Int64"),
        grade=["x", "x", "z", "y"],
    )
    found = violating_rows(infer_signature(TRAINING), rows)
    assert {key: np.flatnonzero(mask).tolist() for key, mask in found.items()} == {
        ("age", "range"): [1, 3],
        ("income", "range"): [1],
        ("debt", "missing"): [1, 3],
        ("job", "category"): [1],
        ("count", "range"): [2, 3],
        ("grade", "category"): [2],
    }


def test_the_rows_are_as_many_as_the_warning_counts() -> None:
    signature = infer_signature(TRAINING)
    rows = TRAINING.assign(age=[0, 0, 30, 30], job=["z", "a", "z", "z"])
    counted = {
        (violation.column, violation.rule): violation.rows
        for violation in signature.check(rows).violations
    }
    found = {key: int(mask.sum()) for key, mask in violating_rows(signature, rows).items()}
    assert found == counted == {("age", "range"): 2, ("job", "category"): 3}


def test_an_array_has_no_recorded_values() -> None:
    assert violating_rows(Signature(array=("float64", 2)), np.zeros((3, 2))) == {}


def test_rows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="job"):
        violating_rows(infer_signature(TRAINING), TRAINING.drop(columns="job"))


@pytest.mark.parametrize("dtype", ["(f8, f8", "(,)f8", "nonsense", "\x00"])
def test_an_array_type_that_is_none_is_named(dtype: str) -> None:
    with pytest.raises(InvalidInput, match="the model wants an array of"):
        Signature(array=(dtype, 2)).check(np.zeros((2, 2)))
