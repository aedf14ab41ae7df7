"""Plots of a classifier as data: small, JSON-able, ready to be drawn by a web page or as PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.metrics import MetricOptions as _Options
from airflow_mltrack.training.metrics import ScoreCounts, auc, count_scores, ks, pr_auc
from airflow_mltrack.training.preprocessing import feature_names
from airflow_mltrack.training.recipes import CLASSIFY, PREPROCESS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PlotData = dict[str, Any]

MOST_POINTS = 200
_BINS = 10
_BARS = 30
_HISTOGRAM_BINS = 40


def plot_data(
    target: ArrayLike,
    score: ArrayLike,
    *,
    pipeline: object = None,
    threshold: float = 0.5,
) -> dict[str, PlotData]:
    """Describe a classifier's scores as plots.

    :param target: shape (n,), 0 or 1.
    :param score: shape (n,), probability of the event.
    :param pipeline: fitted pipeline of :func:`~airflow_mltrack.training.recipes.build_pipeline`;
        with it comes ``feature_importance`` where the classifier has one.
    :param threshold: where the confusion matrix decides.
    :return: ``roc``, ``precision_recall``, ``confusion_matrix``, ``calibration`` (for scores within
        0 and 1), ``score_distribution`` and perhaps ``feature_importance``, each with at most 200
        points a line.
    :raises InvalidInput: when the rows cannot be measured.
    """
    import numpy as np

    counts = count_scores(target, score)
    events, scores = np.asarray(target).astype(bool), np.asarray(score, dtype=np.float64)
    plots = {
        "roc": roc(counts),
        "precision_recall": precision_recall(counts),
        "confusion_matrix": confusion_matrix(counts, threshold),
        "score_distribution": score_distribution(events, scores, threshold),
    }
    if counts.scores[0] <= 1 and counts.scores[-1] >= 0:
        plots["calibration"] = calibration(events, scores)
    importance = None if pipeline is None else feature_importance(pipeline)
    if importance is not None:
        plots["feature_importance"] = importance
    return plots


def roc(counts: ScoreCounts) -> PlotData:
    """Share of events caught against share of non-events refused, over all thresholds."""
    import numpy as np

    refused = np.concatenate([[0.0], counts.refused / counts.non_events])
    caught = np.concatenate([[0.0], counts.caught / counts.events])
    kept = _kept(refused.size)
    return {
        "false_positive_rate": _listed(refused[kept]),
        "true_positive_rate": _listed(caught[kept]),
        "auc": float(auc(counts, _Options())),
        "ks": float(ks(counts, _Options())),
    }


def precision_recall(counts: ScoreCounts) -> PlotData:
    """Precision against recall, over all thresholds."""
    flagged = counts.caught + counts.refused
    kept = _kept(flagged.size)
    return {
        "recall": _listed((counts.caught / counts.events)[kept]),
        "precision": _listed((counts.caught / flagged)[kept]),
        "average_precision": float(pr_auc(counts, _Options())),
        "positive_rate": float(counts.events[0] / flagged[-1]),
    }


def confusion_matrix(counts: ScoreCounts, threshold: float) -> PlotData:
    """Count the four outcomes at a threshold; lines are the truth, columns the decision."""
    called = counts.scores >= threshold
    caught, refused = int(counts.positives[called].sum()), int(counts.negatives[called].sum())
    return {
        "labels": ["no event", "event"],
        "counts": [
            [int(counts.non_events[0]) - refused, refused],
            [int(counts.events[0]) - caught, caught],
        ],
        "threshold": threshold,
    }


def calibration(events: NDArray[np.bool_], scores: Floats) -> PlotData:
    """Compare predicted chances with observed shares, in bins of equally many rows."""
    import numpy as np

    edges = np.unique(np.quantile(scores, np.linspace(0, 1, _BINS + 1)))
    bins = np.searchsorted(edges[1:-1], scores, side="right")
    rows = np.bincount(bins)
    filled = rows > 0
    predicted = np.bincount(bins, weights=scores)[filled] / rows[filled]
    observed = np.bincount(bins, weights=events)[filled] / rows[filled]
    return {
        "predicted": _listed(predicted),
        "observed": _listed(observed),
        "rows": [int(number) for number in rows[filled]],
    }


def score_distribution(events: NDArray[np.bool_], scores: Floats, threshold: float) -> PlotData:
    """Histogram of the scores of events and of non-events, each as shares of its class."""
    import numpy as np

    low, high = float(scores.min()), float(scores.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _HISTOGRAM_BINS + 1)
    return {
        "edges": _listed(edges),
        "event": _listed(np.histogram(scores[events], edges)[0] / events.sum()),
        "no_event": _listed(np.histogram(scores[~events], edges)[0] / (~events).sum()),
        "threshold": threshold,
    }


def feature_importance(pipeline: object) -> PlotData | None:
    """List the features that count most; None where the classifier does not say.

    Trees: share of the total gain. Linear models: coefficient; they compare features only where the
    preprocessing scaled them.
    """
    import numpy as np

    steps = dict(getattr(pipeline, "steps", []))
    classifier = steps.get(CLASSIFY)
    found = _importances(classifier)
    if found is None or PREPROCESS not in steps:
        return None
    kind, values = found
    names = feature_names(steps[PREPROCESS])
    if len(names) != values.size:
        return None
    order = np.argsort(-np.abs(values), kind="stable")[:_BARS]
    return {
        "kind": kind,
        "features": [names[index] for index in order],
        "importance": _listed(values[order]),
        "of": len(names),
    }


def _importances(classifier: Any) -> tuple[str, Floats] | None:
    """Ask a fitted classifier; total gain for LightGBM, whose own default counts splits."""
    import numpy as np

    booster = getattr(classifier, "booster_", None)
    if booster is not None:
        gain = np.asarray(booster.feature_importance("gain"), dtype=np.float64)
        return "share of gain", gain / (gain.sum() or 1.0)
    trees = getattr(classifier, "feature_importances_", None)
    if trees is not None:
        return "share of gain", np.asarray(trees, dtype=np.float64)
    coefficients = getattr(classifier, "coef_", None)
    if coefficients is not None:
        return "coefficient", np.asarray(coefficients, dtype=np.float64).reshape(-1)
    return None


def check_plot_name(name: str) -> None:
    """Refuse a name that no plot has.

    :raises InvalidInput: with the known names.
    """
    if name not in PLOT_NAMES:
        raise InvalidInput("plot", name, f"known are {', '.join(PLOT_NAMES)}.")


PLOT_NAMES = (
    "roc",
    "precision_recall",
    "confusion_matrix",
    "calibration",
    "score_distribution",
    "feature_importance",
)


def _kept(size: int) -> NDArray[np.int64]:
    """Positions of at most 200 points, evenly spread, with both ends."""
    import numpy as np

    if size <= MOST_POINTS:
        return np.arange(size, dtype=np.int64)
    return np.unique(np.linspace(0, size - 1, MOST_POINTS).round().astype(np.int64))


def _listed(values: Floats) -> list[float]:
    """Six digits are more than a plot shows and keep the JSON small."""
    return [float(f"{value:.6g}") for value in values.tolist()]
