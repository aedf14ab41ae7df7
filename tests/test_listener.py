from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mltrack import listener
from airflow_mltrack.entities.runs import RunIdentity, RunStatus, task_identity
from airflow_mltrack.hooks import current_run as current_run_module
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.hooks.conftest import backend_connection, define_connection, make_context

__all__ = ["backend_connection", "define_connection"]


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a process that executes no tasks itself."""
    monkeypatch.delitem(sys.modules, "airflow_mltrack.hooks.current_run")


class MetadataRow:
    """A task instance or Dag run as the scheduler has it: a row of Airflow's database."""

    __table__ = object()

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def _row(**fields: Any) -> MetadataRow:
    defaults = {
        "dag_id": "credit",
        "run_id": "r1",
        "task_id": "train",
        "map_index": -1,
        "state": "failed",
        "id": "ti-2",
    }
    return MetadataRow(**{**defaults, **fields})


def _identity(ti_id: str, task_id: str = "train", map_index: int = -1) -> RunIdentity:
    return task_identity(
        ti_id=ti_id, dag_id="credit", dag_run_id="r1", task_id=task_id, map_index=map_index
    )


def _open(store: TrackingStore, identity: RunIdentity) -> int:
    with store.transaction() as tx:
        experiment = tx.experiments.ensure("credit")
        _, attempt = tx.runs.open(experiment_id=experiment.experiment_id, identity=identity)
    return attempt.attempt_id


def _status(store: TrackingStore, attempt_id: int) -> RunStatus:
    with store.transaction() as tx:
        return tx.runs.attempt(attempt_id).status


def _wait_until_done() -> None:
    deadline = time.monotonic() + 10
    while listener._busy.is_set():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("backend_connection")
def test_a_task_whose_process_died_has_its_runs_closed(store: TrackingStore) -> None:
    run, trial = _open(store, _identity("ti-1")), _open(store, _identity("ti-1").trial("s", 3))
    other = _open(store, _identity("ti-9", task_id="other"))
    listener.on_task_instance_failed("running", _row(id="ti-1"), "heartbeat lost")
    _wait_until_done()
    assert _status(store, run) is _status(store, trial) is RunStatus.KILLED
    assert _status(store, other) is RunStatus.RUNNING


@pytest.mark.usefixtures("backend_connection")
def test_the_next_try_is_spared(store: TrackingStore) -> None:
    dead = _open(store, _identity("ti-1").trial("s", 1))
    starting = _open(store, _identity("ti-2").trial("s", 2))
    listener.on_task_instance_failed("running", _row(id="ti-2", state="up_for_retry"), None)
    _wait_until_done()
    assert _status(store, dead) is RunStatus.KILLED
    assert _status(store, starting) is RunStatus.RUNNING


@pytest.mark.usefixtures("backend_connection", "scheduler")
@pytest.mark.parametrize("hook", [listener.on_dag_run_success, listener.on_dag_run_failed])
def test_the_end_of_a_dag_run_leaves_nothing_open(
    store: TrackingStore, hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_GRACE", 0.01)
    sweep, mapped = _open(store, _identity("ti-1", "plan")), _open(store, _identity("ti-2", "t", 4))
    hook(_row(), "done")
    _wait_until_done()
    assert _status(store, sweep) is _status(store, mapped) is RunStatus.KILLED


@pytest.mark.usefixtures("backend_connection", "scheduler")
def test_a_task_that_is_still_ending_its_run_when_the_dag_run_ends_is_left_to_it(
    store: TrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_GRACE", 1.0)
    lives, died = _open(store, _identity("ti-1", "last")), _open(store, _identity("ti-2", "plan"))
    listener.on_dag_run_success(_row(), "done")
    time.sleep(0.5)
    with store.transaction() as tx:
        tx.runs.heartbeat(lives)
    _wait_until_done()
    assert _status(store, lives) is RunStatus.RUNNING
    assert _status(store, died) is RunStatus.KILLED


@pytest.mark.usefixtures("backend_connection", "scheduler")
def test_a_task_that_died_does_not_wait_behind_a_dag_run_that_ended(store: TrackingStore) -> None:
    run = _open(store, _identity("ti-1"))
    listener.on_dag_run_success(_row(run_id="another"), "done")
    try:
        listener.on_task_instance_failed("running", _row(id="ti-1"), None)
        deadline = time.monotonic() + 10
        while _status(store, run) is not RunStatus.KILLED:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        with listener._changed:
            listener._waiting.clear()
            listener._changed.notify()
        _wait_until_done()


@pytest.mark.usefixtures("backend_connection")
def test_a_dag_that_is_tested_in_this_process_leaves_nothing_open(store: TrackingStore) -> None:
    sweep = _open(store, _identity("ti-1", "plan"))
    listener.on_dag_run_failed(_row(), "done")
    assert _status(store, sweep) is RunStatus.KILLED


@pytest.mark.usefixtures("backend_connection")
def test_the_tasks_own_process_ends_its_run_as_the_task_ended(store: TrackingStore) -> None:
    from airflow_mltrack.hooks.mltrack import MltrackHook

    context = make_context()
    run = current_run_module.begin_task_run(context, MltrackHook())  # type: ignore[arg-type]
    listener.on_task_instance_failed("running", context["ti"], ValueError("no such column"))
    with store.transaction() as tx:
        attempt = tx.runs.attempt(run.attempt_id)
    assert (attempt.status, attempt.error) == (RunStatus.FAILED, "ValueError: no such column")


def test_a_task_that_never_tracked_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "airflow_mltrack.hooks.current_run", raising=False)
    listener.on_task_instance_success("running", SimpleNamespace(id="x"))
    listener.before_stopping(None)
    assert "airflow_mltrack.hooks.current_run" not in sys.modules


@pytest.mark.usefixtures("scheduler")
def test_an_embedded_default_that_was_never_used_is_not_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(listener, "_GRACE", 0.0)
    listener.on_dag_run_failed(_row(), "x")
    _wait_until_done()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("scheduler")
def test_nothing_is_raised_into_airflow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLTRACK_DEFAULT", '{"conn_type": "mltrack", "host": "db"}')
    monkeypatch.setattr(listener, "_GRACE", 0.0)
    listener.on_dag_run_failed(_row(), "x")
    _wait_until_done()
    assert "could not close the runs" in caplog.text
