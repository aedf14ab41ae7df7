"""Samplers and pruners: what they choose, and that workers share what they know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.entities.sweeps import Trial, TrialState
from airflow_mltrack.exceptions import InvalidInput, MltrackError
from airflow_mltrack.lifecycle import trial_work
from airflow_mltrack.lifecycle.samplers import Study
from airflow_mltrack.lifecycle.sweeps import SweepSpec, ask, plan_sweep, report, run_trials, tell
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.sweep_worker import worker_identity

if TYPE_CHECKING:
    from airflow_mltrack.tracking.active_run import ActiveRun

SPACE = {
    "classifier": {"choices": ["lightgbm", "logistic_regression"]},
    "resampler": ["none", "smote"],
    "x": {"type": "float", "low": -10.0, "high": 10.0},
}
TPE = {"name": "tpe", "seed": 7, "n_startup_trials": 5}


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    """Give a client on a fresh database."""
    with TrackingClient(settings, pool_size=2) as client:
        yield client


@pytest.fixture(autouse=True)
def forget_studies() -> None:
    trial_work._study.cache_clear()


def sweep_of(client: TrackingClient, **options: Any) -> str:
    parent = client.start_run("sweep")
    plan_sweep(client, parent, SweepSpec(**({"space": SPACE} | options)))
    parent.end(RunStatus.FINISHED)
    return parent.run_id


def take(client: TrackingClient, sweep: str, worker: int = 0) -> Trial:
    trial = ask(client, sweep, worker_identity(worker))
    assert trial is not None
    return trial


def trials(client: TrackingClient, sweep: str) -> list[Trial]:
    with client.store.transaction() as tx:
        return tx.sweeps.trials(sweep, include_reports=True)


def x_of(trial: Trial) -> float:
    return float(str(trial.params["x"]))


def parabola(run: ActiveRun, trial: Trial, report: Callable[[int, float], None]) -> float:
    return -((x_of(trial) - 3) ** 2)


def test_grid_and_random_are_the_same_for_the_same_seed() -> None:
    grid_space = {"a": [1, 2, 3], "b": ["x", "y"]}
    whole = SweepSpec(space=grid_space, sampler={"name": "grid"}).planned()
    assert len(whole) == 6
    for name, space in (("grid", grid_space), ("random", SPACE)):
        first, again, other = (
            SweepSpec(space=space, sampler={"name": name, "seed": seed}, n_trials=4).planned()
            for seed in (1, 1, 3)
        )
        assert first == again
        assert first != other
        assert len(first) == 4
    part = SweepSpec(space=grid_space, sampler={"name": "grid", "seed": 1}, n_trials=4).planned()
    assert [point for point in whole if point in part] == part


def test_optuna_trials_wait_undecided_until_they_are_taken(client: TrackingClient) -> None:
    sweep = sweep_of(client, sampler=TPE, n_trials=3)
    assert [trial.params for trial in trials(client, sweep)] == [{}, {}, {}]
    first = take(client, sweep)
    assert set(first.params) == {"classifier", "resampler", "x"}
    assert [bool(trial.params) for trial in trials(client, sweep)] == [True, False, False]


def test_tpe_learns_from_the_rows_and_beats_chance(client: TrackingClient) -> None:
    sweep = sweep_of(client, sampler=TPE, n_trials=40)
    run_trials(client, sweep, identity=worker_identity(0), objective=parabola)
    xs = [x_of(trial) for trial in trials(client, sweep)]
    late = sum(abs(x - 3) < 2 for x in xs[20:])
    early = sum(abs(x - 3) < 2 for x in xs[:5])
    assert late >= 8  # by chance 4 of 20
    assert early <= 3


def test_a_worker_in_another_process_knows_what_the_rows_know(client: TrackingClient) -> None:
    one, two = (sweep_of(client, sampler=TPE, n_trials=20) for _ in range(2))
    for sweep, forgetful in ((one, False), (two, True)):
        for _ in range(20):
            if forgetful:
                trial_work._study.cache_clear()  # as a process that starts now
            trial = take(client, sweep)
            tell(client, trial, value=parabola(None, trial, print))  # type: ignore[arg-type]
    assert [trial.params for trial in trials(client, one)] == [
        trial.params for trial in trials(client, two)
    ]


def test_workers_that_ask_at_the_same_time_get_different_points(client: TrackingClient) -> None:
    sweep = sweep_of(client, sampler=TPE, n_trials=30)
    for _ in range(10):
        trial = take(client, sweep)
        tell(client, trial, value=parabola(None, trial, print))  # type: ignore[arg-type]
    running = [take(client, sweep, worker) for worker in range(1, 9)]
    assert len({round(x_of(trial), 6) for trial in running}) == 8


def test_a_lost_trial_keeps_the_point_that_was_chosen(client: TrackingClient) -> None:
    sweep = sweep_of(client, sampler=TPE, n_trials=2)
    first = take(client, sweep)
    again = take(client, sweep)
    assert (again.number, again.params, again.attempts) == (first.number, first.params, 2)


def test_conditional_params_are_decided_only_where_they_count(client: TrackingClient) -> None:
    space = SPACE | {"lightgbm.num_leaves": {"type": "int", "low": 4, "high": 64}}
    sweep = sweep_of(client, space=space, sampler=TPE, n_trials=12)
    for _ in range(12):
        trial = take(client, sweep)
        assert ("lightgbm.num_leaves" in trial.params) == (trial.params["classifier"] == "lightgbm")
        tell(client, trial, value=1.0)


@pytest.mark.parametrize("name", ["hyperband", "successive_halving"])
def test_rungs_are_shared_between_workers(client: TrackingClient, name: str) -> None:
    options = {"min_resource": 1, "reduction_factor": 2}
    if name == "hyperband":
        options["max_resource"] = 4
    sampler = {"name": "random", "seed": 1}
    sweep = sweep_of(client, sampler=sampler, n_trials=12, pruner={"name": name} | options)
    pruned = []
    for number in range(12):
        trial_work._study.cache_clear()  # every trial by another process
        trial = take(client, sweep, number)
        quality = 1.0 - number / 12  # each is worse than the ones before
        stopped = any(report(client, trial, step, quality * step) for step in range(1, 5))
        tell(
            client,
            trial,
            state=TrialState.PRUNED if stopped else TrialState.COMPLETE,
            value=quality,
        )
        pruned.append(stopped)
    assert not pruned[0]
    assert sum(pruned) >= 4
    assert any(key.startswith("completed_rung_") for key in trials(client, sweep)[0].notes)


def test_a_new_start_of_a_trial_has_reached_no_rung(client: TrackingClient) -> None:
    pruner = {"name": "successive_halving", "min_resource": 1}
    sweep = sweep_of(client, sampler={"name": "random"}, n_trials=2, pruner=pruner)
    first = take(client, sweep)
    report(client, first, 1, 0.5)
    assert trials(client, sweep)[0].notes
    again = take(client, sweep)
    assert (again.number, again.notes) == (first.number, {})
    assert trials(client, sweep)[0].notes == {}
    report(client, again, 1, 0.6)
    assert trials(client, sweep)[0].notes["completed_rung_0"] == 0.6


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"sampler": {"name": "tpee"}}, "Did you mean tpe"),
        ({"sampler": {"seed": 1}}, "one of grid, random"),
        ({"sampler": "tpe"}, "one of grid, random"),
        ({"sampler": {"name": "random", "seed": -1}}, "whole number"),
        ({"sampler": {"name": "random", "seed": True}}, "whole number"),
        ({"sampler": {"name": "random", "n_startup_trials": 1}}, "known are name, seed"),
        ({"sampler": {"name": "random"}, "n_trials": None}, "needs it"),
        ({"sampler": {"name": "tpe"}, "n_trials": None}, "needs it"),
        ({"pruner": {"name": "no"}}, "known are median"),
        ({"n_trials": 0}, "from 1"),
        ({"n_trials": "5"}, "whole number"),
        ({"trials_per_task": 0}, "from 1"),
        ({"max_trial_attempts": 1.5}, "whole number"),
        ({"mode": "parallel"}, "mapped or workers"),
        ({"direction": "up"}, "maximize or minimize"),
        ({"metric": ""}, "name of a metric"),
        ({"space": {}}, "at least one param"),
        ({"training": {"x": float("nan")}}, "plain JSON"),
        ({"training": {"x": object()}}, "plain JSON"),
    ],
)
def test_a_bad_spec_is_refused_with_its_rule(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        SweepSpec.from_json({"space": SPACE, "n_trials": 5} | options)


def test_a_spec_survives_json_and_refuses_unknown_keys() -> None:
    spec = SweepSpec(space=SPACE, n_trials=5, sampler=TPE, training={"metric": "auc"})
    assert SweepSpec.from_json(spec.to_json()) == spec
    with pytest.raises(InvalidInput, match=r"known are space.*Did you mean n_trials"):
        SweepSpec.from_json({"space": SPACE, "n_trial": 5})
    with pytest.raises(InvalidInput, match="space is missing"):
        SweepSpec.from_json({"n_trials": 5})
    with pytest.raises(InvalidInput, match="mapping"):
        SweepSpec.from_json([1])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": {"name": "tpe", "n_startup": 3}},
        {"sampler": {"name": "tpe", "gamma": "x", "multivariate": 1, "group": True}},
        {"pruner": {"name": "median", "warmup": 3}},
        {"pruner": {"name": "median", "n_startup_trials": -3}},
    ],
)
def test_wrong_options_of_optuna_are_refused_when_planning(
    client: TrackingClient, options: dict[str, Any]
) -> None:
    if "gamma" in options.get("sampler", {}):
        options = {"sampler": {"name": "tpe", "group": True, "multivariate": False}}
    with client.start_run() as run, pytest.raises(InvalidInput, match="option"):
        plan_sweep(client, run, SweepSpec.from_json({"space": SPACE, "n_trials": 5} | options))


def test_a_missing_optuna_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    spec = SweepSpec(space=SPACE, n_trials=5, sampler=TPE)
    with pytest.raises(MltrackError, match=r"pip install 'airflow-mltrack\[optuna\]'"):
        Study("s", spec.to_json())


def test_a_sampler_whose_library_is_missing_says_so(
    client: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cmaes", None)
    spec = SweepSpec(space=SPACE, n_trials=5, sampler={"name": "cmaes"})
    with client.start_run() as run, pytest.raises(MltrackError, match="cmaes"):
        plan_sweep(client, run, spec)
