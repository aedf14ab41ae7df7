from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from sqlalchemy import text

from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.reap import ReapRunsOperator
from tests.hooks.conftest import make_context

SILENCE = timedelta(hours=1)


def _open_and_silent(
    hook: MltrackHook, task_id: str, map_index: int = -1, sweep: bool = False
) -> str:
    with hook.client.store.transaction() as tx:
        experiment = tx.experiments.ensure("credit")
        run, _ = tx.runs.open(
            experiment_id=experiment.experiment_id,
            identity=task_identity(
                ti_id=f"{task_id}{map_index}",
                dag_id="credit",
                dag_run_id="r1",
                task_id=task_id,
                map_index=map_index,
            ),
        )
        if sweep:
            tx.sweeps.create(run.run_id, spec={}, metric="auc", direction="maximize", n_trials=1)
        tx.connection.execute(
            text("UPDATE attempts SET heartbeat_at = heartbeat_at - CAST(:silence AS interval)"),
            {"silence": SILENCE},
        )
    return run.run_id


def _reap(states: dict[str, str], dag_run_state: str = "running", **arguments: Any) -> list[str]:
    context = make_context(
        get_task_states=lambda dag_id, task_ids, run_ids: {run_ids[0]: states},
        get_dagrun_state=lambda dag_id, run_id: dag_run_state,
    )
    operator = ReapRunsOperator(task_id="reap", **arguments)
    closed: list[str] = operator.execute(context)["closed"]  # type: ignore[arg-type]
    return closed


def test_only_what_airflow_knows_to_be_over_is_closed(hook: MltrackHook) -> None:
    over, alive = _open_and_silent(hook, "over"), _open_and_silent(hook, "alive")
    mapped = _open_and_silent(hook, "mapped", 3)
    found = _reap({"over": "failed", "alive": "running", "mapped_3": "success"})
    assert sorted(found) == sorted([over, mapped])
    with hook.client.store.transaction() as tx:
        assert not tx.runs.get(alive).status.is_terminal


def test_a_sweep_lives_as_long_as_its_dag_run(hook: MltrackHook) -> None:
    sweep = _open_and_silent(hook, "plan", sweep=True)
    assert _reap({"plan": "success"}) == []
    assert _reap({"plan": "success"}, dag_run_state="failed") == [sweep]


def test_a_run_that_airflow_has_forgotten_is_closed(hook: MltrackHook) -> None:
    forgotten = _open_and_silent(hook, "gone")
    assert _reap({}) == [forgotten]


def test_what_spoke_lately_is_left_alone(hook: MltrackHook) -> None:
    _open_and_silent(hook, "over")
    assert _reap({"over": "failed"}, silent_for="7200") == []


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("silent_for", ["soon", "-1", "nan"])
def test_a_silence_that_is_no_number_is_refused(silent_for: str) -> None:
    with pytest.raises(AirflowFailException, match="silent_for"):
        _reap({}, silent_for=silent_for)
