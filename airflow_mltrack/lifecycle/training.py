"""Train: a trial on validation folds, or a model for good on all training rows.

Metrics without a prefix (``auc``) are always measured on validation rows, those that begin with
``test_`` on test rows, which no trial ever sees. ``evaluation/*.json`` holds plots and intervals.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.prepared_data import Prepared, prepare
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.settings import DEFAULT_TRUSTED_MODULES
from airflow_mltrack.training.evaluation import Evaluation, evaluate
from airflow_mltrack.training.plots import plot_data
from airflow_mltrack.training.recipes import (
    RecipeSpec,
    build_pipeline,
    check_enough_minority_rows,
    described_params,
    with_params,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.training.table_file import Opener

__all__ = ["Prepared", "TrainedModel", "TrainingSpec", "prepare", "run_trial", "train_model"]

VALIDATION_FILE, TEST_FILE = "evaluation/validation.json", "evaluation/test.json"
SYNTHETIC_TAG = "mltrack.synthetic"

Report = Callable[[int, float], object]
"""Told (fold, value) after every fold but the last; what it raises ends the trial."""


class TrainingRun(Protocol):
    """What training needs of a tracked run; ``tracking.ActiveRun`` has it."""

    @property
    def run_id(self) -> str:
        """Id of the run."""
        ...

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record params."""
        ...

    def log_metric(self, key: str, value: float, step: int = 0) -> None:
        """Record one value."""
        ...

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Record several values."""
        ...

    def log_dict(self, dictionary: Any, artifact_file: str) -> Any:
        """Write JSON."""
        ...

    def log_input(self, dataset: DatasetRecord, context: str = "") -> None:
        """Record that a data set was read."""
        ...

    def set_tag(self, key: str, value: str) -> None:
        """Set a tag."""
        ...


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained, judged on test rows and packaged."""

    run_id: str
    model_id: str
    model_uri: str
    """``models:/m-...``."""
    metrics: Mapping[str, float]
    """Metrics on test rows, without prefix."""
    intervals: Mapping[str, tuple[float, float]]
    threshold: float
    """Decision threshold, chosen on validation rows."""
    validation: Mapping[str, float] = field(default_factory=dict)
    """Metrics on validation rows."""
    synthetic: bool = False
    """Whether the data were generated."""


@dataclass(frozen=True, slots=True)
class _Validation:
    """What the validation folds say about a recipe."""

    metrics: dict[str, float]
    """Mean over the folds."""
    pooled: Evaluation
    """On all validation rows together, for intervals, threshold and plots."""
    fit_seconds: float
    plots: dict[str, Any]


def run_trial(
    run: TrainingRun,
    spec: TrainingSpec,
    params: Mapping[str, object],
    report: Report | None = None,
    *,
    opener: Opener | None = None,
    trusted_modules: Sequence[str] = DEFAULT_TRUSTED_MODULES,
) -> float:
    """Fit one configuration on the validation folds and record everything about it.

    Test rows are not touched. Logs the params, the data set, ``fold_METRIC`` per fold (step is the
    fold), the mean of every metric, ``fit_seconds``, and ``evaluation/validation.json`` with
    intervals and plots.

    :param params: the trial's values; keys as in
        :func:`~airflow_mltrack.training.recipes.with_params`.
    :param report: told (fold, value) after every fold but the last, where there is nothing left to
        save; what it raises ends the trial.
    :param trusted_modules: top-level modules that a recipe may name.
    :return: mean of ``spec.metric`` over the folds.
    :raises InvalidInput: when the data or the recipe cannot be used.
    """
    prepared = prepare(spec, opener)
    recipe = with_params(spec.recipe, params)
    _describe(run, spec, recipe, prepared, context="validation")
    with _limited_threads(spec):
        found = _validate(run, spec, recipe, prepared, report, trusted_modules)
    _log_validation(run, spec, prepared, found)
    return found.metrics[spec.metric]


