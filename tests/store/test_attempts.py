"""How attempts end and show that they live."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_mltrack.entities.runs import RunIdentity, RunStatus, task_identity
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.tracking_store import TrackingStore

ENDED = datetime(2030, 1, 2, tzinfo=timezone.utc)


def key(attempt_key: str, logical_key: str = "") -> RunIdentity:
    return RunIdentity(logical_key=logical_key or attempt_key, attempt_key=attempt_key)


def test_an_end_shows_on_the_attempt_and_on_the_run(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, attempt = tx.runs.open(experiment_id=0)
        assert tx.runs.set_status(
            attempt.attempt_id, RunStatus.FAILED, ended_at=ENDED, error="last line"
        )
        closed, run = tx.runs.attempt(attempt.attempt_id), tx.runs.get(run.run_id)
    assert (closed.status, closed.ended_at, closed.error) == (RunStatus.FAILED, ENDED, "last line")
    assert (run.status, run.ended_at) == (RunStatus.FAILED, ENDED)


def test_closing_again_the_same_way_changes_nothing(store: TrackingStore) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        assert tx.runs.set_status(attempt.attempt_id, RunStatus.FINISHED)
        before = tx.runs.attempt(attempt.attempt_id)
        assert not tx.runs.set_status(attempt.attempt_id, RunStatus.FINISHED, error="late")
        assert tx.runs.attempt(attempt.attempt_id) == before


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.KILLED, RunStatus.FAILED])
def test_an_attempt_that_ended_stays_ended(store: TrackingStore, status: RunStatus) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        tx.runs.set_status(attempt.attempt_id, RunStatus.FINISHED)
        with pytest.raises(Conflict, match=f"ended as FINISHED and cannot become {status.value}"):
            tx.runs.set_status(attempt.attempt_id, status)


def test_a_scheduled_attempt_starts_without_an_end(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, attempt = tx.runs.open(experiment_id=0, status=RunStatus.SCHEDULED)
        assert tx.runs.set_status(attempt.attempt_id, RunStatus.RUNNING, ended_at=ENDED)
        assert tx.runs.get(run.run_id).ended_at is None


def test_the_end_of_an_old_attempt_leaves_the_run_to_the_new_one(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, old = tx.runs.open(experiment_id=0, identity=key("a", "same"))
        tx.connection.exec_driver_sql("UPDATE attempts SET attempt_key = 'a'")
        tx.runs.open(experiment_id=0, identity=key("b", "same"))
        # As if the old worker had not been closed: it comes back and says that it finished.
        tx.connection.exec_driver_sql(
            "UPDATE attempts SET status = 'RUNNING', ended_at = NULL WHERE attempt_key = 'a'"
        )
        assert tx.runs.set_status(old.attempt_id, RunStatus.FINISHED)
        assert tx.runs.get(run.run_id).status is RunStatus.RUNNING


def test_an_attempt_that_is_not_there_is_not_found(store: TrackingStore) -> None:
    with store.transaction() as tx, pytest.raises(NotFound, match="attempt '5'"):
        tx.runs.set_status(5, RunStatus.FINISHED)


def test_an_error_text_of_any_kind_is_kept(store: TrackingStore) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        tx.runs.set_status(
            attempt.attempt_id, RunStatus.FAILED, error="nul \x00 half \ud800 " + "x" * 9_000
        )
        error = tx.runs.attempt(attempt.attempt_id).error
    assert error is not None
    assert error.startswith("nul  half ? xxx")
    assert len(error) == 8_000


def test_a_silent_attempt_is_stale_until_its_next_heartbeat(store: TrackingStore) -> None:
    minute = timedelta(minutes=1)
    with store.transaction() as tx:
        _, silent = tx.runs.open(experiment_id=0)
        tx.runs.open(experiment_id=0)
        _, ended = tx.runs.open(experiment_id=0)
        tx.runs.set_status(ended.attempt_id, RunStatus.FINISHED)
        tx.connection.exec_driver_sql(
            "UPDATE attempts SET heartbeat_at = now() - interval '2 minutes' "
            f"WHERE id IN ({silent.attempt_id}, {ended.attempt_id})"
        )
        assert [one.attempt_id for one in tx.runs.stale(silent_for=minute)] == [silent.attempt_id]
        tx.runs.heartbeat(silent.attempt_id)
        tx.runs.heartbeat(ended.attempt_id)
        assert tx.runs.stale(silent_for=minute) == []
        beaten = tx.runs.attempt(ended.attempt_id).heartbeat_at
    assert beaten is not None
    assert beaten < tx_time(store) - minute


def tx_time(store: TrackingStore) -> datetime:
    with store.transaction() as tx:
        return tx.now()


def test_closing_a_task_closes_its_trials_too_and_nothing_else(store: TrackingStore) -> None:
    with store.transaction() as tx:
        opened = {
            name: tx.runs.open(experiment_id=0, identity=key(name))[1].attempt_id
            for name in ("ti:1", "ti:1:s:0:1", "ti:1:s:1:1", "ti:10", "ti:2:s:2:1", "ti:1%")
        }
        tx.runs.set_status(opened["ti:1:s:1:1"], RunStatus.FINISHED)
        closed = tx.runs.close_attempt_key("ti:1", RunStatus.KILLED, error="worker died")
        assert closed == [opened["ti:1"], opened["ti:1:s:0:1"]]
        assert tx.runs.close_attempt_key("ti:1", RunStatus.KILLED) == []
        one = tx.runs.attempt(opened["ti:1:s:0:1"])
        assert (one.status, one.error) == (RunStatus.KILLED, "worker died")
        assert tx.runs.get(one.run_id).status is RunStatus.KILLED
        for name in ("ti:10", "ti:2:s:2:1", "ti:1%"):
            assert tx.runs.attempt(opened[name]).status is RunStatus.RUNNING
        with pytest.raises(InvalidInput, match="RUNNING"):
            tx.runs.close_attempt_key("ti:1", RunStatus.RUNNING)


def test_a_trial_that_was_taken_over_belongs_to_its_new_workers_task(
    store: TrackingStore,
) -> None:
    def worker(number: int) -> RunIdentity:
        task = task_identity(
            ti_id=str(number), dag_id="d", dag_run_id="r", task_id="work", map_index=number
        )
        return task.trial("sweep", 5, attempt=number)

    with store.transaction() as tx:
        tx.runs.open(experiment_id=0, identity=worker(1))
        run, attempt = tx.runs.open(experiment_id=0, identity=worker(2))
        assert (run.task_id, run.map_index) == ("work", 2)
        place = {"dag_id": "d", "dag_run_id": "r", "task_id": "work", "status": RunStatus.KILLED}
        assert tx.runs.close_place(**place, map_index=1) == []  # type: ignore[arg-type]
        assert tx.runs.close_place(**place, map_index=2) == [attempt.attempt_id]  # type: ignore[arg-type]
