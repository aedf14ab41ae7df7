from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTerminated, TaskDeferred

from airflow_mltrack.entities.runs import Run, RunStatus
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.hooks import current_run as module
from airflow_mltrack.hooks.current_run import (
    RUN_ID_VARIABLE,
    begin_task_run,
    current_run,
    end_task_run,
    leave_task_runs,
    task_run,
)
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.hooks.conftest import make_context


@pytest.fixture(autouse=True)
def no_run_is_left_open() -> Iterator[None]:
    yield
    left = list(module._open_runs)
    leave_task_runs()
    assert left == []


@pytest.fixture
def hook(backend_connection: str) -> Iterator[MltrackHook]:
    with MltrackHook(backend_connection) as hook:
        yield hook


def _run(store: TrackingStore, run_id: str) -> Run:
    with store.transaction() as tx:
        return tx.runs.get(run_id)


def test_the_run_is_the_task_instance(
    hook: MltrackHook, context: dict[str, Any], store: TrackingStore
) -> None:
    with task_run(context, hook) as run:  # type: ignore[arg-type]
        pass
    found = _run(store, run.run_id)
    assert (found.dag_id, found.dag_run_id, found.task_id) == ("credit", "manual__1", "train")
    assert (found.name, found.status) == ("train", RunStatus.FINISHED)
    with store.transaction() as tx:
        [attempt] = tx.runs.attempts(run.run_id)
        experiment = tx.experiments.get(found.experiment_id)
    assert attempt.details["dag_version_id"] == str(uuid.UUID(int=7))
    assert attempt.details["bundle_name"] == "dags-folder"
    assert attempt.try_number == 1
    assert experiment.name == "credit", "the Dag's id when none is named"


def test_the_link_works_while_the_task_runs(hook: MltrackHook, context: dict[str, Any]) -> None:
    with task_run(context, hook) as run:  # type: ignore[arg-type]
        pushed = context["ti"].pushed["_link_RunLink"]
    assert pushed.endswith(f"/mltrack/runs/{run.run_id}")


def test_a_task_has_one_run_however_often_it_is_asked_for(
    hook: MltrackHook, context: dict[str, Any]
) -> None:
    with task_run(context, hook) as run:  # type: ignore[arg-type]
        assert begin_task_run(context, hook) is run  # type: ignore[arg-type]


def test_a_retry_is_the_next_attempt_of_the_same_run(
    hook: MltrackHook, store: TrackingStore
) -> None:
    first, second = make_context(), make_context(try_number=2)
    with pytest.raises(ValueError, match="boom"), task_run(first, hook) as failed:  # type: ignore[arg-type]
        raise ValueError("boom")
    with task_run(second, hook) as run:  # type: ignore[arg-type]
        pass
    assert run.run_id == failed.run_id
    with store.transaction() as tx:
        attempts = tx.runs.attempts(run.run_id)
    assert [item.status for item in attempts] == [RunStatus.FAILED, RunStatus.FINISHED]
    assert attempts[0].error == "ValueError: boom"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("x"), RunStatus.FAILED),
        (AirflowSkipException("x"), RunStatus.FINISHED),
        (AirflowTaskTerminated("x"), RunStatus.KILLED),
        (KeyboardInterrupt(), RunStatus.KILLED),
    ],
)
def test_the_run_ends_as_its_block_does(
    hook: MltrackHook,
    context: dict[str, Any],
    store: TrackingStore,
    error: BaseException,
    status: RunStatus,
) -> None:
    with pytest.raises(type(error)), task_run(context, hook) as run:  # type: ignore[arg-type]
        raise error
    assert _run(store, run.run_id).status is status


def test_a_deferred_task_leaves_its_run_open_and_finds_it_again(
    hook: MltrackHook, context: dict[str, Any], store: TrackingStore
) -> None:
    deferral = TaskDeferred.__new__(TaskDeferred)
    run = begin_task_run(context, hook)  # type: ignore[arg-type]
    run.log_metric("before", 1.0)
    with pytest.raises(TaskDeferred), task_run(context, hook):  # type: ignore[arg-type]
        raise deferral
    assert _run(store, run.run_id).status is RunStatus.RUNNING
    with task_run(context, hook) as again:  # type: ignore[arg-type]
        again.log_metric("after", 2.0)
    with store.transaction() as tx:
        data = tx.runs.data(run.run_id)
        assert len(tx.runs.attempts(run.run_id)) == 1
    assert data.metrics == {"before": 1.0, "after": 2.0}


def test_a_block_may_leave_its_run_open_for_a_later_task(
    hook: MltrackHook, context: dict[str, Any], store: TrackingStore
) -> None:
    with task_run(context, hook, ends=False) as run:  # type: ignore[arg-type]
        pass
    assert _run(store, run.run_id).status is RunStatus.RUNNING
    assert not end_task_run(str(context["ti"].id), RunStatus.FINISHED)


def test_current_run_opens_the_run_of_the_executing_task(
    backend_connection: str,
    context: dict[str, Any],
    store: TrackingStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "get_current_context", lambda: context)
    run = current_run(experiment="mine", name="my run", tags={"team": "risk"})
    assert current_run() is run
    assert os.environ[RUN_ID_VARIABLE] == run.run_id
    assert end_task_run(str(context["ti"].id), RunStatus.FINISHED)
    assert RUN_ID_VARIABLE not in os.environ
    found = _run(store, run.run_id)
    assert (found.name, found.tags["team"]) == ("my run", "risk")


def test_outside_a_task_current_run_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RUN_ID_VARIABLE, raising=False)
    with pytest.raises(InvalidInput, match=r"no Airflow task is executing.*start_run"):
        current_run()


def _elsewhere(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_id: str = "f" * 32
) -> None:
    monkeypatch.setenv(RUN_ID_VARIABLE, run_id)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    if url:
        monkeypatch.setenv("MLTRACK_DATABASE_URL", url)
        monkeypatch.setenv("MLTRACK_ARTIFACT_URI", str(tmp_path))


def test_a_subprocess_that_sees_no_backend_is_told_how_to_hand_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _elsewhere("", tmp_path, monkeypatch)
    with pytest.raises(InvalidInput, match=r"another backend.*AIRFLOW_CONN_MLTRACK_DEFAULT"):
        current_run()
    assert not (tmp_path / "mltrack").exists(), "no server of its own is made"


def test_a_subprocess_that_sees_another_backend_is_told_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _elsewhere(database_url, tmp_path, monkeypatch)
    with pytest.raises(InvalidInput, match=r"another backend.*MLTRACK_DATABASE_URL"):
        current_run()


def test_a_subprocess_that_sees_a_database_without_our_schema_is_told_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE mltrack_schema")
    _elsewhere(database_url, tmp_path, monkeypatch)
    with pytest.raises(InvalidInput, match="another backend"):
        current_run()


def test_a_subprocess_of_a_task_logs_to_the_tasks_run(
    hook: MltrackHook, context: dict[str, Any], store: TrackingStore
) -> None:
    code = (
        "from airflow_mltrack.hooks.current_run import current_run\n"
        "current_run().log_metric('from_below', 7)\n"
    )
    with task_run(context, hook) as run:  # type: ignore[arg-type]
        subprocess.run([sys.executable, "-c", code], check=True)
    with store.transaction() as tx:
        data = tx.runs.data(run.run_id)
    assert data.metrics == {"from_below": 7.0}
    assert data.run.status is RunStatus.FINISHED
