"""Whichever transaction of a trial is refused or left unanswered, the trial ends once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_mltrack.entities.runs import RunIdentity, RunStatus
from airflow_mltrack.entities.sweeps import Trial, TrialState
from airflow_mltrack.exceptions import InvalidInput, StoreUnavailable
from airflow_mltrack.lifecycle.sweep_spec import SweepSpec
from airflow_mltrack.lifecycle.sweeps import Report, plan_sweep, run_trials
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction
from airflow_mltrack.tracking.active_run import ActiveRun
from airflow_mltrack.tracking.client import TrackingClient
from tests.robustness.ledger import assert_rows_have_bytes
from tests.tracking.conftest import history

_BEFORE, _AFTER = "refused", "unanswered"


class LossyStore(TrackingStore):
    """A store that loses one transaction of the main thread, before or after its commit."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pool_size=4)
        self.left: int | None = None
        """So many transactions are fine, the next is lost; None loses none."""
        self.how = _BEFORE

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction, or lose it."""
        lost = False
        if self.left is not None and threading.current_thread() is threading.main_thread():
            lost = self.left == 0
            self.left = None if lost else self.left - 1
        if lost and self.how == _BEFORE:
            raise StoreUnavailable("the test's database", "it is away.")
        with super().transaction() as tx:
            yield tx
        if lost:
            raise StoreUnavailable("the test's database", "the connection broke at the commit.")


def objective(run: ActiveRun, trial: Trial, report: Report) -> float:
    run.log_params(trial.params)
    run.log_metric("auc", 0.5)
    report(0, 0.5)
    run.log_text("words", "words.txt")
    return 0.5


def run_with_loss(client: TrackingClient, store: LossyStore, at: int, how: str) -> bool:
    """Run a sweep of one trial that loses its transaction number ``at``; return whether it did."""
    with client.start_run("sweep") as parent:
        spec = SweepSpec.from_json({"space": {"x": {"choices": [1]}}, "sampler": {"name": "grid"}})
        plan_sweep(client, parent, spec)
    store.left, store.how = at, how
    worker = RunIdentity(logical_key=f"worker:{at}:{how}", attempt_key=f"ti:{at}:{how}")
    ended = run_trials(client, parent.run_id, identity=worker, objective=objective)
    was_lost, store.left = store.left is None, None
    assert [trial.state for trial in ended] == [TrialState.COMPLETE]
    with store.transaction() as tx:
        (trial,) = tx.sweeps.trials(parent.run_id)
        (child,) = tx.runs.children(parent.run_id)
        (attempt,) = tx.runs.attempts(child.run_id)
    assert (trial.state, trial.run_id) == (TrialState.COMPLETE, child.run_id)
    assert (child.status, attempt.status) == (RunStatus.FINISHED, RunStatus.FINISHED)
    assert history(client, attempt.attempt_id, "auc") == [(0, 0.5)]
    return was_lost


@pytest.mark.parametrize("how", [_BEFORE, _AFTER])
def test_no_single_lost_transaction_changes_how_a_trial_ends(how: str, settings: Settings) -> None:
    with TrackingClient(settings) as client:
        client.store = store = LossyStore(settings)
        at = 1  # the first only reads the sweep: a worker that cannot start is tried again
        while run_with_loss(client, store, at, how):
            at += 1
        assert at > 8, "the transactions of a trial were not all tried"
        assert_rows_have_bytes(client)


def test_a_run_without_identity_is_not_started_again_and_again(settings: Settings) -> None:
    with TrackingClient(settings) as client, pytest.raises(InvalidInput, match="without identity"):
        client.start_run(patience=5)


def test_a_trial_that_is_given_up_leaves_no_run_open(settings: Settings) -> None:
    with TrackingClient(settings) as client:
        with client.start_run("sweep") as parent:
            spec = SweepSpec.from_json(
                {
                    "space": {"x": {"choices": [1]}},
                    "sampler": {"name": "grid"},
                    "max_trial_attempts": 1,
                }
            )
            plan_sweep(client, parent, spec)
        first = RunIdentity(logical_key="worker", attempt_key="ti:1")
        with client.store.transaction() as tx:  # a worker that dies as soon as its run is open
            trial = tx.sweeps.claim(parent.run_id, claimed_by="ti:1", worker="worker")
            assert trial is not None
            run, _ = tx.runs.open(
                experiment_id=parent.experiment_id,
                identity=first.trial(parent.run_id, 0, attempt="1"),
                parent_run_id=parent.run_id,
            )
            tx.sweeps.start(parent.run_id, 0, run.run_id, claimed_by="ti:1")
        again = RunIdentity(logical_key="worker", attempt_key="ti:2")
        (ended,) = run_trials(client, parent.run_id, identity=again, objective=objective)
        assert ended.state is TrialState.FAILED
        assert client.run(run.run_id).attempt.status is RunStatus.KILLED
        assert "without coming to an end" in str(client.run(run.run_id).attempt.error)
