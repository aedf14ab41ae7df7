"""Closes runs whose task has ended. Airflow loads it in every process: it must stay light.

In a task's own process the runs that the process has open are ended as the task ended. The
scheduler and the API server hear of tasks whose process is gone; there the work is done on a thread
beside Airflow's own. Nothing here raises into Airflow.
"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

log = logging.getLogger(__name__)

_CURRENT_RUN = "airflow_mltrack.hooks.current_run"
_GRACE = 40.0
"""Seconds after a Dag run's end, and of silence: more than two signs of life are apart."""


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
    reason = "Its Dag run ended without closing it."
    if _loaded() is not None:  # ``dag.test()``: the tasks ran in this process, which ends soon
        _safely(partial(_close_orphans, place, reason))
        return
    # Airflow tells the task's success before the task's own process ends its run: a process that is
    # still at it (its callbacks come first, too) gives signs of life.
    _beside({**place, "silent_for": timedelta(seconds=_GRACE)}, reason, delay=_GRACE)


def _is_own_task(task_instance: Any) -> bool:
    """Tell the instance of this very task process from a row of Airflow's metadata database."""
    return not hasattr(type(task_instance), "__table__")


def _loaded() -> ModuleType | None:
    """Return the module that keeps open runs, None when this process has never used it."""
    return sys.modules.get(_CURRENT_RUN)


_waiting: list[tuple[float, int, dict[str, Any], str]] = []
"""A heap: when it is due, a number that keeps the order, the place and the reason."""
_numbers = itertools.count()
_changed = threading.Condition()
_busy = threading.Event()


def _beside(place: dict[str, Any], reason: str, *, delay: float = 0.0) -> None:
    """Close a place's runs on a thread: Airflow's loop must not wait for a database."""
    with _changed:
        heappush(_waiting, (time.monotonic() + delay, next(_numbers), place, reason))
        _changed.notify()
        if not _busy.is_set():
            _busy.set()
            threading.Thread(target=_work, name="mltrack-listener", daemon=True).start()


def _work() -> None:
    while True:
        with _changed:
            if not _waiting:
                _busy.clear()
                return
            early = _waiting[0][0] - time.monotonic()
            if early > 0:
                _changed.wait(early)
                continue
            _, _, place, reason = heappop(_waiting)
        _safely(partial(_close_orphans, place, reason))


def _close_orphans(place: dict[str, Any], reason: str) -> None:
    from airflow_mltrack.hooks.orphans import close_orphans

    close_orphans(**place, reason=reason)


def _safely(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:  # a listener must not disturb Airflow, whatever happens
        log.exception("airflow-mltrack could not close the runs of a task that ended")