def train_model(
    client: TrackingClient,
    run: Any,
    spec: TrainingSpec,
    *,
    params: Mapping[str, object] | None = None,
    threshold: float | None = None,
    model_name: str = "model",
    opener: Opener | None = None,
) -> TrainedModel:
    """Fit on all training rows, judge on the test rows, and log the model package.

    Without a threshold the validation folds are fitted first: the threshold is chosen on their rows
    and their metrics are logged too.

    :param params: values of the winning trial, applied to the recipe.
    :param threshold: decision threshold that was chosen on validation rows before.
    :param model_name: name of the logged model.
    :raises InvalidInput: when the data or the recipe cannot be used.
    """
    trusted = client.settings.trusted_modules
    prepared = prepare(spec, opener)
    recipe = with_params(spec.recipe, params or {})
    _describe(run, spec, recipe, prepared, context="training")
    validation: dict[str, float] = {}
    with _limited_threads(spec):
        if threshold is None:
            found = _validate(run, spec, recipe, prepared, None, trusted)
            _log_validation(run, spec, prepared, found)
            threshold, validation = found.pooled.threshold, found.metrics
        else:
            run.log_metric("threshold", threshold)
        pipeline, seconds = _fit(spec, recipe, prepared, prepared.split.train_rows, trusted)
        run.log_metric("train_seconds", seconds)
        evaluation = _judge_on_test_rows(run, spec, prepared, pipeline, threshold)
    model = _log_model(run, spec, recipe, prepared, pipeline, model_name)
    return TrainedModel(
        run_id=run.run_id,
        model_id=model.model_id,
        model_uri=f"models:/{model.model_id}",
        metrics=evaluation.metrics,
        intervals=evaluation.intervals,
        threshold=threshold,
        validation=validation,
        synthetic=prepared.dataset.synthetic,
    )


def _describe(
    run: TrainingRun, spec: TrainingSpec, recipe: RecipeSpec, prepared: Prepared, *, context: str
) -> None:
    """Record what is about to be fitted, before anything can fail."""
    split = spec.split
    run.log_params(
        {
            **described_params(recipe),
            "seed": spec.seed,
            "split.seed": split.seed,
            "split.test_size": split.test_size,
            "split.validation": split.validation,
            "split.digest": prepared.split.digest,
        }
    )
    run.log_input(prepared.dataset.record, context)
    if prepared.dataset.synthetic:
        run.set_tag(SYNTHETIC_TAG, "true")


def _validate(
    run: TrainingRun,
    spec: TrainingSpec,
    recipe: RecipeSpec,
    prepared: Prepared,
    report: Report | None,
    trusted: Sequence[str],
) -> _Validation:
    """Fit and score every fold."""
    import numpy as np

    target = prepared.dataset.target
    total, times, seconds = np.zeros(target.size), np.zeros(target.size), 0.0
    folds: list[dict[str, float]] = []
    pipeline: Any = None
    for number, (fit_rows, validation_rows) in enumerate(prepared.split.folds):
        pipeline, took = _fit(spec, recipe, prepared, fit_rows, trusted)
        score = _score(pipeline, prepared, validation_rows)
        total[validation_rows] += score
        times[validation_rows] += 1
        seconds += took
        fold = _evaluate(spec, target[validation_rows], score, resamples=0)
        folds.append(fold.metrics)
        run.log_metric(f"fold_{spec.metric}", fold.metrics[spec.metric], step=number)
        if report is not None and number + 1 < len(prepared.split.folds):
            report(number, fold.metrics[spec.metric])
    rows = np.flatnonzero(times)
    score = total[rows] / times[rows]  # repeated folds score a row more than once
    pooled = _evaluate(spec, target[rows], score, resamples=spec.n_bootstrap)
    plots = plot_data(target[rows], score, pipeline=pipeline, threshold=pooled.threshold)
    means = {name: float(np.mean([fold[name] for fold in folds])) for name in folds[0]}
    return _Validation(means, pooled, seconds, plots)


def _fit(
    spec: TrainingSpec,
    recipe: RecipeSpec,
    prepared: Prepared,
    rows: NDArray[np.int64],
    trusted: Sequence[str],
) -> tuple[Any, float]:
    """Fit the recipe on some rows; return the pipeline and the seconds it took."""
    dataset = prepared.dataset
    features, target = dataset.features.iloc[rows], dataset.target[rows]
    pipeline = build_pipeline(
        recipe,
        dataset.features,
        trusted_modules=trusted,
        seed=spec.seed,
        categorical=[name for name in dataset.spec.categorical if name in features.columns],
    )
    check_enough_minority_rows(pipeline, target)
    start = time.perf_counter()
    try:
        pipeline.fit(features, target)
    except _fit_errors() as error:
        raise InvalidInput(
            "recipe",
            f"{recipe.resampler} + {recipe.classifier}",
            f"it cannot be fitted on these {rows.size} rows ({int(target.sum())} events): {error}",
            "Change its params, or leave it out of the search.",
        ) from error
    return pipeline, time.perf_counter() - start


def _fit_errors() -> tuple[type[Exception], ...]:
    """Give what a library raises about params and rows that it cannot work with."""
    known: tuple[type[Exception], ...] = (ValueError, TypeError, KeyError, RuntimeError)
    lightgbm = sys.modules.get("lightgbm.basic")  # its own error exists where it was imported
    return known if lightgbm is None else (*known, lightgbm.LightGBMError)


