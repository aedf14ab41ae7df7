"""Write the trials of a sweep down, under a parent run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.hooks.run_link import RunLink
from airflow_mltrack.operators.inputs import mapping, training_spec, whole_number
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.sweeps import SweepPlan, SweepSpec
    from airflow_mltrack.tracking.client import TrackingClient

DEFAULT_WORKERS = 4


class PlanSweepOperator(MltrackOperator):
    """Start the parent run of a sweep, plan its trials, and say which task runs which.

    The task instance is the parent run; it stays open until
    :class:`~airflow_mltrack.operators.close_sweep.CloseSweepOperator` ends it. Returns what
    :class:`~airflow_mltrack.operators.run_trials.RunTrialsOperator` is mapped over, and pushes the
    parent run's id as ``run_id``.

    :param dataset: keys of :class:`~airflow_mltrack.training.dataset.DatasetSpec` (templated).
    :param space: search space (templated), see :mod:`airflow_mltrack.training.search_space`.
    :param sampler: ``name``, ``seed`` and options (templated); None means ``random``. See
        :class:`~airflow_mltrack.lifecycle.sweep_spec.SweepSpec`.
    :param pruner: ``name`` and options (templated); None prunes nothing. Needs a split with several
        validation folds.
    :param n_trials: how many (templated); None is allowed for a grid and means all of it.
    :param mode: ``workers``: tasks that take the next trial until none is left; ``mapped``: tasks
        with trials of their own (templated).
    :param workers: number of tasks in mode ``workers`` (templated).
    :param trials_per_task: trials of one task in mode ``mapped`` (templated).
    :param recipe: what the space does not vary (templated), keys of
        :class:`~airflow_mltrack.training.recipes.RecipeSpec`.
    :param split: keys of :class:`~airflow_mltrack.training.splits.SplitSpec` (templated).
    :param metric: the metric that ranks trials (templated).
    :param seed: of every estimator (templated); None means 42.
    :param options: further keys of :class:`~airflow_mltrack.lifecycle.training_spec.TrainingSpec`
        (templated).
    :param experiment: experiment of parent and trials (templated); None means the Dag's id.
    :param run_name: name of the parent run (templated); None means the task's id.
    :param run_tags: tags of the parent run (templated).
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "dataset",
        "space",
        "sampler",
        "pruner",
        "n_trials",
        "mode",
        "workers",
        "trials_per_task",
        "recipe",
        "split",
        "metric",
        "seed",
        "options",
        "experiment",
        "run_name",
        "run_tags",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "dataset": "json",
        "space": "json",
        "sampler": "json",
        "pruner": "json",
        "recipe": "json",
        "split": "json",
        "options": "json",
        "run_tags": "json",
    }
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        dataset: Mapping[str, object] | str,
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
        experiment: str | None = None,
        run_name: str | None = None,
        run_tags: Mapping[str, str] | None = None,
        mltrack_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(mltrack_conn_id=mltrack_conn_id, **kwargs)
        self.dataset = dataset
        self.space = space
        self.sampler = sampler
        self.pruner = pruner
        self.n_trials = n_trials
        self.mode = mode
        self.workers = workers
        self.trials_per_task = trials_per_task
        self.recipe = recipe
        self.split = split
        self.metric = metric
        self.seed = seed
        self.options = options
        self.experiment = experiment
        self.run_name = run_name
        self.run_tags = run_tags

    def perform(self, hook: MltrackHook, context: Context) -> list[dict[str, object]]:
        """Plan and return one mapping of arguments for each task that runs trials."""
        from airflow_mltrack.hooks.current_run import task_run
        from airflow_mltrack.lifecycle.sweeps import plan_sweep

        spec = self._spec()
        with task_run(
            context,
            hook,
            experiment=self.experiment,
            name=self.run_name,
            tags=self.run_tags,
            ends=False,
        ) as run:
            plan = plan_sweep(hook.client, run, spec)
            tasks = self._tasks(hook.client, plan)
        context["ti"].xcom_push(key="run_id", value=plan.run_id)
        self.log.info(
            "Sweep %s: %d of %d trials to run, by %d tasks (%s).",
            plan.run_id,
            len(plan.pending),
            plan.n_trials,
            len(tasks),
            plan.mode,
        )
        return tasks

    def _spec(self) -> SweepSpec:
        from airflow_mltrack.lifecycle.sweeps import SweepSpec

        training = training_spec(
            dataset=self.dataset,
            recipe=self.recipe,
            split=self.split,
            metric=self.metric,
            seed=self.seed,
            options=self.options,
        )
        given: dict[str, object] = {
            "space": mapping("space", self.space),
            "sampler": mapping("sampler", self.sampler) or None,
            "pruner": mapping("pruner", self.pruner) or None,
            "n_trials": _count("n_trials", self.n_trials),
            "trials_per_task": _count("trials_per_task", self.trials_per_task),
            "metric": training.metric,
            "direction": training.direction,
            "mode": self.mode,
            "training": training.to_json(),
        }
        spec = SweepSpec.from_json({key: item for key, item in given.items() if item is not None})
        if spec.pruner and training.split.n_folds == 1:
            raise _nothing_to_prune(spec.pruner)
        return spec

    def _tasks(self, client: TrackingClient, plan: SweepPlan) -> list[dict[str, object]]:
        """Say which task works on which trials, and what Airflow's grid calls it."""
        if plan.mode == "workers":
            number = min(whole_number("workers", self.workers) or 1, len(plan.pending))
            return [
                {"numbers": None, "trial_label": f"worker {index + 1}"} for index in range(number)
            ]
        names = _trial_names(client, plan.run_id)
        tasks: list[dict[str, object]] = [
            {"numbers": numbers, "trial_label": _label([names[number] for number in numbers])}
            for numbers in plan.chunks()
        ]
        return _check_map_length(tasks)


def _nothing_to_prune(pruner: Mapping[str, object]) -> InvalidInput:
    """Word that a trial of one fit cannot be given up half-way."""
    return InvalidInput(
        "pruner",
        pruner["name"],
        "a trial is given up between validation folds, and a hold-out has only one.",
        'Set split={"validation": "cv", "folds": 5}, or leave the pruner out.',
    )


def _count(what: str, value: int | str | None) -> int | None:
    return None if value in (None, "") else whole_number(what, value)


def _trial_names(client: TrackingClient, sweep_run_id: str) -> dict[int, str]:
    from airflow_mltrack.lifecycle.sweeps import trial_name

    with client.store.transaction() as tx:
        trials = tx.sweeps.trials(sweep_run_id)
    return {trial.number: trial_name(trial.number, trial.params) for trial in trials}


def _label(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _check_map_length(tasks: list[dict[str, object]]) -> list[dict[str, object]]:
    """Say what to do before Airflow refuses the list without a word about sweeps."""
    from airflow.sdk.configuration import conf

    most = conf.getint("core", "max_map_length", fallback=1024)
    if len(tasks) > most:
        raise InvalidInput(
            "sweep",
            f"{len(tasks)} mapped tasks",
            f"Airflow maps at most {most} ([core] max_map_length).",
            'Set trials_per_task higher, or use mode="workers".',
        )
    return tasks
