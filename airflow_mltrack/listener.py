"""Closes runs whose task has ended. Airflow loads it in every process: it must stay light.

In a task's own process the runs that the process has open are ended as the task ended. The
scheduler and the API server hear of tasks whose process is gone; there the work is done on a thread
beside Airflow's own. Nothing here raises into Airflow.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

log = logging.getLogger(__name__)

_CURRENT_RUN = "airflow_mltrack.hooks.current_run"


@hookimpl
def on_task_instance_success(previous_state: Any, task_instance: Any) -> None:
    """End the run of a task that succeeded."""
    del previous_state
    _on_end(task_instance, "FINISHED", None, "Somebody marked the task as successful.")


@hookimpl
def on_task_instance_skipped(previous_state: Any, task_instance: Any) -> None:
    """End the run of a task that skipped itself."""
    del previous_state
    _on_end(task_instance, "FINISHED", None, "Somebody marked the task as skipped.")


@hookimpl
def on_task_instance_failed(previous_state: Any, task_instance: Any, error: Any) -> None:
    """End the run of a task that failed, or whose process died."""
    del previous_state
    _on_end(task_instance, "FAILED", error, "The task's process died or was stopped.")


@hookimpl
def before_stopping(component: Any) -> None:
    """Write down what a deferred or rescheduled task has measured so far; it goes on elsewhere."""
    del component
    current_run = _loaded()
    if current_run is not None:
        _safely(current_run.leave_task_runs)


@hookimpl
def on_dag_run_success(dag_run: Any, msg: str) -> None:
    """Close what tasks of a Dag run that ended have left open."""
    del msg
    _after_dag_run(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: Any, msg: str) -> None:
    """Close what tasks of a Dag run that ended have left open."""
    del msg
    _after_dag_run(dag_run)


def _on_end(task_instance: Any, status: str, error: Any, reason: str) -> None:
    if _is_own_task(task_instance):
        current_run = _loaded()
        if current_run is not None:
            _safely(partial(current_run.end_from_listener, task_instance, status, error))
        return
    # A task that will be retried has got the id of its next try, which may start any moment.
    will_retry = str(getattr(task_instance, "state", "")) == "up_for_retry"
    place = {
        "dag_id": task_instance.dag_id,
        "dag_run_id": task_instance.run_id,
        "task_id": task_instance.task_id,
        "map_index": task_instance.map_index,
        "spare": f"ti:{task_instance.id}" if will_retry else None,
    }
    _beside(place, reason)


def _after_dag_run(dag_run: Any) -> None:
    place = {"dag_id": dag_run.dag_id, "dag_run_id": dag_run.run_id}
    _beside(place, "Its Dag run ended without closing it.")


def _is_own_task(task_instance: Any) -> bool:
    """Tell the instance of this very task process from a row of Airflow's metadata database."""
    return not hasattr(type(task_instance), "__table__")


def _loaded() -> ModuleType | None:
    """Return the module that keeps open runs, None when this process has never used it."""
    return sys.modules.get(_CURRENT_RUN)


_waiting: deque[tuple[dict[str, Any], str]] = deque()
_lock = threading.Lock()
_busy = threading.Event()


def _beside(place: dict[str, Any], reason: str) -> None:
    """Close a place's runs on a thread: Airflow's loop must not wait for a database."""
    with _lock:
        _waiting.append((place, reason))
        if not _busy.is_set():
            _busy.set()
            threading.Thread(target=_work, name="mltrack-listener", daemon=True).start()


def _work() -> None:
    while True:
        with _lock:
            if not _waiting:
                _busy.clear()
                return
            place, reason = _waiting.popleft()
        _safely(partial(_close_orphans, place, reason))


def _close_orphans(place: dict[str, Any], reason: str) -> None:
    from airflow_mltrack.hooks.orphans import close_orphans

    close_orphans(**place, reason=reason)


def _safely(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:  # a listener must not disturb Airflow, whatever happens
        log.exception("airflow-mltrack could not close the runs of a task that ended")
