"""Train a model as a tracked run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_mltrack.hooks.run_link import RunLink
from airflow_mltrack.operators.inputs import decision_threshold, mapping, training_spec
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.training import TrainedModel


class TrainModelOperator(MltrackOperator):
    """Fit a recipe on all training rows, judge it on the test rows, and log the model package.

    The task instance is the run; a retry is the run's next attempt. Pushes ``run_id``,
    ``model_id``, ``model_uri``, ``metrics`` (on test rows), ``threshold`` and ``synthetic``
    (whether the data were generated) to XCom, each also under its own key.

    :param dataset: keys of :class:`~airflow_mltrack.training.dataset.DatasetSpec`: ``uri``,
        ``target``, ... (templated).
    :param recipe: keys of :class:`~airflow_mltrack.training.recipes.RecipeSpec`: ``classifier``,
        ``resampler``, ... (templated); None means LightGBM as it comes.
    :param hyperparameters: values to change in the recipe, as a sweep's best trial gives them
        (templated).
    :param threshold: decision threshold that was chosen on validation rows before (templated); None
        fits the validation folds first and chooses it there.
    :param split: keys of :class:`~airflow_mltrack.training.splits.SplitSpec` (templated).
    :param metric: the metric that ranks trials (templated); None means ``auc``.
    :param seed: of every estimator (templated); None means 42.
    :param options: further keys of :class:`~airflow_mltrack.lifecycle.training_spec.TrainingSpec`,
        for example ``cost_matrix`` (templated).
    :param model_name: name of the logged model (templated).
    :param experiment: experiment name (templated); None means the Dag's id.
    :param run_name: name of the run (templated); None means the task's id.
    :param run_tags: tags of the run (templated).
    :param mltrack_conn_id: Airflow connection (templated).
    """

    template_fields: Sequence[str] = (
        "dataset",
        "recipe",
        "hyperparameters",
        "threshold",
        "split",
        "metric",
        "seed",
        "options",
        "model_name",
        "experiment",
        "run_name",
        "run_tags",
        "mltrack_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "dataset": "json",
        "recipe": "json",
        "hyperparameters": "json",
        "split": "json",
        "options": "json",
        "run_tags": "json",
    }
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        dataset: Mapping[str, object] | str,
        recipe: Mapping[str, object] | str | None = None,
        hyperparameters: Mapping[str, object] | str | None = None,
        threshold: float | str | None = None,
        split: Mapping[str, object] | str | None = None,
        metric: str | None = None,
        seed: int | str | None = None,
        options: Mapping[str, object] | str | None = None,
        model_name: str = "model",
        experiment: str | None = None,
        run_name: str | None = None,
        run_tags: Mapping[str, str] | None = None,
        mltrack_conn_id: str | None = None,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mltrack_conn_id=mltrack_conn_id, multiple_outputs=multiple_outputs, **kwargs
        )
        self.dataset = dataset
        self.recipe = recipe
        self.hyperparameters = hyperparameters
        self.threshold = threshold
        self.split = split
        self.metric = metric
        self.seed = seed
        self.options = options
        self.model_name = model_name
        self.experiment = experiment
        self.run_name = run_name
        self.run_tags = run_tags

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, object]:
        """Train and return ids, URI and metrics."""
        from airflow_mltrack.hooks.current_run import task_run
        from airflow_mltrack.hooks.data import make_opener
        from airflow_mltrack.lifecycle.training import train_model

        spec = training_spec(
            dataset=self.dataset,
            recipe=self.recipe,
            split=self.split,
            metric=self.metric,
            seed=self.seed,
            options=self.options,
        )
        with task_run(
            context, hook, experiment=self.experiment, name=self.run_name, tags=self.run_tags
        ) as run:
            trained = train_model(
                hook.client,
                run,
                spec,
                params=mapping("hyperparameters", self.hyperparameters),
                threshold=decision_threshold(self.threshold),
                model_name=self.model_name,
                opener=make_opener(hook),
            )
        self._report(trained)
        return {
            "run_id": trained.run_id,
            "model_id": trained.model_id,
            "model_uri": trained.model_uri,
            "metrics": trained.metrics,
            "threshold": trained.threshold,
            "synthetic": trained.synthetic,
        }

    def _report(self, trained: TrainedModel) -> None:
        if trained.synthetic:
            self.log.warning("The data are synthetic: the numbers say nothing about real loans.")
        self.log.info("::group::Metrics on test rows")
        for name, value in sorted(trained.metrics.items()):
            low, high = trained.intervals.get(name, (None, None))
            shown = "" if low is None or high is None else f"  (95%: {low:.4f} to {high:.4f})"
            self.log.info("%s", f"{name:<24} {value:>10.4f}{shown}")
        self.log.info("::endgroup::")
        self.log.info("Logged %s", trained.model_uri)
