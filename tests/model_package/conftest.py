"""Small data and models to package."""

from __future__ import annotations

import os

# Before any of the libraries starts its threads: the machine's cores are shared with other tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 300


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Features of a credit table: numbers, whole numbers, categories, missing cells."""
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "income": random.lognormal(10, 0.5, ROWS),
            "age": random.integers(18, 80, ROWS),
            "purpose": random.choice(["car", "house", "study"], ROWS),
            "balance": random.normal(0, 100, ROWS),
        }
    )
    frame.loc[random.random(ROWS) < 0.1, "income"] = np.nan
    frame.loc[random.random(ROWS) < 0.1, "purpose"] = None
    return frame


@pytest.fixture(scope="session")
def target(table: pd.DataFrame) -> np.ndarray[Any, Any]:
    """About one row in five defaults."""
    risk = table["balance"] - table["age"] + 20 * (table["purpose"] == "car")
    return (risk > risk.quantile(0.8)).astype(int).to_numpy()


def preprocessing() -> ColumnTransformer:
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    texts = Pipeline(
        [
            ("impute", SimpleImputer(strategy="most_frequent")),
            ("encode", OneHotEncoder(handle_unknown="ignore")),
        ]
    )
    return ColumnTransformer(
        [("numbers", numbers, ["income", "age", "balance"]), ("texts", texts, ["purpose"])]
    )


@pytest.fixture
def pipeline_of(table: pd.DataFrame, target: np.ndarray[Any, Any]) -> Any:
    """Give a function that fits preprocessing, further steps and a classifier on the table."""

    def fit(*steps: Any) -> Any:
        from imblearn.pipeline import Pipeline as ImblearnPipeline

        named = [(f"step{place}", step) for place, step in enumerate(steps)]
        cls = ImblearnPipeline if any(hasattr(step, "fit_resample") for step in steps) else Pipeline
        return cls([("prepare", preprocessing()), *named]).fit(table, target)

    return fit


@pytest.fixture
def logistic(pipeline_of: Any) -> Any:
    """Give a fitted pipeline that ends in a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return pipeline_of(LogisticRegression())
