"""Tests whether two models differ on the same rows: DeLong for AUC, McNemar for decisions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.metrics import check_scored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

EXACT_BELOW = 25
"""With fewer rows on which exactly one model is right, McNemar's test is the exact binomial one."""


@dataclass(frozen=True, slots=True)
class DelongResult:
    """Two areas under the ROC curve, compared."""

    first: float
    second: float
    difference: float
    """first minus second."""
    interval: tuple[float, float]
    """Of the difference."""
    p_value: float
    """Two-sided; of no difference."""
    covariance: tuple[tuple[float, float], tuple[float, float]]
    """Of the two areas."""


@dataclass(frozen=True, slots=True)
class McnemarResult:
    """The errors of two deciders, compared."""

    both_right: int
    only_first_right: int
    only_second_right: int
    both_wrong: int
    first: float
    """Accuracy of the first."""
    second: float
    difference: float
    """Accuracy of the first minus that of the second."""
    interval: tuple[float, float]
    """Of the difference."""
    p_value: float
    """Two-sided; of both erring equally often."""
    exact: bool
    """Whether the binomial test was used, not the approximation by chi-squared."""


def delong(
    target: ArrayLike, first: ArrayLike, second: ArrayLike, *, level: float = 0.95
) -> DelongResult:
    """Compare the AUC of two scores of the same rows without resampling.

    Variances and covariance are those of DeLong, DeLong and Clarke-Pearson, "Comparing the areas
    under two or more correlated receiver operating characteristic curves: a nonparametric
    approach", Biometrics 44 (1988); the placement values come from midranks in O(n log n) as in Sun
    and Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing Letters 21 (2014).
    Where the two scores order the rows alike the variance of the difference is 0, and the interval
    is one point.

    :param target: shape (rows,), 0 or 1, at least two of each.
    :param level: of the interval, which is a normal one.
    :raises InvalidInput: when the rows cannot be measured.
    """
    import numpy as np

    events, scores_a = check_scored(target, first)
    scores_b = check_scored(target, second)[1]
    if min(int(events.sum()), int((~events).sum())) < 2:
        raise InvalidInput(
            "target",
            f"{int(events.sum())} events in {events.size} rows",
            "DeLong's test needs at least two rows of each class.",
            "Use more rows, or the method bootstrap.",
        )
    sides = [_placements(events, scores) for scores in (scores_a, scores_b)]
    of_events, of_rest = (np.stack([side[part] for side in sides]) for part in (0, 1))
    area_a, area_b = (float(area) for area in of_events.mean(axis=1))
    covariance = np.cov(of_events) / of_events.shape[1] + np.cov(of_rest) / of_rest.shape[1]
    # From the differences, not from the matrix: equal scores give exactly 0.
    variance = _variance_of_mean(of_events) + _variance_of_mean(of_rest)
    difference = area_a - area_b
    return DelongResult(
        area_a,
        area_b,
        difference,
        _normal_interval(difference, math.sqrt(variance), level),
        _two_sided(difference, math.sqrt(variance)),
        (
            (float(covariance[0, 0]), float(covariance[0, 1])),
            (float(covariance[1, 0]), float(covariance[1, 1])),
        ),
    )


def mcnemar(
    target: ArrayLike, first: ArrayLike, second: ArrayLike, *, level: float = 0.95
) -> McnemarResult:
    """Compare the errors of two deciders on the same rows.

    The test is McNemar's ("Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12, 1947): binomial with fewer than
    :data:`EXACT_BELOW` rows on which exactly one is right, else chi-squared with Edwards'
    continuity correction. The interval of the difference in accuracy is Wald's after one half was
    added to each of the four counts (Agresti and Min, "Simple improved confidence intervals for
    comparing matched proportions", Statistics in Medicine 24, 2005).

    :param target: shape (rows,), 0 or 1.
    :param first: shape (rows,), whether the first decider calls the row an event.
    :param second: the same of the second.
    :raises InvalidInput: when there are no rows, or the shapes differ.
    """
    import numpy as np

    truth, called_a, called_b = (np.asarray(side, dtype=bool) for side in (target, first, second))
    if truth.size == 0 or truth.shape != called_a.shape or truth.shape != called_b.shape:
        raise InvalidInput(
            "decisions",
            f"{called_a.shape} and {called_b.shape}",
            f"both deciders decide on each row, the target has {truth.shape}.",
        )
    right_a, right_b = called_a == truth, called_b == truth
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    exact = only_a + only_b < EXACT_BELOW
    return McnemarResult(
        both_right=int((right_a & right_b).sum()),
        only_first_right=only_a,
        only_second_right=only_b,
        both_wrong=int((~right_a & ~right_b).sum()),
        first=float(right_a.mean()),
        second=float(right_b.mean()),
        difference=(only_a - only_b) / truth.size,
        interval=_matched_interval(only_a, only_b, truth.size, level),
        p_value=_binomial(only_a, only_b) if exact else _chi_squared(only_a, only_b),
        exact=exact,
    )


def _placements(events: NDArray[np.bool_], scores: Floats) -> tuple[Floats, Floats]:
    """Return the share of non-events below each event, and of events above each non-event."""
    import numpy as np

    positive, negative = scores[events], scores[~events]
    # Midranks make a tie count one half.
    together = _midranks(np.concatenate([positive, negative]))
    below = (together[: positive.size] - _midranks(positive)) / negative.size
    above = 1.0 - (together[positive.size :] - _midranks(negative)) / positive.size
    return below, above


def _midranks(values: Floats) -> Floats:
    """Return ranks from 1; equal values share the mean of theirs."""
    import numpy as np

    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (counts.cumsum() - (counts - 1) / 2)[group]
    return ranks


def _variance_of_mean(placements: Floats) -> float:
    differences: Floats = placements[0] - placements[1]
    return float(differences.var(ddof=1) / differences.size)


def _normal_interval(value: float, deviation: float, level: float) -> tuple[float, float]:
    reach = _quantile(level) * deviation
    return max(-1.0, value - reach), min(1.0, value + reach)


def _quantile(level: float) -> float:
    if not 0 < level < 1:
        raise InvalidInput("confidence level", level, "it lies between 0 and 1.")
    return NormalDist().inv_cdf((1 + level) / 2)


def _two_sided(value: float, deviation: float) -> float:
    if deviation == 0:
        return 1.0 if value == 0 else 0.0
    return math.erfc(abs(value) / deviation / math.sqrt(2))


def _matched_interval(only_a: int, only_b: int, rows: int, level: float) -> tuple[float, float]:
    a, b, total = only_a + 0.5, only_b + 0.5, rows + 2.0
    value = (a - b) / total
    deviation = math.sqrt(a + b - (a - b) * (a - b) / total) / total
    return _normal_interval(value, deviation, level)


def _binomial(only_a: int, only_b: int) -> float:
    trials = only_a + only_b
    tail = sum(math.comb(trials, hits) for hits in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / (1 << trials))


def _chi_squared(only_a: int, only_b: int) -> float:
    excess = max(0, abs(only_a - only_b) - 1)
    statistic = excess * excess / (only_a + only_b)
    return math.erfc(math.sqrt(statistic / 2))
