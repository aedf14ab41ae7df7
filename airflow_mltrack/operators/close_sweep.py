"""End a sweep with its best trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, SweepFailed
from airflow_mltrack.operators.leaderboard import leaderboard_lines
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.sweeps import SweepResult
    from airflow_mltrack.tracking.client import TrackingClient


class CloseSweepOperator(MltrackOperator):
    """Close a sweep, print its leaderboard, end its parent run, and hand on the best trial.

    Runs when every task before it has ended, however that was: also a sweep of which nothing is
    left must be closed. Pushes ``run_id``, ``best_trial``, ``best_run_id``, ``best_value``,
    ``hyperparameters`` and ``threshold`` (both for
    :class:`~airflow_mltrack.operators.train.TrainModelOperator`), ``metrics`` (of the best trial's
    run, on validation rows) and ``counts`` (trials by state) to XCom, each also under its own key.

    :param sweep_run_id: the sweep's parent run (templated).
    :param min_success_ratio: share of the trials that must have ended as complete or pruned, above
        0 and at most 1 (templated); at least one must be complete.
    :param leaderboard_rows: lines to print.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = ("sweep_run_id", "min_success_ratio", "mltrack_conn_id")

    def __init__(
        self,
        *,
        sweep_run_id: str,
        min_success_ratio: float | str = 0.5,
        leaderboard_rows: int = 15,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trigger_rule", TriggerRule.ALL_DONE)
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.sweep_run_id = sweep_run_id
        self.min_success_ratio = min_success_ratio
        self.leaderboard_rows = leaderboard_rows

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Close and return the best trial."""
        from airflow_mltrack.lifecycle.sweeps import close_sweep

        if not self.sweep_run_id:
            raise _nothing_planned(context)
        client = hook.client
        wanted = _min_success(client, self.sweep_run_id, _ratio(self.min_success_ratio))
        try:
            result = close_sweep(client, self.sweep_run_id, min_success=wanted)
        except SweepFailed as error:
            self._end(client, RunStatus.FAILED, str(error))
            raise
        self._end(client, RunStatus.FINISHED, None)
        self._report(result)
        return _outcome(result)

    def _end(self, client: TrackingClient, status: RunStatus, error: str | None) -> None:
        """End the parent run, which the planning task has left open."""
        with client.store.transaction() as tx:
            run = tx.runs.get(self.sweep_run_id)
            try:
                tx.runs.set_status(run.attempt_id, status, error=error)
            except Conflict:  # this task ran before, and the sweep was not planned again since
                self.log.warning("The parent run stays %s.", run.status.value)

    def _report(self, result: SweepResult) -> None:
        self.log.info("::group::Leaderboard (validation rows)")
        for line in leaderboard_lines(result, self.leaderboard_rows):
            self.log.info("%s", line)
        self.log.info("::endgroup::")
        counted = ", ".join(f"{number} {state}" for state, number in result.counts.items())
        self.log.info(
            "Best is trial %d with %s %.4f; of all trials: %s.",
            result.best.number,
            result.metric,
            result.best.value or math.nan,
            counted,
        )


def _nothing_planned(context: Context) -> Exception:
    """Skip where planning was skipped; a sweep that could not be planned must not end in green."""
    ti = context["ti"]
    planning = list(context["task"].upstream_task_ids)
    states = ti.get_task_states(ti.dag_id, task_ids=planning, run_ids=[ti.run_id])
    if set(map(str, states.get(ti.run_id, {}).values())) <= {"skipped"}:
        return AirflowSkipException("Planning was skipped, so there is nothing to close.")
    return AirflowFailException("The sweep was not planned: look at the planning task's log.")


def _ratio(value: float | str) -> float:
    try:
        ratio = float(value)
    except ValueError:
        ratio = math.nan
    if not 0 < ratio <= 1:
        raise InvalidInput("min_success_ratio", value, "it lies above 0 and is at most 1.")
    return ratio


def _min_success(client: TrackingClient, sweep_run_id: str, ratio: float) -> int:
    with client.store.transaction() as tx:
        n_trials = tx.sweeps.get(sweep_run_id).n_trials
    return max(1, math.ceil(ratio * n_trials))


def _outcome(result: SweepResult) -> dict[str, object]:
    first = result.leaderboard[0]
    return {
        "run_id": result.run_id,
        "best_trial": result.best.number,
        "best_run_id": result.best.run_id,
        "best_value": result.best.value,
        "hyperparameters": result.best.params,
        "threshold": first.metrics.get("threshold"),
        "metrics": first.metrics,
        "counts": result.counts,
    }
