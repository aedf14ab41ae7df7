"""The backend behind a connection, for operators that are executed without Airflow's runner."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.register import RegisterModelOperator
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.training.loan_portfolio import portfolio_uri
from tests.hooks.conftest import backend_connection, define_connection, make_context
from tests.lifecycle.conftest import add_verdict, add_version, client

__all__ = ["add_verdict", "add_version", "backend_connection", "client", "define_connection"]

DATASET = {
    "uri": portfolio_uri(rows=600, seed=1, default_rate=0.3),
    "target": "defaulted",
}
SPACE = {
    "classifier": {"choices": ["logistic_regression", "decision_tree"]},
    "resampler": {"choices": ["none", "random_over"]},
}
RECIPE = {"classifier": "logistic_regression"}
GATES = {"checks": [{"metric": "auc", "min": 0.5}]}


class OutletEvents(dict[Any, Any]):
    """What a task emits, as Airflow's accessor takes it."""

    def __missing__(self, key: Any) -> Any:
        added: list[tuple[Any, Any]] = []
        self[key] = SimpleNamespace(
            extra=None, added=added, add=lambda asset, extra: added.append((asset, extra))
        )
        return self[key]


def task_context(*, user: str | None = None, **ti_fields: Any) -> dict[str, Any]:
    """Build the context of a task instance.

    :param user: who triggered the Dag run; None for a scheduled one.
    """
    context = {**make_context(**ti_fields), "outlet_events": OutletEvents()}
    context["dag_run"] = SimpleNamespace(triggering_user_name=user)
    return context


def execute(operator: Any, context: dict[str, Any] | None = None) -> Any:
    """Execute an operator as the first try of its task."""
    return operator.execute(context or task_context(task_id=operator.task_id))


@pytest.fixture
def hook(backend_connection: str) -> Iterator[MltrackHook]:
    """Give a hook on the test's own backend."""
    with MltrackHook(backend_connection) as hook:
        yield hook


@pytest.fixture
def trained(hook: MltrackHook) -> dict[str, Any]:
    """Train a model on a generated table."""
    del hook
    operator = TrainModelOperator(
        task_id="train", dataset=DATASET, recipe=RECIPE, options={"n_bootstrap": 20}
    )
    found: dict[str, Any] = execute(operator)
    return found


@pytest.fixture
def version(trained: dict[str, Any]) -> int:
    """Register the trained model as the first version of ``credit``, under gates."""
    operator = RegisterModelOperator(
        task_id="register", name="credit", model_uri=trained["model_uri"], gates=GATES
    )
    return int(execute(operator)["version"])
