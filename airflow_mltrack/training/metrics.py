"""Measures of a score for rare events, from counts per distinct score.

A :class:`ScoreCounts` holds, for every distinct score, how many events and how many non-events got
it. Every measure is a function of these counts alone and works on the last axis, so that the same
few lines give the measure of one sample and of hundreds of bootstrap resamples at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MAXIMIZE, MINIMIZE = "maximize", "minimize"
_SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True, slots=True)
class CostMatrix:
    """What each of the four outcomes of a decision costs; the event is the positive class."""

    false_negative: float = 5.0
    """An event that was let through, for example a default that got its loan."""
    false_positive: float = 1.0
    """A non-event that was refused."""
    true_positive: float = 0.0
    true_negative: float = 0.0

    def __post_init__(self) -> None:
        if self.false_negative <= self.true_positive or self.false_positive <= self.true_negative:
            raise InvalidInput(
                "cost matrix",
                f"false_negative={self.false_negative}, true_positive={self.true_positive}, "
                f"false_positive={self.false_positive}, true_negative={self.true_negative}",
                "a wrong decision must cost more than the right one for the same row.",
            )


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """Constants that some measures need."""

    precision: float = 0.5
    """The precision that ``recall_at_precision`` must reach."""
    costs: CostMatrix = field(default_factory=CostMatrix)


@dataclass(frozen=True, slots=True)
class ScoreCounts:
    """Events and non-events per distinct score, highest score first."""

    scores: Floats
    """Shape (k,), strictly decreasing."""
    positives: Floats
    """Shape (..., k): events that got the score."""
    negatives: Floats
    """Shape (..., k): non-events that got it."""
    caught: Floats
    """Shape (..., k): events with this score or a higher one."""
    refused: Floats
    """Shape (..., k): non-events with this score or a higher one."""

    @property
    def events(self) -> Floats:
        """Number of events, shape (..., 1)."""
        return self.caught[..., -1:]

    @property
    def non_events(self) -> Floats:
        """Number of non-events, shape (..., 1)."""
        return self.refused[..., -1:]


def score_counts(scores: Floats, positives: Floats, negatives: Floats) -> ScoreCounts:
    """Build the counts from per-score numbers, highest score first."""
    return ScoreCounts(
        scores, positives, negatives, positives.cumsum(axis=-1), negatives.cumsum(axis=-1)
    )


def check_scored(target: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Check a 0/1 target and its scores and return both as arrays.

    :raises InvalidInput: when the lengths differ, a score is not finite, the target holds anything
        but 0 and 1, or only one class is there.
    """
    import numpy as np

    truth, scores = np.asarray(target), np.asarray(score, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != scores.shape:
        raise InvalidInput(
            "scores", scores.shape, f"one score per row is needed, the target has {truth.shape}."
        )
    if not np.isfinite(scores).all():
        raise InvalidInput("scores", "NaN or infinite", "every score must be a finite number.")
    if not np.isin(truth, (0, 1)).all():
        raise InvalidInput("target", np.unique(truth)[:5].tolist(), "it holds only 0 and 1.")
    events = truth.astype(bool)
    if events.all() or not events.any():
        raise InvalidInput(
            "target",
            f"{int(events.sum())} events in {events.size} rows",
            "both classes are needed to measure anything.",
            "Use more rows, or a stratified split.",
        )
    return events, scores


def count_scores(target: ArrayLike, score: ArrayLike) -> ScoreCounts:
    """Count events and non-events per distinct score.

    :param target: shape (n,), 0 or 1.
    :param score: shape (n,), higher means more likely an event.
    :raises InvalidInput: see :func:`check_scored`.
    """
    import numpy as np

    events, scores = check_scored(target, score)
    distinct, group = np.unique(-scores, return_inverse=True)
    positives = np.bincount(group[events], minlength=distinct.size).astype(np.float64)
    negatives = np.bincount(group[~events], minlength=distinct.size).astype(np.float64)
    return score_counts(-distinct, positives, negatives)


def auc(counts: ScoreCounts, _: MetricOptions) -> Floats:
    """Area under the ROC curve, a tie counting one half (Mann-Whitney)."""
    wins = counts.negatives * (counts.caught - counts.positives / 2)
    area: Floats = wins.sum(axis=-1) / (counts.events * counts.non_events)[..., 0]
    return area


def gini(counts: ScoreCounts, options: MetricOptions) -> Floats:
    """Gini coefficient of the score, 2 AUC - 1."""
    return 2.0 * auc(counts, options) - 1.0


def pr_auc(counts: ScoreCounts, _: MetricOptions) -> Floats:
    """Average precision: precision at every distinct score, weighted with the events it adds."""
    area: Floats = (counts.positives * _precision(counts)).sum(axis=-1) / counts.events[..., 0]
    return area


def ks(counts: ScoreCounts, _: MetricOptions) -> Floats:
    """Kolmogorov-Smirnov distance between the scores of events and of non-events."""
    distance = counts.caught / counts.events - counts.refused / counts.non_events
    largest: Floats = abs(distance).max(axis=-1)
    return largest


def recall_at_precision(counts: ScoreCounts, options: MetricOptions) -> Floats:
    """Highest recall among the thresholds with at least the wanted precision; 0 if none has it."""
    import numpy as np

    reached = _precision(counts) >= options.precision
    best: Floats = np.where(reached, counts.caught / counts.events, 0.0).max(axis=-1)
    return best


def brier(counts: ScoreCounts, _: MetricOptions) -> Floats:
    """Mean squared difference between the predicted probability and what happened."""
    return _mean_loss(counts, (1 - counts.scores) ** 2, counts.scores**2)


def log_loss(counts: ScoreCounts, _: MetricOptions) -> Floats:
    """Negative mean log-likelihood, probabilities kept away from 0 and 1 by 1e-15."""
    import numpy as np

    chance = counts.scores.clip(_SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    return _mean_loss(counts, -np.log(chance), -np.log1p(-chance))


def expected_cost(counts: ScoreCounts, options: MetricOptions) -> Floats:
    """Mean cost per row at the threshold that makes it smallest on these very rows."""
    import numpy as np

    rows = (counts.events + counts.non_events)[..., 0]
    nobody = _cost_of(options.costs, 0.0, 0.0, counts.events[..., 0], counts.non_events[..., 0])
    best = cost_per_threshold(counts, options.costs).min(axis=-1)
    cheapest: Floats = np.minimum(nobody, best) / rows
    return cheapest


def cost_per_threshold(counts: ScoreCounts, costs: CostMatrix) -> Floats:
    """Total cost when every row with at least the score is refused, shape (..., k)."""
    return _cost_of(costs, counts.caught, counts.refused, counts.events, counts.non_events)


def cost_per_row(
    target: ArrayLike, score: ArrayLike, threshold: float, costs: CostMatrix
) -> Floats:
    """Return what the decision on each row costs when scores from ``threshold`` on are refused.

    :param target: shape (n,), 0 or 1.
    :param score: shape (n,).
    :raises InvalidInput: see :func:`check_scored`.
    """
    import numpy as np

    events, scores = check_scored(target, score)
    called = scores >= threshold
    of_event = np.where(called, costs.true_positive, costs.false_negative)
    of_rest = np.where(called, costs.false_positive, costs.true_negative)
    return np.where(events, of_event, of_rest)


def _cost_of(
    costs: CostMatrix,
    caught: Floats | float,
    refused: Floats | float,
    events: Floats,
    non_events: Floats,
) -> Floats:
    return (
        costs.true_positive * caught
        + costs.false_negative * (events - caught)
        + costs.false_positive * refused
        + costs.true_negative * (non_events - refused)
    )


def _precision(counts: ScoreCounts) -> Floats:
    """Share of events among rows with at least the score; 1 where a resample has no such row."""
    import numpy as np

    flagged = counts.caught + counts.refused
    share: Floats = (counts.caught + (flagged == 0)) / np.maximum(flagged, 1.0)
    return share


def _mean_loss(counts: ScoreCounts, of_event: Floats, of_non_event: Floats) -> Floats:
    rows = (counts.events + counts.non_events)[..., 0]
    mean: Floats = (counts.positives @ of_event + counts.negatives @ of_non_event) / rows
    return mean


MeasureFunction = Callable[[ScoreCounts, MetricOptions], "Floats"]

MEASURES: dict[str, MeasureFunction] = {
    "auc": auc,
    "pr_auc": pr_auc,
    "ks": ks,
    "gini": gini,
    "brier": brier,
    "log_loss": log_loss,
    "recall_at_precision": recall_at_precision,
    "expected_cost": expected_cost,
}
"""Every measure by name, as a function of counts."""

_SMALLER_IS_BETTER = frozenset({"brier", "log_loss", "expected_cost"})
NEEDS_PROBABILITY = frozenset({"brier", "log_loss"})
"""Measures that mean nothing unless the score lies between 0 and 1."""


class Metric(NamedTuple):
    """A measure by name."""

    function: Callable[[ArrayLike, ArrayLike], float]
    """(target, score) to the value, with default :class:`MetricOptions`."""
    direction: str
    """``maximize`` or ``minimize``."""


def measure(name: str) -> MeasureFunction:
    """Find a measure by name.

    :raises InvalidInput: when there is none, with the closest names.
    """
    if name not in MEASURES:
        raise InvalidInput(
            "metric", name, f"known are {', '.join(MEASURES)}.", did_you_mean(name, MEASURES)
        )
    return MEASURES[name]


def direction(name: str) -> str:
    """Say whether a metric is to be maximised or minimised.

    :raises InvalidInput: when there is no such metric.
    """
    measure(name)
    return MINIMIZE if name in _SMALLER_IS_BETTER else MAXIMIZE


def metric_value(
    name: str, target: ArrayLike, score: ArrayLike, *, options: MetricOptions | None = None
) -> float:
    """Measure scores with one metric.

    :param name: a key of :data:`METRICS`.
    :param target: shape (n,), 0 or 1.
    :param score: shape (n,), higher means more likely an event.
    :raises InvalidInput: when the name is unknown or the rows cannot be measured.
    """
    function = measure(name)
    counts = count_scores(target, score)
    check_probabilities((name,), counts)
    return float(function(counts, options or MetricOptions()))


def check_probabilities(names: tuple[str, ...], counts: ScoreCounts) -> None:
    """Refuse measures of probabilities for scores outside 0 to 1."""
    asked = NEEDS_PROBABILITY.intersection(names)
    highest, lowest = counts.scores[0], counts.scores[-1]
    if asked and (lowest < 0 or highest > 1):
        raise InvalidInput(
            "scores",
            f"{lowest:.4g} to {highest:.4g}",
            f"{', '.join(sorted(asked))} need probabilities between 0 and 1.",
        )


def _bound(name: str) -> Callable[[ArrayLike, ArrayLike], float]:
    def value(target: ArrayLike, score: ArrayLike) -> float:
        return metric_value(name, target, score)

    value.__name__ = name
    return value


METRICS: dict[str, Metric] = {name: Metric(_bound(name), direction(name)) for name in MEASURES}
"""Every metric by name."""
