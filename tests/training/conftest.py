"""Fixtures of the training library: small tables, and the folder with the real default data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.training.dataset import Dataset, DatasetSpec, load_dataset

WriteTable = Callable[..., DatasetSpec]
SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with the real data; a folder that was named but is missing fails the test."""
    named = os.environ.get("MLTRACK_DATA_DIR")
    if named:
        folder = Path(named)
        assert folder.is_dir(), f"MLTRACK_DATA_DIR names {folder}, which is no directory"
        return folder
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not here; set MLTRACK_DATA_DIR")
    return SHARED_DATA


@pytest.fixture
def frame() -> pd.DataFrame:
    """300 rows, a quarter of them events, numbers and labels with gaps."""
    generator = np.random.default_rng(3)
    rows = 300
    bad = (np.arange(rows) % 4 == 0).astype(int)
    income = generator.normal(50, 10, rows) - 8 * bad
    income[::17] = np.nan
    home = generator.choice(["own", "rent"], rows).astype(object)
    home[::23] = None
    return pd.DataFrame(
        {
            "income": income,
            "age": generator.integers(20, 70, rows),
            "home": home,
            "member": generator.random(rows) < 0.5,
            "bad": bad,
        }
    )


@pytest.fixture
def write(tmp_path: Path) -> WriteTable:
    """Give a function that writes a table as CSV and describes it."""

    def write_table(
        table: pd.DataFrame | str | bytes, name: str = "t.csv", **spec: object
    ) -> DatasetSpec:
        path = tmp_path / name
        if isinstance(table, pd.DataFrame):
            table.to_csv(path, index=False)
        else:
            path.write_bytes(table.encode() if isinstance(table, str) else table)
        return DatasetSpec.from_json({"uri": str(path), "target": "bad", **spec})

    return write_table


@pytest.fixture
def dataset(frame: pd.DataFrame, write: WriteTable) -> Dataset:
    """Give the small table, read."""
    return load_dataset(write(frame))
