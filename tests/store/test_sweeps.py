"""The queue of trials: each is handed to one worker, and a lost worker's trials come back."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from airflow_mltrack.entities.runs import RunIdentity, RunStatus
from airflow_mltrack.entities.sweeps import Trial, TrialState
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction
from tests.store.processes import at_once

LONG = timedelta(minutes=5)


def make_sweep(tx: Transaction, n_trials: int = 3) -> str:
    run, _ = tx.runs.open(experiment_id=0, name="sweep")
    tx.sweeps.create(
        run.run_id, spec={"space": {}}, metric="auc", direction="maximize", n_trials=n_trials
    )
    tx.sweeps.add_trials(run.run_id, [{"x": number} for number in range(n_trials)])
    return run.run_id


def take(tx: Transaction, sweep: str, by: str = "w1", **options: object) -> Trial:
    trial = tx.sweeps.claim(sweep, claimed_by=by, **options)  # type: ignore[arg-type]
    assert trial is not None
    return trial


def start_child(tx: Transaction, sweep: str, trial: Trial) -> int:
    key = f"{trial.claimed_by}:{sweep}:{trial.number}:{trial.attempts}"
    child, attempt = tx.runs.open(
        experiment_id=0,
        parent_run_id=sweep,
        identity=RunIdentity(logical_key=f"trial:{sweep}:{trial.number}", attempt_key=key),
    )
    assert tx.sweeps.start(sweep, trial.number, child.run_id, claimed_by=trial.claimed_by)
    return attempt.attempt_id


def age(tx: Transaction, sql: str) -> None:
    tx.connection.exec_driver_sql(sql)


def test_a_sweep_reads_back_and_is_made_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=0)
        made = tx.sweeps.create(
            run.run_id, spec={"a": [1, None]}, metric="auc", direction="minimize", n_trials=2
        )
        again = tx.sweeps.create(
            run.run_id, spec={}, metric="other", direction="maximize", n_trials=9
        )
        assert made == again == tx.sweeps.get(run.run_id)
        assert (made.spec, made.n_trials, made.closed) == ({"a": [1, None]}, 2, False)
        with pytest.raises(NotFound, match="sweep 'nobody'"):
            tx.sweeps.create("nobody", spec={}, metric="m", direction="maximize", n_trials=1)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"direction": "up"}, "maximize or minimize"),
        ({"n_trials": 0}, "1 or more"),
        ({"metric": "a=b"}, "only letters"),
    ],
)
def test_a_bad_sweep_is_refused(store: TrackingStore, wrong: dict[str, object], rule: str) -> None:
    options = {"spec": {}, "metric": "m", "direction": "maximize", "n_trials": 1} | wrong
    with store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=0)
        with pytest.raises(InvalidInput, match=rule):
            tx.sweeps.create(run.run_id, **options)  # type: ignore[arg-type]


def test_planning_again_appends_only_what_is_missing(store: TrackingStore) -> None:
    params = [{"x": number} for number in range(4)]
    with store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=0)
        tx.sweeps.create(run.run_id, spec={}, metric="m", direction="maximize", n_trials=4)
        tx.sweeps.add_trials(run.run_id, params[:2])
        first = take(tx, run.run_id)
        trials = tx.sweeps.ensure_trials(run.run_id, params)
        assert [trial.params for trial in trials] == params
        assert trials[0] == first
        assert tx.sweeps.ensure_trials(run.run_id, params) == trials
        with pytest.raises(Conflict, match="4 of 4 trials"):
            tx.sweeps.add_trials(run.run_id, [{}])


def test_trials_are_handed_out_in_order_and_only_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        taken = [take(tx, sweep, by=f"w{number}") for number in range(3)]
        assert [trial.number for trial in taken] == [0, 1, 2]
        assert {trial.state for trial in taken} == {TrialState.RUNNING}
        assert [trial.attempts for trial in taken] == [1, 1, 1]
        assert tx.sweeps.claim(sweep, claimed_by="w9", silent_for=LONG) is None


def test_a_numbered_trial_is_handed_out_or_nothing(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        assert take(tx, sweep, number=2).number == 2
        assert tx.sweeps.claim(sweep, claimed_by="w2", number=2) is None
        assert tx.sweeps.claim(sweep, claimed_by="w2", number=7) is None


def drain(settings: Settings, sweep: str, worker: str) -> list[int]:
    store = TrackingStore(settings, pool_size=1)
    done: list[int] = []
    while True:
        with store.transaction() as tx:
            trial = tx.sweeps.claim(sweep, claimed_by=worker, silent_for=LONG)
        if trial is None:
            store.close()
            return done
        with store.transaction() as tx:
            finished = tx.sweeps.finish(
                sweep, trial.number, state=TrialState.COMPLETE, value=1.0, claimed_by=worker
            )
        assert finished
        done.append(trial.number)


def test_processes_that_drain_a_sweep_get_each_trial_once(
    settings: Settings, store: TrackingStore
) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx, 120)
    done = at_once(drain, [(settings, sweep, f"w{number}") for number in range(4)])
    assert sorted(number for numbers in done for number in numbers) == list(range(120))
    with store.transaction() as tx:
        assert tx.sweeps.counts(sweep)[TrialState.COMPLETE] == 120
        assert {trial.attempts for trial in tx.sweeps.trials(sweep)} == {1}


def test_a_trial_that_another_transaction_looks_at_is_skipped(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
    with store.transaction() as first, store.transaction() as second:
        assert take(first, sweep, by="w1").number == 0
        assert take(second, sweep, by="w2").number == 1


def test_a_worker_gets_back_what_it_held_before_anything_new(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        take(tx, sweep, by="other")
        held = take(tx, sweep, by="w1")
        again = take(tx, sweep, by="w1")
    assert (again.number, again.attempts) == (held.number, 2)


def test_the_next_try_of_a_worker_takes_over_at_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        held = take(tx, sweep, by="ti:1", worker="task 7")
        taken = take(tx, sweep, by="ti:2", worker="task 7")
        assert (taken.number, taken.claimed_by) == (held.number, "ti:2")
        # The first try comes back from the dead: it decides nothing any more.
        assert not tx.sweeps.finish(
            sweep, held.number, state=TrialState.COMPLETE, value=0.1, claimed_by="ti:1"
        )
        assert not tx.sweeps.release(sweep, held.number, claimed_by="ti:1")
        assert tx.sweeps.trial(sweep, held.number).state is TrialState.RUNNING


def test_a_trial_whose_run_was_closed_is_free(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx, 1)
    with store.transaction() as tx:
        attempt = start_child(tx, sweep, take(tx, sweep, by="w1"))
        assert tx.sweeps.claim(sweep, claimed_by="w2", silent_for=LONG) is None
        tx.runs.set_status(attempt, RunStatus.KILLED, error="worker died")
        again = take(tx, sweep, by="w2", silent_for=LONG)
        assert again.attempts == 2
        # Its run is still the closed one, but that was closed before this claim.
        assert tx.sweeps.claim(sweep, claimed_by="w3", silent_for=LONG) is None


def test_a_silent_trial_is_free_and_one_with_signs_of_life_is_not(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx, 2)
        silent = take(tx, sweep, by="w1")
        lively = take(tx, sweep, by="w2")
        start_child(tx, sweep, silent)
        attempt = start_child(tx, sweep, lively)
        age(tx, "UPDATE trials SET claimed_at = now() - interval '1 hour'")
        age(tx, "UPDATE attempts SET heartbeat_at = now() - interval '1 hour'")
        tx.runs.heartbeat(attempt)
        assert tx.sweeps.claim(sweep, claimed_by="w3") is None
        assert take(tx, sweep, by="w3", silent_for=LONG).number == silent.number
        assert tx.sweeps.claim(sweep, claimed_by="w4", silent_for=LONG) is None


def test_a_trial_that_never_started_its_run_is_free_after_a_while(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx, 1)
        take(tx, sweep, by="w1")
        assert tx.sweeps.claim(sweep, claimed_by="w2", silent_for=LONG) is None
        age(tx, "UPDATE trials SET claimed_at = now() - interval '1 hour'")
        assert take(tx, sweep, by="w2", silent_for=LONG).attempts == 2


def test_an_end_is_final_and_telling_it_twice_is_fine(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        trial = take(tx, sweep, by="w1")
        for _ in range(2):
            assert tx.sweeps.finish(
                sweep, trial.number, state=TrialState.COMPLETE, value=0.5, claimed_by="w1"
            )
        assert not tx.sweeps.finish(sweep, trial.number, state=TrialState.FAILED, claimed_by="w1")
        assert not tx.sweeps.release(sweep, trial.number)
        ended = tx.sweeps.trial(sweep, trial.number)
        assert (ended.state, ended.value) == (TrialState.COMPLETE, 0.5)
        with pytest.raises(InvalidInput, match="RUNNING"):
            tx.sweeps.finish(sweep, 1, state=TrialState.RUNNING)
        with pytest.raises(InvalidInput, match="has one"):
            tx.sweeps.finish(sweep, 1, state=TrialState.COMPLETE)
        with pytest.raises(NotFound, match="trial"):
            tx.sweeps.finish(sweep, 99, state=TrialState.FAILED)


def test_a_released_trial_waits_with_its_error_and_without_its_reports(
    store: TrackingStore,
) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx, 1)
        trial = take(tx, sweep)
        tx.sweeps.report(sweep, trial.number, 0, 0.7)
        assert tx.sweeps.release(sweep, trial.number, "bucket away", claimed_by="w1")
        waiting = tx.sweeps.trial(sweep, trial.number)
        assert (waiting.state, waiting.error, waiting.claimed_by) == (
            TrialState.WAITING,
            "bucket away",
            None,
        )
    with store.transaction() as tx:
        assert take(tx, sweep, by="w2").attempts == 2
    with store.transaction() as tx:
        assert tx.sweeps.trial(sweep, trial.number).reports == {}


def test_reports_are_kept_by_step(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        for step, value in ((10, 0.1), (2, math.inf), (10, 0.3), (3, math.nan)):
            tx.sweeps.report(sweep, 0, step, value)
        tx.sweeps.decide(sweep, 0, {"y": 1}, {"rung": 2})
        tx.sweeps.note(sweep, 1, {"a": "b"})
        first, second, _ = tx.sweeps.trials(sweep, include_reports=True)
        assert list(first.reports) == [2, 3, 10]
        assert (first.reports[2], first.reports[10]) == (math.inf, 0.3)
        assert math.isnan(first.reports[3])
        assert (first.params, first.notes, second.notes) == ({"y": 1}, {"rung": 2}, {"a": "b"})
        with pytest.raises(NotFound, match="trial"):
            tx.sweeps.report(sweep, 9, 0, 0.5)


def test_trials_can_be_listed_without_those_that_are_known(store: TrackingStore) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        take(tx, sweep)
        some = tx.sweeps.trials(sweep, except_numbers=[1])
        running = tx.sweeps.trials(sweep, except_states=[TrialState.WAITING])
    assert [trial.number for trial in some] == [0, 2]
    assert [trial.number for trial in running] == [0]


def test_a_closed_sweep_hands_out_nothing_until_failed_trials_are_retried(
    store: TrackingStore,
) -> None:
    with store.transaction() as tx:
        sweep = make_sweep(tx)
        done = take(tx, sweep, by="w1")
        tx.sweeps.finish(sweep, done.number, state=TrialState.COMPLETE, value=1.0)
        take(tx, sweep, by="w2")
        tx.sweeps.close(sweep)
        assert tx.sweeps.get(sweep).closed
        assert tx.sweeps.counts(sweep) == {
            TrialState.WAITING: 0,
            TrialState.RUNNING: 0,
            TrialState.COMPLETE: 1,
            TrialState.PRUNED: 0,
            TrialState.FAILED: 2,
        }
        assert tx.sweeps.trial(sweep, 2).error == "not finished when the sweep was closed"
        assert tx.sweeps.claim(sweep, claimed_by="w3") is None
        assert tx.sweeps.retry_failed(sweep) == 2
        assert take(tx, sweep, by="w3").number == 1
        assert tx.sweeps.trial(sweep, 0).state is TrialState.COMPLETE


def test_a_run_that_is_no_sweep_is_not_found(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=0)
        with pytest.raises(NotFound, match="parent run"):
            tx.sweeps.get(run.run_id)
        with pytest.raises(NotFound, match="trial"):
            tx.sweeps.trial(run.run_id, 0)
        assert tx.sweeps.trials(run.run_id) == []
