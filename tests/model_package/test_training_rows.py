"""Models that cannot predict without training rows say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from airflow_mltrack.model_package.reader import load_model
from airflow_mltrack.model_package.training_rows import find_training_rows
from airflow_mltrack.model_package.writer import write_package


@pytest.mark.parametrize(
    ("classifier", "attribute"),
    [
        (KNeighborsClassifier(algorithm="brute"), "_fit_X"),
        (KNeighborsClassifier(algorithm="kd_tree"), "_tree"),
        (KNeighborsClassifier(algorithm="ball_tree"), "_tree"),
        (SVC(), "support_vectors_"),
        (GaussianProcessClassifier(), "X_train_"),
    ],
    ids=["brute", "kd_tree", "ball_tree", "svc", "gaussian_process"],
)
def test_holders_of_rows_are_named_in_the_manifest_and_still_load(
    classifier: Any, attribute: str, table: pd.DataFrame, target: Any, tmp_path: Path
) -> None:
    numbers = table[["age", "balance"]].iloc[:80]
    model = classifier.fit(numbers, target[:80])
    manifest = write_package(model, tmp_path / "m", training_data=numbers)
    assert any(attribute in sentence for sentence in manifest.holds_training_rows)
    loaded = load_model(tmp_path / "m")
    assert np.array_equal(loaded.predict(numbers), model.predict(numbers))


def test_a_step_inside_a_pipeline_is_found_with_its_place(table: pd.DataFrame, target: Any) -> None:
    model = make_pipeline(Nystroem(n_components=5), LogisticRegression()).fit(
        table[["age", "balance"]], target
    )
    (sentence,) = find_training_rows(model)
    assert "Nystroem at steps[0][1] keeps training rows in components_" in sentence


def test_an_array_as_long_as_the_training_table_is_suspicious() -> None:
    class Own:
        pass

    model = Own()
    model.__dict__["memory"] = np.zeros((17, 3))
    assert find_training_rows(model) == ()
    assert len(find_training_rows(model, 17)) == 1
    model.__dict__["memory"] = pd.DataFrame({"a": [1]})
    assert len(find_training_rows(model)) == 1


def test_linear_and_tree_models_hold_no_rows(logistic: Any, pipeline_of: Any) -> None:
    from sklearn.ensemble import RandomForestClassifier

    assert find_training_rows(logistic, 300) == ()
    assert find_training_rows(pipeline_of(RandomForestClassifier(3)), 300) == ()
