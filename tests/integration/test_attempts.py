from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_mltrack.entities.runs import Run, RunStatus
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.integration.conftest import Airflow

pytestmark = pytest.mark.airflow

MOMENT = datetime(2026, 1, 5, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def first(airflow: Airflow, backend: object) -> dict[str, str]:
    del backend
    return airflow.run("attempts", at=MOMENT).states


def _runs(store: TrackingStore) -> dict[str, Run]:
    with store.transaction() as tx:
        experiment = tx.experiments.get_by_name("attempts")
        page = tx.search.runs(experiment_ids=[experiment.experiment_id])
    return {data.run.task_id or "": data.run for data in page.runs}


def test_a_retried_task_is_one_run_with_two_attempts(
    first: dict[str, str], tracked: TrackingStore
) -> None:
    assert first["flaky"] == "success"
    run = _runs(tracked)["flaky"]
    with tracked.transaction() as tx:
        attempts = tx.runs.attempts(run.run_id)
        data = tx.runs.data(run.run_id)
        before = tx.runs.data(run.run_id, attempt=1)
    assert [item.status for item in attempts] == [RunStatus.FAILED, RunStatus.FINISHED]
    assert attempts[0].error == "RuntimeError: out of luck"
    assert (data.params, data.metrics) == ({"depth": "2"}, {"loss": 0.5})
    assert (before.params, before.metrics) == ({"depth": "1"}, {"loss": 1.0})


def test_a_task_that_skips_itself_ends_its_run(
    first: dict[str, str], tracked: TrackingStore
) -> None:
    assert first["skipping"] == "skipped"
    assert _runs(tracked)["skipping"].status is RunStatus.FINISHED


def test_an_untracked_task_has_no_run(first: dict[str, str], tracked: TrackingStore) -> None:
    assert first["untracked"] == "success"
    assert "untracked" not in _runs(tracked)


def test_wrong_input_is_not_retried(first: dict[str, str], tracked: TrackingStore) -> None:
    assert first["refused"] == "failed"
    run = _runs(tracked)["refused"]
    assert (run.status, run.attempt_number) == (RunStatus.FAILED, 1)


def test_the_attempt_knows_which_code_ran(first: dict[str, str], tracked: TrackingStore) -> None:
    del first
    run = _runs(tracked)["flaky"]
    with tracked.transaction() as tx:
        details = tx.runs.attempt(run.attempt_id).details
    assert details["dag_version_id"]
    assert str(details["log_url"]).endswith("tasks/flaky?try_number=2")


def test_the_same_dag_run_again_adds_attempts_not_runs(
    first: dict[str, str], tracked: TrackingStore, airflow: Airflow
) -> None:
    del first
    before = _runs(tracked)
    airflow.run("attempts", at=MOMENT)
    after = _runs(tracked)
    assert {run.run_id for run in after.values()} == {run.run_id for run in before.values()}
    assert after["skipping"].attempt_number == before["skipping"].attempt_number + 1
    assert all(run.status.is_terminal for run in after.values())
