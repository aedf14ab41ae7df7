"""A sweep as a task group: plan, run the trials on as many workers as there are, close."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import TaskGroup

from airflow_mltrack.operators.close_sweep import CloseSweepOperator
from airflow_mltrack.operators.plan_sweep import DEFAULT_WORKERS, PlanSweepOperator
from airflow_mltrack.operators.run_trials import RunTrialsOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, XComArg

PLAN, TRIALS, CLOSE = "plan", "trials", "close"
TRIAL_RETRIES = 2
TRIAL_RETRY_DELAY = timedelta(seconds=10)


class SweepTaskGroup(TaskGroup):
    """The task group that :func:`sweep` makes."""

    @property
    def best(self) -> XComArg:
        """The best trial as ``close`` hands it on, for example ``best["hyperparameters"]``."""
        close_id: str = self.child_id(CLOSE)  # type: ignore[no-untyped-call]
        return cast("BaseOperator", self.children[close_id]).output


def sweep(
    group_id: str = "sweep",
    *,
    dataset: Mapping[str, object] | str | XComArg,
    space: Mapping[str, object] | str,
    sampler: Mapping[str, object] | str | None = None,
    pruner: Mapping[str, object] | str | None = None,
    n_trials: int | str | None = None,
    mode: str = "workers",
    workers: int | str = DEFAULT_WORKERS,
    trials_per_task: int | str = 1,
    recipe: Mapping[str, object] | str | None = None,
    split: Mapping[str, object] | str | None = None,
    metric: str = "auc",
    seed: int | str | None = None,
    options: Mapping[str, object] | str | None = None,
    min_success_ratio: float | str = 0.5,
    experiment: str | None = None,
    run_name: str | None = None,
    run_tags: Mapping[str, str] | None = None,
    trial_args: Mapping[str, Any] | None = None,
    mltrack_conn_id: str | None = None,
) -> SweepTaskGroup:
    """Make the tasks of a sweep: ``plan``, ``trials`` (mapped) and ``close``.

    Any Airflow executor runs the trials. In mode ``workers`` each task takes the next trial until
    none is left: right for many or short trials, and needed for pruning to save time. In mode
    ``mapped`` each task has its own trials and is named after them: right for few, long ones.

    :param group_id: id of the task group.
    :param min_success_ratio: share of the trials that must end as complete or pruned (templated).
    :param trial_args: Airflow arguments of the tasks that run trials, for example ``pool``,
        ``queue``, ``max_active_tis_per_dagrun`` or ``executor_config``. Left out, ``retries`` is 2
        and ``retry_delay`` ten seconds.
    :param mltrack_conn_id: Airflow connection (templated).
    :return: the group; its ``best`` is what follows reads. The other parameters are those of
        :class:`~airflow_mltrack.operators.plan_sweep.PlanSweepOperator`.
    """
    group = SweepTaskGroup(group_id=group_id, tooltip="Plan, run trials, close with the best")
    with group:
        plan = PlanSweepOperator(
            task_id=PLAN,
            dataset=cast("Any", dataset),
            space=space,
            sampler=sampler,
            pruner=pruner,
            n_trials=n_trials,
            mode=mode,
            workers=workers,
            trials_per_task=trials_per_task,
            recipe=recipe,
            split=split,
            metric=metric,
            seed=seed,
            options=options,
            experiment=experiment,
            run_name=run_name,
            run_tags=run_tags,
            mltrack_conn_id=mltrack_conn_id,
        )
        airflow_args = {"retries": TRIAL_RETRIES, "retry_delay": TRIAL_RETRY_DELAY}
        trials = RunTrialsOperator.partial(
            task_id=TRIALS,
            sweep_run_id=cast("str", cast("Any", plan.output)["run_id"]),
            map_index_template="{{ task.trial_label }}",
            mltrack_conn_id=mltrack_conn_id,
            **{**airflow_args, **(trial_args or {})},
        ).expand_kwargs(cast("Any", plan.output))
        # A template, not plan.output: that fails where planning was skipped and pushed nothing.
        pushed = f"ti.xcom_pull(task_ids='{plan.task_id}', key='run_id')"
        close = CloseSweepOperator(
            task_id=CLOSE,
            sweep_run_id=f"{{{{ {pushed} or '' }}}}",
            min_success_ratio=min_success_ratio,
            mltrack_conn_id=mltrack_conn_id,
        )
        [plan, trials] >> close
    return group
