"""The button on a task instance's page that leads to its tracked run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import attrs
from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

LINKED_RUN = "mltrack_run_id"
"""Attribute of an executing operator that names the run to link to."""


@attrs.define
class RunLink(BaseOperatorLink):
    """Links to the run that a task has tracked."""

    name = "Tracked run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the run's address, empty when the task tracked none.

        Airflow calls this in the worker when the task has ended.
        """
        run_id = getattr(operator, LINKED_RUN, None)
        return run_url(run_id) if run_id else ""


def show_run(operator: Any, ti: Any, run_id: str) -> None:
    """Make the link work already while the task runs (Airflow itself stores links at the end)."""
    setattr(operator, LINKED_RUN, run_id)
    ti.xcom_push(key=RunLink().xcom_key, value=run_url(run_id))


def run_url(run_id: str) -> str:
    """Return the address of a run's page below Airflow's own."""
    return _page_url("runs", run_id)


def model_url(name: str) -> str:
    """Return the address of a registered model's page below Airflow's own."""
    return _page_url("models", name)


def _page_url(kind: str, name: str) -> str:
    prefix = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{prefix}/mltrack/{kind}/{quote(name, safe='')}"
