"""The backend behind a connection, for operators that are executed without Airflow's runner."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.training.loan_portfolio import portfolio_uri
from tests.hooks.conftest import backend_connection, define_connection

__all__ = ["backend_connection", "define_connection"]

DATASET = {
    "uri": portfolio_uri(rows=600, seed=1, default_rate=0.3),
    "target": "defaulted",
}
SPACE = {
    "classifier": {"choices": ["logistic_regression", "decision_tree"]},
    "resampler": {"choices": ["none", "random_over"]},
}
RECIPE = {"classifier": "logistic_regression"}


@pytest.fixture
def hook(backend_connection: str) -> Iterator[MltrackHook]:
    """Give a hook on the test's own backend."""
    with MltrackHook(backend_connection) as hook:
        yield hook
