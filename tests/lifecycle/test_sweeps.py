"""Sweeps from plan to result, by one worker and by many processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.entities.sweeps import Trial, TrialState
from airflow_mltrack.exceptions import (
    ArtifactUnavailable,
    Conflict,
    DataUnavailable,
    InvalidInput,
    NotFound,
    StoreUnavailable,
    SweepFailed,
)
from airflow_mltrack.lifecycle.sweeps import (
    SweepSpec,
    TrialPruned,
    ask,
    close_sweep,
    plan_sweep,
    report,
    run_trials,
    tell,
    trial_name,
)
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import Transaction
from airflow_mltrack.tracking.active_run import ActiveRun
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.sweep_worker import work, worker_identity
from tests.store.processes import at_once

SPACE = {"x": {"choices": [1, 2, 3, 4]}}
Reporter = Callable[[int, float], None]


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    """Give a client on a fresh database."""
    with TrackingClient(settings, pool_size=2) as client:
        yield client


def spec(**options: Any) -> SweepSpec:
    return SweepSpec.from_json({"space": SPACE, "sampler": {"name": "grid"}} | options)


def plan(client: TrackingClient, given: SweepSpec) -> str:
    parent = client.start_run("sweep")
    plan_sweep(client, parent, given)
    parent.end(RunStatus.FINISHED)
    return parent.run_id


def value_of_x(run: ActiveRun, trial: Trial, report: Reporter) -> float:
    run.log_params(trial.params)
    run.log_metric("auc", float(str(trial.params["x"])) / 10)
    return float(str(trial.params["x"])) / 10


def run_all(client: TrackingClient, sweep: str, objective: Any, **options: Any) -> list[Trial]:
    identity = options.pop("identity", worker_identity(0))
    options.setdefault("pause", lambda seconds: None)
    return run_trials(client, sweep, identity=identity, objective=objective, **options)


def trials(client: TrackingClient, sweep: str) -> list[Trial]:
    with client.store.transaction() as tx:
        return tx.sweeps.trials(sweep)


def test_a_grid_sweep_runs_from_plan_to_leaderboard(client: TrackingClient) -> None:
    sweep = plan(client, spec())
    done = run_all(client, sweep, value_of_x)
    result = close_sweep(client, sweep)
    assert [trial.number for trial in done] == [0, 1, 2, 3]
    assert (result.best.number, result.best.value) == (3, 0.4)
    assert [row.number for row in result.leaderboard] == [3, 2, 1, 0]
    assert [row.rank for row in result.leaderboard] == [1, 2, 3, 4]
    assert result.leaderboard[0].metrics == {"auc": 0.4}
    assert result.counts == {"COMPLETE": 4}
    parent = client.run(sweep)
    assert parent.metrics == {"best_auc": 0.4}
    assert parent.run.tags["mltrack.best_trial"] == "3"
    assert parent.run.tags["mltrack.best_run"] == result.best.run_id
    assert parent.run.tags["best.x"] == "4"
    assert parent.params["sweep.sampler"] == "grid"


def test_every_trial_is_a_finished_child_run_with_its_tags(client: TrackingClient) -> None:
    sweep = plan(client, spec())
    run_all(client, sweep, value_of_x)
    with client.store.transaction() as tx:
        children = tx.runs.children(sweep)
    assert [child.name for child in children] == ["000 x=1", "001 x=2", "002 x=3", "003 x=4"]
    assert {child.status for child in children} == {RunStatus.FINISHED}
    assert [child.tags["mltrack.trial"] for child in children] == ["0", "1", "2", "3"]
    assert {child.tags["mltrack.sweep"] for child in children} == {sweep}
    assert [trial.run_id for trial in trials(client, sweep)] == [one.run_id for one in children]


def test_the_lowest_value_wins_when_minimizing(client: TrackingClient) -> None:
    sweep = plan(client, spec(direction="minimize", metric="brier"))
    run_all(client, sweep, value_of_x)
    assert close_sweep(client, sweep).best.number == 0


def test_planning_again_keeps_trials_and_lets_failed_ones_run(client: TrackingClient) -> None:
    def second_fails(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        if trial.number == 1:
            raise RuntimeError("no luck")
        return 0.5

    sweep = plan(client, spec())
    run_all(client, sweep, second_fails)
    close_sweep(client, sweep)
    again = plan_sweep(client, sweep, spec())
    assert (again.pending, again.n_trials) == ((1,), 4)
    run_all(client, sweep, value_of_x, identity=worker_identity(0, 2))
    assert {trial.state for trial in trials(client, sweep)} == {TrialState.COMPLETE}
    assert [trial.value for trial in trials(client, sweep)] == [0.5, 0.2, 0.5, 0.5]


def test_a_sweep_cannot_be_planned_anew_as_another_one(client: TrackingClient) -> None:
    sweep = plan(client, spec())
    with pytest.raises(Conflict, match=r"another direction, metric.*new Dag run"):
        plan_sweep(client, sweep, spec(metric="brier", direction="minimize"))


def test_mapped_tasks_get_chunks_and_run_only_their_trials(client: TrackingClient) -> None:
    parent = client.start_run()
    found = plan_sweep(client, parent, spec(mode="mapped", trials_per_task=3))
    assert found.chunks() == [[0, 1, 2], [3]]
    assert found.to_json()["pending"] == [0, 1, 2, 3]
    done = run_all(client, parent.run_id, value_of_x, numbers=[3])
    assert [trial.number for trial in done] == [3]
    assert run_all(client, parent.run_id, value_of_x, numbers=[3]) == []
    parent.end(RunStatus.FINISHED)


def test_one_trials_error_fails_that_trial_and_the_sweep_goes_on(client: TrackingClient) -> None:
    def odd_ones_fail(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        if trial.number % 2:
            raise ValueError("Expected n_neighbors <= n_samples")
        return value_of_x(run, trial, report)

    sweep = plan(client, spec())
    run_all(client, sweep, odd_ones_fail)
    states = [trial.state.value for trial in trials(client, sweep)]
    assert states == ["COMPLETE", "FAILED", "COMPLETE", "FAILED"]
    with client.store.transaction() as tx:
        child = tx.runs.data(trials(client, sweep)[1].run_id or "")
    assert child.run.status is RunStatus.FAILED
    assert child.attempt.error == "ValueError: Expected n_neighbors <= n_samples"
    assert trials(client, sweep)[1].error == child.attempt.error
    with pytest.raises(SweepFailed, match=r"at least 3 trials.*2 COMPLETE.*2 FAILED") as info:
        close_sweep(client, sweep, min_success=3)
    assert info.value.errors == ("2 x ValueError: Expected n_neighbors <= n_samples",)
    assert close_sweep(client, sweep).best.number == 2


def test_a_sweep_without_a_complete_trial_says_what_went_wrong(client: TrackingClient) -> None:
    def nan(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        return float("nan")

    sweep = plan(client, spec())
    run_all(client, sweep, nan)
    with pytest.raises(SweepFailed, match="not a number"):
        close_sweep(client, sweep)
    with client.store.transaction() as tx:
        assert {child.status for child in tx.runs.children(sweep)} == {RunStatus.FAILED}
    with pytest.raises(InvalidInput, match="1 or more"):
        close_sweep(client, sweep, min_success=0)


@pytest.mark.parametrize(
    "away",
    [
        ArtifactUnavailable("key", "the bucket does not answer."),
        DataUnavailable("https://h/t.csv", "timed out."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_away_for_a_while_puts_the_trial_back_to_be_tried_again(
    client: TrackingClient, away: Exception
) -> None:
    pauses: list[float] = []

    def once_away(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        if trial.number == 0 and trial.attempts == 1:
            raise away
        return value_of_x(run, trial, report)

    sweep = plan(client, spec())
    run_all(client, sweep, once_away, pause=pauses.append)
    assert [trial.attempts for trial in trials(client, sweep)] == [2, 1, 1, 1]
    assert pauses == [2.0]
    with client.store.transaction() as tx:
        attempts = tx.runs.attempts(trials(client, sweep)[0].run_id or "")
    assert [attempt.status for attempt in attempts] == [RunStatus.FAILED, RunStatus.FINISHED]


def test_a_trial_that_never_ends_is_given_up_after_its_attempts(client: TrackingClient) -> None:
    def away(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        if trial.number == 0:
            raise ArtifactUnavailable("key", "the bucket does not answer.")
        return value_of_x(run, trial, report)

    sweep = plan(client, spec(max_trial_attempts=2))
    run_all(client, sweep, away)
    given_up = trials(client, sweep)[0]
    assert given_up.state is TrialState.FAILED
    assert "started 2 times" in (given_up.error or "")
    assert "bucket does not answer" in (given_up.error or "")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_worker_that_is_stopped_puts_its_trial_back(
    client: TrackingClient, stop: type[BaseException]
) -> None:
    def stopped(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        raise stop

    sweep = plan(client, spec())
    with pytest.raises(stop):
        run_all(client, sweep, stopped)
    assert trials(client, sweep)[0].state is TrialState.WAITING
    with client.store.transaction() as tx:
        (child,) = tx.runs.children(sweep)
    assert child.status is RunStatus.KILLED
    run_all(client, sweep, value_of_x, identity=worker_identity(0, 2))
    assert {trial.state for trial in trials(client, sweep)} == {TrialState.COMPLETE}
    with client.store.transaction() as tx:
        assert len(tx.runs.children(sweep)) == 4


def test_a_run_that_is_no_sweep_is_refused(client: TrackingClient) -> None:
    with client.start_run() as run, pytest.raises(NotFound, match="sweep"):
        run_all(client, run.run_id, value_of_x)


def test_four_processes_drain_two_hundred_trials_exactly_once(
    client: TrackingClient, settings: Settings
) -> None:
    space = {"x": {"type": "int", "low": 1, "high": 200}}
    sweep = plan(client, spec(space=space))
    done = at_once(work, [(settings, sweep, worker) for worker in range(4)])
    assert sorted(number for numbers in done for number in numbers) == list(range(200))
    assert {trial.attempts for trial in trials(client, sweep)} == {1}
    result = close_sweep(client, sweep)
    assert (result.counts, result.best.number) == ({"COMPLETE": 200}, 199)
    with client.store.transaction() as tx:
        children = tx.runs.children(sweep)
    assert len(children) == 200
    assert {child.status for child in children} == {RunStatus.FINISHED}


def test_a_killed_workers_trial_is_run_by_its_next_try_and_counted_once(
    client: TrackingClient, settings: Settings, tmp_path: Path
) -> None:
    sweep = plan(client, spec())
    number = kill_in_mid_trial(settings, sweep, tmp_path / "started")
    other = run_all(client, sweep, value_of_x, identity=worker_identity(1))
    assert [trial.number for trial in other] == [one for one in range(4) if one != number]
    retried = run_all(client, sweep, value_of_x, identity=worker_identity(0, 2))
    assert [(trial.number, trial.attempts) for trial in retried] == [(number, 2)]
    assert close_sweep(client, sweep).counts == {"COMPLETE": 4}
    with client.store.transaction() as tx:
        children = tx.runs.children(sweep)
        attempts = tx.runs.attempts(trials(client, sweep)[number].run_id or "")
    assert len(children) == 4
    assert [attempt.status for attempt in attempts] == [RunStatus.KILLED, RunStatus.FINISHED]


def test_a_silent_workers_trial_is_taken_over_by_others(
    client: TrackingClient, settings: Settings, tmp_path: Path
) -> None:
    sweep = plan(client, spec())
    kill_in_mid_trial(settings, sweep, tmp_path / "started")
    time.sleep(0.6)
    run_all(
        client,
        sweep,
        value_of_x,
        identity=worker_identity(1),
        silent_for=timedelta(seconds=0.5),
    )
    assert {trial.state for trial in trials(client, sweep)} == {TrialState.COMPLETE}


def kill_in_mid_trial(settings: Settings, sweep: str, started: Path) -> int:
    """Start a worker that hangs in its first trial, kill it, and return the trial's number."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=work, args=(settings, sweep, 0, 1, str(started)))
    process.start()
    deadline = time.monotonic() + 30
    while not (started.exists() and started.read_text().count(" ")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return int(started.read_text().split()[1])


def test_bad_trials_are_pruned_and_good_ones_are_not(client: TrackingClient) -> None:
    def curve(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        quality = float(str(trial.params["x"]))
        for step in range(1, 6):
            run.log_metric("auc", quality * step, step=step)
            report(step, quality * step)
        return quality * 5

    # The best half comes first, so that the median is high when the bad ones report.
    space = {"x": {"choices": [8, 7, 6, 5, 1, 2, 3, 4]}}
    pruner = {"name": "median", "n_startup_trials": 3, "n_warmup_steps": 2}
    sweep = plan(client, spec(space=space, pruner=pruner))
    run_all(client, sweep, curve)
    found = trials(client, sweep)
    assert [trial.state.value for trial in found[:3]] == ["COMPLETE"] * 3
    pruned = [trial for trial in found if trial.state is TrialState.PRUNED]
    assert {int(str(trial.params["x"])) for trial in pruned} >= {1, 2, 3, 4}
    assert {trial.value for trial in pruned if trial.params["x"] == 1} == {2.0}
    data = client.run(pruned[0].run_id or "")
    assert data.run.status is RunStatus.FINISHED
    assert data.run.tags["mltrack.pruned"] == "true"
    assert close_sweep(client, sweep).best.params == {"x": 8}


def test_pruned_trials_count_as_ended_well_but_one_must_be_complete(
    client: TrackingClient,
) -> None:
    def pruned_but_for(number: int) -> Any:
        def objective(run: ActiveRun, trial: Trial, report: Reporter) -> float:
            if trial.number != number:
                raise TrialPruned
            return 0.5

        return objective

    sweep = plan(client, spec(pruner={"name": "median"}))
    run_all(client, sweep, pruned_but_for(2))
    result = close_sweep(client, sweep, min_success=4)
    assert (result.best.number, result.counts) == (2, {"COMPLETE": 1, "PRUNED": 3})
    hopeless = plan(client, spec(pruner={"name": "median"}))
    run_all(client, hopeless, pruned_but_for(-1))
    with pytest.raises(SweepFailed, match=r"one of them COMPLETE; they ended as: 4 PRUNED"):
        close_sweep(client, hopeless)


def test_ask_report_and_tell_work_without_the_loop(client: TrackingClient) -> None:
    sweep = plan(client, spec(pruner={"name": "threshold", "lower": 0.5}))
    identity = worker_identity(0)
    first = ask(client, sweep, identity)
    assert first is not None
    assert not report(client, first, 0, 0.9)
    assert report(client, first, 1, 0.1)
    assert tell(client, first, state=TrialState.PRUNED, value=0.1)
    second = ask(client, sweep, identity, number=2)
    assert second is not None
    assert second.number == 2
    assert tell(client, second, value=0.7)
    assert tell(client, second, value=0.7)
    assert not tell(client, second, state=TrialState.FAILED, error="late")
    assert ask(client, sweep, identity, number=2) is None


def test_the_same_worker_runs_failed_trials_again_after_another_planning(
    client: TrackingClient,
) -> None:
    def fail(run: ActiveRun, trial: Trial, report: Reporter) -> float:
        raise ValueError("first time")

    sweep = plan(client, spec())
    ended = run_all(client, sweep, fail, numbers=[0])
    plan_sweep(client, sweep, spec())
    again = run_all(client, sweep, value_of_x, numbers=[0])
    assert [one.state for one in ended + again] == [TrialState.FAILED, TrialState.COMPLETE]
    with client.store.transaction() as tx:
        assert len(tx.runs.attempts(str(again[0].run_id))) == 2


@pytest.mark.parametrize(
    ("number", "params", "name"),
    [
        (17, {"classifier": "lightgbm", "resampler": "smote"}, "017 lightgbm + smote"),
        (3, {"resampler": "none", "classifier": "sklearn.svm.SVC"}, "003 SVC"),
        (1234, {"rate": 0.123456, "depth": 3, "flag": None}, "1234 rate=0.1235 depth=3 flag=None"),
        (0, {}, "000"),
    ],
)
def test_a_child_is_named_after_what_it_tries(
    number: int, params: dict[str, object], name: str
) -> None:
    assert trial_name(number, params) == name


def test_a_closed_sweep_says_so_and_what_to_clear(
    client: TrackingClient, caplog: pytest.LogCaptureFixture
) -> None:
    sweep = plan(client, spec())
    run_all(client, sweep, value_of_x)
    assert "closed" not in caplog.text
    close_sweep(client, sweep)
    assert run_all(client, sweep, value_of_x, numbers=[1]) == []
    assert f"Sweep {sweep} is closed" in caplog.text
    assert "clear the task that planned it" in caplog.text


def test_a_database_that_is_away_at_any_step_of_a_trial_is_waited_for(
    client: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = plan(client, spec())
    transaction = client.store.transaction
    calls: list[None] = []

    @contextmanager
    def every_second_is_lost() -> Iterator[Transaction]:
        calls.append(None)
        with transaction() as tx:
            yield tx
        if len(calls) % 2:
            raise StoreUnavailable("here", "the answer was lost.")

    monkeypatch.setattr("airflow_mltrack.tracking.client.time.sleep", lambda seconds: None)
    monkeypatch.setattr(client.store, "transaction", every_second_is_lost)
    done = run_all(client, sweep, lambda run, trial, report: 0.5, numbers=[2])
    monkeypatch.undo()
    assert [(trial.number, trial.state) for trial in done] == [(2, TrialState.COMPLETE)]
    with client.store.transaction() as tx:
        assert len(tx.runs.children(sweep)) == 1
