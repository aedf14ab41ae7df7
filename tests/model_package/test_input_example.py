"""The example shows what to send and is nobody's row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from airflow_mltrack.model_package.input_example import (
    example_files,
    example_info,
    synthetic_example,
)
from airflow_mltrack.model_package.writer import write_package


def test_medians_and_modes_keep_their_types() -> None:
    frame = pd.DataFrame(
        {
            "number": [1.0, np.nan, 5.0, 3.0],
            "whole": [1, 2, 3, 10],
            "flag": [True, True, False, True],
            "text": ["b", "a", "a", "b"],
            "name": ["Ann", "Bob", "Cid", "Dan"],
            "empty": [None, None, None, None],
            "kind": pd.Categorical(["x", "y", "x", "z"]),
            "code": pd.Categorical(["p", "q", "r", "s"]),
            "day": pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-05", "NaT"]),
            "nullable": pd.array([1, None, 5, 6], dtype="Int64"),
        }
    )
    row = synthetic_example(frame)
    assert row.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
    found = row.iloc[0].to_dict()
    assert (found["number"], found["whole"], found["flag"], found["text"]) == (3.0, 2, True, "a")
    assert found["name"] == "text", "a name that occurs once is a person"
    assert found["empty"] is None
    assert found["kind"] == "x"
    assert pd.isna(found["code"])
    assert found["day"] == pd.Timestamp("2026-01-03")
    assert found["nullable"] == 5


def test_no_real_row_is_stored_unless_it_is_given(
    logistic: Any, table: pd.DataFrame, tmp_path: Path
) -> None:
    write_package(logistic, tmp_path / "m", training_data=table)
    stored = json.loads((tmp_path / "m" / "input_example.json").read_text())
    row = pd.DataFrame(stored["data"], columns=stored["columns"])
    assert len(row) == 1
    assert row.merge(table.astype({"purpose": object}), how="inner").empty


def test_arrays_get_a_median_row() -> None:
    row = synthetic_example(np.array([[1.0, np.nan], [3.0, 4.0], [9.0, 6.0]]))
    assert row.tolist() == [[3.0, 5.0]]
    assert json.loads(example_files(row)["serving_input_example.json"]) == {"inputs": [[3.0, 5.0]]}
    assert example_info(row)["type"] == "ndarray"


def test_frames_are_stored_as_mlflow_reads_them() -> None:
    rows = pd.DataFrame(
        {"a": [1.5, np.nan], "d": pd.to_datetime(["2026-01-01", "NaT"])}, index=[7, 9]
    )
    files = example_files(rows)
    split = json.loads(files["input_example.json"])
    assert split["columns"] == ["a", "d"]
    assert split["data"][0][0] == 1.5
    assert split["data"][0][1].startswith("2026-01-01T00:00:00")
    assert split["data"][1] == [None, None]
    assert json.loads(files["serving_input_example.json"]) == {"dataframe_split": split}
    assert example_info(rows)["pandas_orient"] == "split"
