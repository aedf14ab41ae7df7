from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.dataset import Dataset
from airflow_mltrack.training.preprocessing import (
    build_preprocessor,
    categorical_columns,
    feature_names,
)


def test_labels_are_told_by_type_and_by_name(dataset: Dataset) -> None:
    assert categorical_columns(dataset.features) == ["home", "member"]
    assert categorical_columns(dataset.features, ["age"]) == ["age", "home", "member"]
    with pytest.raises(InvalidInput, match="Did you mean age"):
        categorical_columns(dataset.features, ["agee"])


@pytest.mark.parametrize("scale", [True, False])
def test_gaps_are_filled_and_shown_and_nothing_is_missing(dataset: Dataset, scale: bool) -> None:
    preprocessor = build_preprocessor(dataset.features, scale=scale)
    matrix = preprocessor.fit_transform(dataset.features)
    assert isinstance(matrix, np.ndarray)
    assert np.isfinite(matrix).all()
    names = feature_names(preprocessor)
    assert "missingindicator_income" in names
    assert {"home_own", "home_rent", "home_nan", "member_True"} <= set(names)
    assert (abs(matrix[:, names.index("age")].mean()) < 1e-9) == scale


def test_tables_without_gaps_have_no_indicator() -> None:
    preprocessor = build_preprocessor(pd.DataFrame({"a": [1.0, 2.0]}))
    preprocessor.fit(pd.DataFrame({"a": [1.0, 2.0]}))
    assert feature_names(preprocessor) == ["a"]


def test_rows_to_predict_may_hold_what_was_never_seen(dataset: Dataset) -> None:
    preprocessor = build_preprocessor(dataset.features).fit(dataset.features)
    new = pd.DataFrame({"income": [np.nan], "age": [33], "home": ["boat"], "member": [True]})
    assert np.isfinite(preprocessor.transform(new)).all()


def test_a_column_that_is_empty_in_one_fold_keeps_its_place(dataset: Dataset) -> None:
    part = dataset.features.head(50).assign(income=np.nan)
    preprocessor = build_preprocessor(dataset.features).fit(part)
    assert (
        preprocessor.transform(dataset.features).shape[1] == preprocessor.transform(part).shape[1]
    )


def test_a_column_of_many_texts_cannot_explode_the_table() -> None:
    generator = np.random.default_rng(1)
    texts = [f"t{number}" for number in generator.zipf(1.3, 5000) % 3000]
    frame = pd.DataFrame({"text": texts})
    assert build_preprocessor(frame).fit_transform(frame).shape[1] <= 25


def test_names_stay_apart_where_short_ones_would_collide() -> None:
    frame = pd.DataFrame({"a": ["b", "c"], "a_b": [1.0, 2.0]})
    preprocessor = build_preprocessor(frame).fit(frame)
    names = feature_names(preprocessor)
    assert len(set(names)) == len(names) == preprocessor.transform(frame).shape[1]
