from __future__ import annotations

import multiprocessing
import os
import signal
import time
import uuid
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.entities.sweeps import TrialState
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.close_sweep import CloseSweepOperator
from airflow_mltrack.operators.plan_sweep import PlanSweepOperator
from airflow_mltrack.operators.run_trials import RunTrialsOperator
from airflow_mltrack.operators.sweep import SweepTaskGroup, sweep
from tests.hooks.conftest import make_context
from tests.operators.conftest import DATASET, SPACE


def _plan(**arguments: Any) -> tuple[list[dict[str, Any]], str]:
    operator = PlanSweepOperator(
        task_id="plan",
        **{"dataset": DATASET, "space": SPACE, "sampler": {"name": "grid"}, **arguments},
    )
    context = make_context(task_id="plan")
    tasks = operator.execute(context)  # type: ignore[arg-type]
    return tasks, context["ti"].pushed["run_id"]


def _work(sweep_run_id: str, **ti_fields: Any) -> dict[str, int]:
    operator = RunTrialsOperator(task_id="trials", sweep_run_id=sweep_run_id)
    context = make_context(**{"task_id": "trials", "map_index": 0, **ti_fields})
    found: dict[str, int] = operator.execute(context)  # type: ignore[arg-type]
    return found


def _states(hook: MltrackHook, sweep_run_id: str) -> list[TrialState]:
    with hook.client.store.transaction() as tx:
        return [trial.state for trial in tx.sweeps.trials(sweep_run_id)]


def test_a_sweep_is_planned_run_and_closed_with_its_best_trial(hook: MltrackHook) -> None:
    tasks, run_id = _plan(workers=3)
    assert [task["trial_label"] for task in tasks] == ["worker 1", "worker 2", "worker 3"]
    assert _work(run_id) == {"COMPLETE": 4}
    close = CloseSweepOperator(task_id="close", sweep_run_id=run_id)
    best = close.execute(make_context())  # type: ignore[arg-type]
    assert best["counts"] == {"COMPLETE": 4}
    assert set(best["hyperparameters"]) == {"classifier", "resampler"}
    assert 0 < best["threshold"] < 1
    with hook.client.store.transaction() as tx:
        parent = tx.runs.get(run_id)
        values = [trial.value or 0 for trial in tx.sweeps.trials(run_id)]
    assert best["best_value"] == max(values)
    assert (parent.status, parent.task_id) == (RunStatus.FINISHED, "plan")


@pytest.mark.usefixtures("hook")
def test_mapped_tasks_are_named_after_their_trials() -> None:
    tasks, _ = _plan(mode="mapped", trials_per_task=3)
    assert [task["numbers"] for task in tasks] == [[0, 1, 2], [3]]
    assert tasks[1]["trial_label"] == "003 decision_tree + random_over"
    assert str(tasks[0]["trial_label"]).endswith("and 2 more")


@pytest.mark.usefixtures("hook")
def test_more_tasks_than_airflow_maps_are_refused_with_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    with pytest.raises(AirflowFailException, match="trials_per_task"):
        _plan(mode="mapped")


@pytest.mark.usefixtures("hook")
def test_a_plan_that_fails_ends_its_run() -> None:
    with pytest.raises(AirflowFailException, match="no_such_sampler"):
        _plan(sampler={"name": "no_such_sampler"})


@pytest.mark.usefixtures("hook")
def test_a_pruner_without_folds_to_prune_between_is_refused_while_planning() -> None:
    with pytest.raises(AirflowFailException, match=r"'median'.*only one.*\"cv\""):
        _plan(pruner={"name": "median"}, split={"validation": "holdout"})
    tasks, _ = _plan(pruner={"name": "median"}, split={"validation": "cv", "folds": 2})
    assert tasks


