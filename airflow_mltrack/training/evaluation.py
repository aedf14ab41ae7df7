"""Judge scores: every metric, its interval, the decision threshold and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.close_names import check_known_keys
from airflow_mltrack.training.intervals import bootstrap_intervals
from airflow_mltrack.training.metrics import (
    MEASURES,
    METRICS,
    NEEDS_PROBABILITY,
    CostMatrix,
    Metric,
    MetricOptions,
    ScoreCounts,
    cost_per_threshold,
    count_scores,
    direction,
    metric_value,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "METRICS",
    "CostMatrix",
    "Evaluation",
    "Metric",
    "best_threshold",
    "confusion_counts",
    "cost_matrix",
    "direction",
    "evaluate",
    "metric_value",
]

THRESHOLD_RULES = ("cost", "f1", "youden")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one score is worth on one set of rows."""

    metrics: dict[str, float]
    """Every metric by name; ``expected_cost`` is per row, at ``threshold``."""
    intervals: dict[str, tuple[float, float]]
    """95% bootstrap interval by metric name; empty without resamples."""
    threshold: float
    """Rows with at least this score are called events."""
    threshold_rule: str
    """The rule that chose it on these rows (``cost``, ``f1``, ``youden``), or ``given``."""
    confusion: dict[str, int]
    """The four outcomes at ``threshold``, named as in :class:`CostMatrix`."""
    rows: int
    positives: int
    costs: CostMatrix = field(default_factory=CostMatrix)


def cost_matrix(costs: Mapping[str, object] | CostMatrix | None) -> CostMatrix:
    """Read a cost matrix from plain data.

    :param costs: any of ``false_negative``, ``false_positive``, ``true_positive``,
        ``true_negative``; what is missing has the default of :class:`CostMatrix`.
    :raises InvalidInput: when a key is unknown or a value is not a number.
    """
    if isinstance(costs, CostMatrix):
        return costs
    given = costs or {}
    check_known_keys("cost matrix", given, [spec.name for spec in fields(CostMatrix)])
    numbers: dict[str, float] = {}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InvalidInput(f"cost {name}", value, "it is a number.")
        numbers[name] = float(value)
    return CostMatrix(**numbers)


def evaluate(
    target: ArrayLike,
    score: ArrayLike,
    *,
    cost_matrix: CostMatrix | None = None,
    precision: float = 0.5,
    n_bootstrap: int = 200,
    seed: int = 0,
    threshold: float | None = None,
    threshold_rule: str = "cost",
) -> Evaluation:
    """Measure scores with every metric.

    ``brier`` and ``log_loss`` are left out when a score lies outside 0 to 1.

    :param target: shape (n,), 0 or 1.
    :param score: shape (n,), probability of the event.
    :param precision: what ``recall_at_precision`` must reach.
    :param n_bootstrap: resamples for the intervals; 0 leaves them out.
    :param threshold: decide at this score; None chooses one on these rows, which is optimistic
        there: choose on validation rows and pass it in for test rows.
    :param threshold_rule: ``cost`` (cheapest), ``f1`` or ``youden`` (recall less false alarms).
    :raises InvalidInput: when the rows cannot be measured or an option is not allowed.
    """
    if not 0 < precision <= 1:
        raise InvalidInput("precision", precision, "it lies above 0 and is at most 1.")
    counts = count_scores(target, score)
    options = MetricOptions(precision=precision, costs=cost_matrix or CostMatrix())
    names = _measurable(counts)
    metrics = {name: float(MEASURES[name](counts, options)) for name in names}
    chosen = (
        best_threshold(counts, threshold_rule, options.costs) if threshold is None else threshold
    )
    confusion = confusion_counts(counts, chosen)
    metrics["expected_cost"] = _mean_cost(confusion, options.costs)
    resampled = [name for name in names if name != "expected_cost"]
    return Evaluation(
        metrics=metrics | _rates(confusion),
        intervals=bootstrap_intervals(
            target, score, resampled, n=n_bootstrap, seed=seed, options=options
        )
        if n_bootstrap
        else {},
        threshold=chosen,
        threshold_rule=threshold_rule if threshold is None else "given",
        confusion=confusion,
        rows=sum(confusion.values()),
        positives=confusion["true_positive"] + confusion["false_negative"],
        costs=options.costs,
    )


def best_threshold(counts: ScoreCounts, rule: str, costs: CostMatrix | None = None) -> float:
    """Choose the score from which rows are called events.

    :param rule: ``cost``, ``f1`` or ``youden``.
    :return: one of the scores, or just above the highest one where calling nobody is cheapest.
    :raises InvalidInput: when the rule is unknown.
    """
    import numpy as np

    gain = _gain(counts, rule, costs or CostMatrix())
    best = int(np.argmax(gain))
    if rule == "cost" and gain[best] < _gain_of_nobody(counts, costs or CostMatrix()):
        return float(np.nextafter(counts.scores[0], np.inf))
    return float(counts.scores[best])


def confusion_counts(counts: ScoreCounts, threshold: float) -> dict[str, int]:
    """Count the four outcomes when rows with at least ``threshold`` are called events."""
    called = counts.scores >= threshold
    caught, refused = int(counts.positives[called].sum()), int(counts.negatives[called].sum())
    return {
        "true_positive": caught,
        "false_positive": refused,
        "false_negative": int(counts.events[0]) - caught,
        "true_negative": int(counts.non_events[0]) - refused,
    }


def _measurable(counts: ScoreCounts) -> list[str]:
    inside = counts.scores[0] <= 1 and counts.scores[-1] >= 0
    return [name for name in MEASURES if inside or name not in NEEDS_PROBABILITY]


def _gain(counts: ScoreCounts, rule: str, costs: CostMatrix) -> NDArray[np.float64]:
    """Score every threshold; the highest is the best."""
    if rule == "cost":
        return -cost_per_threshold(counts, costs)
    if rule == "f1":
        gain: NDArray[np.float64] = (
            2 * counts.caught / (counts.caught + counts.refused + counts.events)
        )
        return gain
    if rule == "youden":
        return counts.caught / counts.events - counts.refused / counts.non_events
    raise InvalidInput("threshold rule", rule, f"it is one of {', '.join(THRESHOLD_RULES)}.")


def _gain_of_nobody(counts: ScoreCounts, costs: CostMatrix) -> float:
    return -float(
        costs.false_negative * counts.events[0] + costs.true_negative * counts.non_events[0]
    )


def _mean_cost(confusion: Mapping[str, int], costs: CostMatrix) -> float:
    total = sum(getattr(costs, outcome) * count for outcome, count in confusion.items())
    return float(total / sum(confusion.values()))


def _rates(confusion: Mapping[str, int]) -> dict[str, float]:
    """Give precision, recall and F1 at the threshold; 0 where nobody was called."""
    caught = confusion["true_positive"]
    called = caught + confusion["false_positive"]
    events = caught + confusion["false_negative"]
    return {
        "precision": caught / called if called else 0.0,
        "recall": caught / events,
        "f1": 2 * caught / (called + events),
    }
