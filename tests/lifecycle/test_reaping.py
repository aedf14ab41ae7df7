"""The reaper: closes what died, leaves what lives, gives trials back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import event, text

from airflow_mltrack.entities.runs import Attempt, RunIdentity, RunStatus
from airflow_mltrack.entities.sweeps import TrialState
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.reaping import reap
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient

LIMIT = timedelta(minutes=5)
WORKER = RunIdentity(logical_key="task:worker", attempt_key="ti:one")


def open_attempt(
    client: TrackingClient, *, identity: RunIdentity | None = None, parent: str | None = None
) -> Attempt:
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        return tx.runs.open(experiment_id=experiment, identity=identity, parent_run_id=parent)[1]


def fall_silent(client: TrackingClient, *attempts: Attempt) -> None:
    with client.store.transaction() as tx:
        tx.connection.execute(
            text(
                "UPDATE attempts SET heartbeat_at = heartbeat_at - interval '1 hour' "
                "WHERE id = ANY(:ids)"
            ),
            {"ids": [attempt.attempt_id for attempt in attempts]},
        )


def status(client: TrackingClient, attempt: Attempt) -> RunStatus:
    with client.store.transaction() as tx:
        return tx.runs.attempt(attempt.attempt_id).status


def test_only_silent_attempts_are_closed_and_the_reason_is_kept(client: TrackingClient) -> None:
    silent, lively = open_attempt(client), open_attempt(client)
    fall_silent(client, silent)
    (closed,) = reap(client, silent_for=LIMIT)
    assert (closed.attempt_id, closed.status) == (silent.attempt_id, RunStatus.KILLED)
    assert closed.ended_at is not None
    assert "no sign of life" in str(closed.error)
    assert status(client, lively) is RunStatus.RUNNING
    assert client.run(silent.run_id).run.status is RunStatus.KILLED
    assert reap(client, silent_for=LIMIT) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(True, RunStatus.RUNNING), (False, RunStatus.FAILED), (None, RunStatus.KILLED)],
)
def test_who_knows_better_is_asked_first(
    client: TrackingClient, answer: bool | None, expected: RunStatus
) -> None:
    attempt = open_attempt(client)
    fall_silent(client, attempt)
    asked: list[int] = []

    def is_alive(silent: Attempt) -> bool | None:
        asked.append(silent.attempt_id)
        return answer

    closed = reap(client, silent_for=LIMIT, is_alive=is_alive)
    assert asked == [attempt.attempt_id]
    assert status(client, attempt) is expected
    assert len(closed) == (0 if answer else 1)


def test_an_attempt_that_speaks_up_while_its_task_is_asked_about_is_spared(
    client: TrackingClient,
) -> None:
    attempt = open_attempt(client)
    fall_silent(client, attempt)

    def wake(silent: Attempt) -> None:
        with client.store.transaction() as tx:
            tx.runs.heartbeat(silent.attempt_id)

    assert reap(client, silent_for=LIMIT, is_alive=wake) == []
    assert status(client, attempt) is RunStatus.RUNNING


def test_a_sign_of_life_that_commits_during_the_closing_is_not_lost(
    client: TrackingClient, settings: Settings
) -> None:
    attempt = open_attempt(client)
    fall_silent(client, attempt)
    with psycopg.connect(settings.database_url) as worker, ThreadPoolExecutor(1) as threads:
        worker.execute(
            "UPDATE attempts SET heartbeat_at = clock_timestamp() WHERE id = %s",
            (attempt.attempt_id,),
        )
        reaped = threads.submit(reap, client, silent_for=LIMIT)
        while not worker.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            time.sleep(0.01)
        worker.commit()
        assert reaped.result(10) == []
    assert status(client, attempt) is RunStatus.RUNNING


def test_reaping_an_attempt_costs_the_same_however_many_are_silent(client: TrackingClient) -> None:
    def statements(number: int) -> int:
        fall_silent(client, *(open_attempt(client) for _ in range(number)))
        seen: list[str] = []

        def remember(*arguments: object) -> None:
            seen.append(str(arguments[2]))

        event.listen(client.store.engine, "before_cursor_execute", remember)
        assert len(reap(client, silent_for=LIMIT)) == number
        event.remove(client.store.engine, "before_cursor_execute", remember)
        assert sum("heartbeat_at <" in one and "SELECT attempts" in one for one in seen) <= 1
        return len(seen)

    one, many = statements(1), statements(6)
    assert many - 1 == 6 * (one - 1)


def test_an_attempt_that_ends_while_its_task_is_asked_about_keeps_its_end(
    client: TrackingClient,
) -> None:
    attempt = open_attempt(client)
    fall_silent(client, attempt)

    def finish(silent: Attempt) -> None:
        with client.store.transaction() as tx:
            tx.runs.set_status(silent.attempt_id, RunStatus.FINISHED)

    assert reap(client, silent_for=LIMIT, is_alive=finish) == []
    assert status(client, attempt) is RunStatus.FINISHED


def start_trial(client: TrackingClient, identity: RunIdentity = WORKER) -> tuple[str, Attempt]:
    """Make a sweep of one trial that a worker is running; return the sweep and the attempt."""
    parent = open_attempt(client).run_id
    with client.store.transaction() as tx:
        tx.sweeps.create(parent, spec={}, metric="auc", direction="maximize", n_trials=1)
        tx.sweeps.add_trials(parent, [{"x": 1}])
        claimed = tx.sweeps.claim(parent, claimed_by=identity.attempt_key)
    assert claimed is not None
    attempt = open_attempt(client, identity=identity.trial(parent, 0), parent=parent)
    with client.store.transaction() as tx:
        tx.sweeps.start(parent, 0, attempt.run_id)
    return parent, attempt


def trial_state(client: TrackingClient, sweep: str) -> TrialState:
    with client.store.transaction() as tx:
        return tx.sweeps.trial(sweep, 0).state


def test_the_trial_of_a_dead_attempt_is_given_back(client: TrackingClient) -> None:
    sweep, attempt = start_trial(client)
    fall_silent(client, attempt)
    assert [item.attempt_id for item in reap(client, silent_for=LIMIT)] == [attempt.attempt_id]
    assert trial_state(client, sweep) is TrialState.WAITING


def test_a_trial_that_another_worker_has_taken_over_stays_with_it(client: TrackingClient) -> None:
    sweep, attempt = start_trial(client)
    fall_silent(client, attempt)
    with client.store.transaction() as tx:
        tx.sweeps.release(sweep, 0)
        assert tx.sweeps.claim(sweep, claimed_by="ti:two") is not None
    reap(client, silent_for=LIMIT)
    assert status(client, attempt) is RunStatus.KILLED
    assert trial_state(client, sweep) is TrialState.RUNNING


def test_a_trial_that_has_ended_stays_ended(client: TrackingClient) -> None:
    sweep, attempt = start_trial(client)
    with client.store.transaction() as tx:
        tx.sweeps.finish(sweep, 0, state=TrialState.COMPLETE, value=0.7)
    fall_silent(client, attempt)
    assert len(reap(client, silent_for=LIMIT)) == 1
    assert trial_state(client, sweep) is TrialState.COMPLETE


def test_a_nested_run_of_no_sweep_is_closed_too(client: TrackingClient) -> None:
    parent = open_attempt(client)
    child = open_attempt(client, parent=parent.run_id)
    fall_silent(client, child)
    assert [item.attempt_id for item in reap(client, silent_for=LIMIT)] == [child.attempt_id]


@pytest.mark.parametrize("silent_for", [timedelta(0), timedelta(seconds=-1)])
def test_a_limit_that_would_close_everything_is_refused(
    client: TrackingClient, silent_for: timedelta
) -> None:
    with pytest.raises(InvalidInput, match="silent_for"):
        reap(client, silent_for=silent_for)


def test_a_worker_whose_name_begins_like_anothers_keeps_its_trial(client: TrackingClient) -> None:
    one, ten = (RunIdentity(f"logical {name}", name) for name in ("worker1", "worker10"))
    sweep, attempt = start_trial(client, ten)
    with client.store.transaction() as tx:
        tx.sweeps.release(sweep, 0)
        tx.sweeps.claim(sweep, claimed_by=one.attempt_key)
    fall_silent(client, attempt)
    reap(client, silent_for=LIMIT)
    assert trial_state(client, sweep) is TrialState.RUNNING