def test_a_sweep_in_which_most_trials_were_pruned_ends_well(hook: MltrackHook) -> None:
    _, run_id = _plan(
        pruner={"name": "threshold", "upper": 0.0, "n_warmup_steps": 0},
        split={"validation": "cv", "folds": 2},
        workers=1,
    )
    with hook.client.store.transaction() as tx:
        first = tx.sweeps.claim(run_id, claimed_by="a", worker="a")
        assert first is not None
        tx.sweeps.finish(run_id, first.number, state=TrialState.COMPLETE, value=0.7, claimed_by="a")
    assert _work(run_id) == {"PRUNED": 3}
    close = CloseSweepOperator(task_id="close", sweep_run_id=run_id)
    best = close.execute(make_context())  # type: ignore[arg-type]
    assert best["counts"] == {"COMPLETE": 1, "PRUNED": 3}


def test_too_few_complete_trials_fail_the_sweep_and_say_why(hook: MltrackHook) -> None:
    _, run_id = _plan(space={"classifier": {"choices": ["os.system", "decision_tree"]}}, workers=1)
    assert _work(run_id) == {"COMPLETE": 1, "FAILED": 1}
    close = CloseSweepOperator(task_id="close", sweep_run_id=run_id, min_success_ratio=1.0)
    with pytest.raises(AirflowFailException, match=r"os\.system"):
        close.execute(make_context())  # type: ignore[arg-type]
    with hook.client.store.transaction() as tx:
        assert tx.runs.get(run_id).status is RunStatus.FAILED


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize(
    ("states", "error"),
    [
        ({"sweep.plan": "skipped", "sweep.trials_0": "skipped"}, AirflowSkipException),
        ({"sweep.plan": "failed", "sweep.trials": "upstream_failed"}, AirflowFailException),
    ],
)
def test_closing_what_was_not_planned_skips_or_fails_as_planning_did(
    states: dict[str, str], error: type[Exception]
) -> None:
    context = make_context(get_task_states=lambda *_, **__: {"manual__1": states})
    context["task"].upstream_task_ids = {"sweep.plan", "sweep.trials"}
    with pytest.raises(error):
        CloseSweepOperator(task_id="close", sweep_run_id="").execute(context)  # type: ignore[arg-type]


def _work_slowly(sweep_run_id: str, ti_id: uuid.UUID, started: Any) -> None:
    """Take a trial and never come to its end."""
    from airflow_mltrack.lifecycle import training

    def hang(*_: object, **__: object) -> float:
        started.set()
        time.sleep(600)
        return 0.0

    training.run_trial = hang
    _work(sweep_run_id, id=ti_id)


def test_a_worker_killed_in_mid_trial_is_taken_up_by_its_retry_and_counted_once(
    hook: MltrackHook,
) -> None:
    _, run_id = _plan(workers=1)
    processes = multiprocessing.get_context("spawn")
    started = processes.Event()
    worker = processes.Process(target=_work_slowly, args=(run_id, uuid.uuid4(), started))
    worker.start()
    assert started.wait(60)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    assert _states(hook, run_id).count(TrialState.RUNNING) == 1

    assert _work(run_id, try_number=2) == {"COMPLETE": 4}

    assert _states(hook, run_id) == [TrialState.COMPLETE] * 4
    with hook.client.store.transaction() as tx:
        children = tx.runs.children(run_id)
        attempts = [item for child in children for item in tx.runs.attempts(child.run_id)]
    assert len(children) == 4
    assert sorted(item.status.value for item in attempts) == ["FINISHED"] * 4 + ["KILLED"]


def test_the_group_wires_plan_trials_and_close() -> None:
    with DAG("d", schedule=None) as dag:
        group = sweep("search", dataset=DATASET, space=SPACE, trial_args={"pool": "ml"})
    assert isinstance(group, SweepTaskGroup)
    assert set(dag.task_ids) == {"search.plan", "search.trials", "search.close"}
    trials, close = dag.get_task("search.trials"), dag.get_task("search.close")
    assert (trials.pool, trials.retries) == ("ml", 2)
    assert close.trigger_rule is TriggerRule.ALL_DONE
    assert close.upstream_task_ids == {"search.plan", "search.trials"}
    assert group.best.operator is close  # type: ignore[attr-defined]