def _limited_threads(spec: TrainingSpec) -> AbstractContextManager[object]:
    """Limit linear algebra and OpenMP; once per trial, since finding the libraries takes 10 ms."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[object] = threadpool_limits(spec.threads)
    return limits


def _score(
    pipeline: Any,
    prepared: Prepared,
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    score: NDArray[np.float64] = pipeline.predict_proba(prepared.dataset.features.iloc[rows])
    return score[:, 1]


def _evaluate(
    spec: TrainingSpec,
    target: NDArray[np.int64],
    score: NDArray[np.float64],
    *,
    resamples: int,
    threshold: float | None = None,
) -> Evaluation:
    return evaluate(
        target,
        score,
        cost_matrix=spec.cost_matrix,
        precision=spec.precision,
        n_bootstrap=resamples,
        seed=spec.seed,
        threshold=threshold,
        threshold_rule=spec.threshold_rule,
    )


def _log_validation(
    run: TrainingRun, spec: TrainingSpec, prepared: Prepared, found: _Validation
) -> None:
    run.log_metrics(
        {
            **found.metrics,
            **_bounds(spec.metric, found.pooled),
            "threshold": found.pooled.threshold,
            "fit_seconds": found.fit_seconds,
        }
    )
    run.log_dict(_report(found.pooled, found.plots, prepared, "validation"), VALIDATION_FILE)


def _judge_on_test_rows(
    run: Any,
    spec: TrainingSpec,
    prepared: Prepared,
    pipeline: Any,
    threshold: float,
) -> Evaluation:
    """Measure on rows that nothing was chosen on; log numbers, JSON and images."""
    rows = prepared.split.test_rows
    target = prepared.dataset.target[rows]
    score = _score(pipeline, prepared, rows)
    found = _evaluate(spec, target, score, resamples=spec.n_bootstrap, threshold=threshold)
    plots = plot_data(target, score, pipeline=pipeline, threshold=threshold)
    measured = {**found.metrics, **_bounds(spec.metric, found)}
    run.log_metrics({f"test_{name}": value for name, value in measured.items()})
    run.log_dict(_report(found, plots, prepared, "test"), TEST_FILE)
    _log_images(run, plots, f"{prepared.dataset.name}, {rows.size:,} test rows")
    return found


def _bounds(metric: str, evaluation: Evaluation) -> dict[str, float]:
    """Give the interval of the ranking metric as two metrics."""
    interval = evaluation.intervals.get(metric)
    return {} if interval is None else {f"{metric}_low": interval[0], f"{metric}_high": interval[1]}


def _report(
    evaluation: Evaluation, plots: Mapping[str, Any], prepared: Prepared, rows: str
) -> dict[str, Any]:
    dataset = prepared.dataset
    return {
        "rows": rows,
        "dataset": {"name": dataset.name, "digest": dataset.record.digest},
        "synthetic": dataset.synthetic,
        "split_digest": prepared.split.digest,
        **asdict(evaluation),
        "row_count": evaluation.rows,
        "plots": dict(plots),
    }


def _log_images(run: Any, plots: Mapping[str, Any], subtitle: str) -> None:
    import tempfile
    from pathlib import Path

    from airflow_mltrack.training.plot_images import render_png

    with tempfile.TemporaryDirectory(prefix="mltrack-plots-") as directory:
        for name, data in plots.items():
            path = Path(directory) / f"test_{name}.png"
            path.write_bytes(render_png(name, data, subtitle=subtitle))
        run.log_artifacts(directory, "plots")


def _log_model(
    run: Any,
    spec: TrainingSpec,
    recipe: RecipeSpec,
    prepared: Prepared,
    pipeline: Any,
    name: str,
) -> LoggedModel:
    features: pd.DataFrame = prepared.dataset.features.iloc[prepared.split.train_rows]
    model: LoggedModel = run.log_model(
        pipeline,
        name,
        training_data=features,  # no rows as example: the package would show real people
        seeds={"model": spec.seed, "split": spec.split.seed},
        metadata={"training": _without_secrets(spec).to_json(), "recipe": recipe.to_json()},
    )
    return model


def _without_secrets(spec: TrainingSpec) -> TrainingSpec:
    """Leave the query of a presigned address out of what everybody may read."""
    parts = urlsplit(spec.dataset.uri)
    if not parts.netloc:
        return spec
    uri = parts._replace(query="", fragment="").geturl()
    return replace(spec, dataset=replace(spec.dataset, uri=uri))
