"""What must be true after a sweep, whatever happened while it ran."""

from __future__ import annotations

from pathlib import Path

from airflow_mltrack.entities.runs import Attempt, RunStatus
from airflow_mltrack.entities.sweeps import TrialState
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.spool_delivery import deliver_spools, left_spools
from tests.robustness.training_worker import FOLDS, PAYLOAD, POINTS, TRIALS, curve, payload
from tests.tracking.conftest import history


def assert_nothing_lost(client: TrackingClient, sweep: str, journal: Path) -> list[Attempt]:
    """Check trials, runs, points and bytes; return the attempts that did not come to their end."""
    deliver_spools(client.settings, client.store)
    assert left_spools(client.settings) == []
    with client.store.transaction() as tx:
        trials, children = tx.sweeps.trials(sweep), tx.runs.children(sweep)
        attempts = {child.run_id: tx.runs.attempts(child.run_id) for child in children}
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS
    assert sorted(attempts) == sorted(str(trial.run_id) for trial in trials)
    given_up = []
    for trial in trials:
        *before, last = attempts[str(trial.run_id)]
        assert last.status is RunStatus.FINISHED
        given_up += before
        _assert_complete(client, trial.number, last)
    _assert_all_closed(client)
    _assert_journal(client, journal, [one for tries in attempts.values() for one in tries])
    assert_rows_have_bytes(client)
    return given_up


def assert_rows_have_bytes(client: TrackingClient) -> None:
    """Check that every file that the database names is there, with its size and digest."""
    with client.store.transaction() as tx:
        rows = tx.connection.exec_driver_sql("SELECT key, size, sha256 FROM artifacts").all()
    for row in rows:
        assert len(client.artifact_store.read_bytes(row.key, sha256=row.sha256)) == row.size


def _assert_complete(client: TrackingClient, number: int, attempt: Attempt) -> None:
    """Check that a trial's last attempt has every point once, and its files."""
    expected = [(step, curve(number, step)) for step in range(POINTS)]
    assert history(client, attempt.attempt_id, "curve") == expected
    assert [step for step, _ in history(client, attempt.attempt_id, "fold_auc")] == [*range(FOLDS)]
    for key in ("auc", "fit_seconds", "threshold"):
        assert len(history(client, attempt.attempt_id, key)) == 1, key
    with client.store.transaction() as tx:
        files = {file.path: file for file in tx.artifacts.walk(attempt_id=attempt.attempt_id)}
        params = tx.runs.data(attempt.run_id).params
    assert set(files) == {PAYLOAD, "evaluation/validation.json"}
    assert client.artifact_store.read_bytes(files[PAYLOAD].key) == payload(number)
    assert params["classifier.C"] == str(round(0.1 * (number + 1), 1))


def _assert_all_closed(client: TrackingClient) -> None:
    with client.store.transaction() as tx:
        found = tx.connection.exec_driver_sql("SELECT DISTINCT status FROM attempts").scalars()
        assert RunStatus.RUNNING.value not in set(found)


def _assert_journal(client: TrackingClient, journal: Path, attempts: list[Attempt]) -> None:
    """Check that what an attempt logged before it failed is there, once.

    A killed process takes at most the last half second with it, which is no part of this.
    """
    for attempt in attempts:
        steps = [step for step, _ in history(client, attempt.attempt_id, "curve")]
        assert steps == [*range(len(steps))], "a point is missing in the middle, or there twice"
        accepted = journal / str(attempt.attempt_id)
        if attempt.status is RunStatus.FAILED:
            assert len(steps) == len(accepted.read_text().splitlines())
