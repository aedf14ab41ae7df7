"""Runs whose task is gone: found by their place in Airflow and closed."""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.hooks.mltrack import MltrackHook

log = logging.getLogger(__name__)


def close_orphans(
    *,
    dag_id: str,
    dag_run_id: str,
    task_id: str | None = None,
    map_index: int | None = None,
    spare: str | None = None,
    silent_for: timedelta | None = None,
    reason: str,
    mltrack_conn_id: str | None = None,
) -> list[int]:
    """Close the attempts that are still open at a place in Airflow whose work has ended.

    Where no connection is defined and the embedded default was never used, nothing is started.

    :param task_id: None means every task of the Dag run.
    :param map_index: None means every one.
    :param spare: attempt key to leave open, with the trials under it: the try that is now running.
    :param silent_for: leave attempts open that gave a sign of life in this time.
    :param reason: becomes the attempts' error.
    :return: numbers of the attempts that were closed.
    """
    with MltrackHook(mltrack_conn_id) as hook:
        if hook.settings.is_embedded and not hook.settings.embedded_directory.exists():
            return []
        with hook.client.store.transaction() as tx:
            closed = tx.runs.close_place(
                dag_id,
                dag_run_id,
                RunStatus.KILLED,
                task_id=task_id,
                map_index=map_index,
                spare=spare,
                silent_for=silent_for,
                error=reason,
            )
    if closed:
        log.info("Closed %d open attempts of %s %s: %s", len(closed), dag_id, dag_run_id, reason)
    return closed
