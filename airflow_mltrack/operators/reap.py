"""Close runs whose task died without saying so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.entities.runs import Attempt, Run
    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.store.tracking_store import Transaction

_OVER = ("success", "failed", "skipped", "upstream_failed", "removed")


class ReapRunsOperator(MltrackOperator):
    """Close attempts that have been silent for long and whose task Airflow knows to be over.

    The listener closes runs of tasks that Airflow sees ending; this finds what it missed (a
    scheduler that was down, a run started outside Airflow by a process that died). Trials of a
    sweep that are given back are run again. Put it into a small Dag of its own, every few minutes.
    Pushes ``closed``, the list of run ids, to XCom.

    :param silent_for: seconds without a sign of life before an attempt is looked at (templated).
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = ("silent_for", "mltrack_conn_id")

    def __init__(
        self,
        *,
        silent_for: float | str = 300,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.silent_for = silent_for

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Reap and return the runs that were closed."""
        from airflow_mltrack.lifecycle.reaping import reap

        closed = reap(
            hook.client,
            silent_for=_seconds(self.silent_for),
            is_alive=_airflow_knows(hook, context),
        )
        for attempt in closed:
            self.log.info("Closed %s attempt %d: %s", attempt.run_id, attempt.number, attempt.error)
        self.log.info("%d attempts closed.", len(closed))
        return {"closed": [attempt.run_id for attempt in closed]}


def _seconds(value: float | str) -> timedelta:
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError) as error:
        raise InvalidInput("silent_for", value, "it is a number of seconds.") from error


def _airflow_knows(hook: MltrackHook, context: Context) -> Callable[[Attempt], bool | None]:
    """Make the question "is the task of this attempt alive?", answered by Airflow."""
    ti = context["ti"]

    def is_alive(attempt: Attempt) -> bool | None:
        with hook.client.store.transaction() as tx:
            run = tx.runs.get(attempt.run_id)
            is_sweep = _is_sweep(tx, run)
        if run.dag_id is None or run.dag_run_id is None or run.task_id is None:
            return None
        return _task_is_alive(ti, run, is_sweep=is_sweep)

    return is_alive


def _task_is_alive(ti: Any, run: Run, *, is_sweep: bool) -> bool | None:
    """Ask Airflow about the task. A sweep outlives the task that planned it, not the Dag run."""
    states = ti.get_task_states(run.dag_id, task_ids=[run.task_id], run_ids=[run.dag_run_id])
    found = states.get(run.dag_run_id) or {}
    state = found.get(run.task_id if run.map_index < 0 else f"{run.task_id}_{run.map_index}")
    if state is None:
        return None
    if is_sweep:
        return str(ti.get_dagrun_state(run.dag_id, run.dag_run_id)) in ("queued", "running")
    return str(state) not in _OVER


def _is_sweep(tx: Transaction, run: Run) -> bool:
    try:
        tx.sweeps.get(run.run_id)
    except NotFound:
        return False
    return True
