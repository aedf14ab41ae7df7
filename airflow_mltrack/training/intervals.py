"""Confidence intervals by stratified bootstrap.

Rows are drawn with replacement inside each class (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993). A draw is turned into counts per distinct score straight away: the measures need
nothing else, so no resample is ever sorted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.metrics import (
    MetricOptions,
    ScoreCounts,
    check_probabilities,
    check_scored,
    measure,
    score_counts,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

LEVEL = 0.95
_CELLS_AT_ONCE = 1 << 18  # keeps a block of resamples inside the processor's cache
_LARGEST = 100_000
_IN_TAILS = 10


def resamples_for(level: float, least: int) -> int:
    """Return how many resamples put at least five into each tail beyond an interval.

    :param level: share of resamples inside the interval.
    :param least: fewest to take.
    """
    return max(least, math.ceil(_IN_TAILS / (1 - level)))


def bootstrap_intervals(
    target: ArrayLike,
    score: ArrayLike,
    names: Sequence[str],
    *,
    n: int = 200,
    seed: int = 0,
    level: float = LEVEL,
    options: MetricOptions | None = None,
) -> dict[str, tuple[float, float]]:
    """Give a percentile interval for each of several metrics, from the same resamples.

    :param target: shape (rows,), 0 or 1.
    :param score: shape (rows,), higher means more likely an event.
    :param names: keys of :data:`~airflow_mltrack.training.metrics.METRICS`.
    :param n: number of resamples.
    :param level: share of resamples inside the interval.
    :return: metric name to (low, high).
    :raises InvalidInput: when a name is unknown or the rows cannot be measured.
    """
    _check(n, level)
    drawn = resampled_metrics(target, score, names, n=n, seed=seed, options=options)
    return {name: percentile_interval(values, level) for name, values in drawn.items()}


def resampled_metrics(
    target: ArrayLike,
    score: ArrayLike,
    names: Sequence[str],
    *,
    n: int = 200,
    seed: int = 0,
    options: MetricOptions | None = None,
) -> dict[str, Floats]:
    """Measure several metrics on the same resamples.

    :return: metric name to its values, shape (n,).
    :raises InvalidInput: when a name is unknown or the rows cannot be measured.
    """
    import numpy as np

    events, scores = check_scored(target, score)
    distinct, group = _groups(scores)
    functions = {name: measure(name) for name in names}
    chosen = options or MetricOptions()
    found: dict[str, list[Floats]] = {name: [] for name in names}
    for rows in _resamples(events, n, seed, width=distinct.size):
        counts = _counted(distinct, group, rows)
        check_probabilities(tuple(names), counts)
        for name, function in functions.items():
            found[name].append(function(counts, chosen))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def percentile_interval(
    values: Floats, level: float, *, around: float | None = None
) -> tuple[float, float]:
    """Return the interval that holds a share of the resampled values.

    :param level: that share.
    :param around: the observed value, where resampling pushes a measure to one side (a largest
        gap, an absolute error): the interval is widened to hold it.
    """
    import numpy as np

    low, high = (float(end) for end in np.quantile(values, [(1 - level) / 2, (1 + level) / 2]))
    return (low, high) if around is None else (min(low, around), max(high, around))


def mean_interval(
    values: ArrayLike, *, n: int = 1000, seed: int = 0, level: float = LEVEL
) -> tuple[float, float]:
    """Give a percentile interval for the mean of one number per row, rows drawn as they are.

    Meant for a few distinct numbers, such as what each row's decision costs: a resample is then one
    multinomial draw.

    :param values: shape (rows,), at least one row.
    """
    import numpy as np

    _check(n, level)
    distinct, counts = np.unique(np.asarray(values, dtype=np.float64), return_counts=True)
    rows = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(rows, counts / rows, size=n)
    return percentile_interval(drawn @ distinct / rows, level)


def paired_difference(
    metric: str,
    target: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = LEVEL,
    options: MetricOptions | None = None,
) -> tuple[float, float, float]:
    """Compare two scores of the same rows: metric of a minus metric of b.

    Both are measured on the same resamples, which cancels what the rows have in common.

    :param metric: a key of :data:`~airflow_mltrack.training.metrics.METRICS`.
    :return: (difference on the rows themselves, low, high).
    :raises InvalidInput: when the name is unknown or the rows cannot be measured.
    """
    import numpy as np

    _check(n, level)
    function, chosen = measure(metric), options or MetricOptions()
    events, first = check_scored(target, score_a)
    second = check_scored(target, score_b)[1]
    sides = [_groups(first), _groups(second)]

    def difference(rows: tuple[Integers, Integers]) -> Floats:
        counted = [_counted(distinct, group, rows) for distinct, group in sides]
        for counts in counted:
            check_probabilities((metric,), counts)
        a, b = (function(counts, chosen) for counts in counted)
        return a - b

    themselves = (np.flatnonzero(events)[None, :], np.flatnonzero(~events)[None, :])
    width = max(distinct.size for distinct, _ in sides)
    drawn = [difference(rows) for rows in _resamples(events, n, seed, width=width)]
    low, high = percentile_interval(np.concatenate(drawn), level)
    return float(difference(themselves)[0]), low, high


def _check(n: int, level: float) -> None:
    if not 1 <= n <= _LARGEST:
        raise InvalidInput("number of resamples", n, f"it lies between 1 and {_LARGEST}.")
    if not 0 < level < 1:
        raise InvalidInput("confidence level", level, "it lies between 0 and 1.")


def _groups(scores: Floats) -> tuple[Floats, Integers]:
    """Return the distinct scores, highest first, and for every row the index of its score."""
    import numpy as np

    distinct, group = np.unique(-scores, return_inverse=True)
    return -distinct, group


def _resamples(
    events: NDArray[np.bool_], n: int, seed: int, *, width: int
) -> Iterator[tuple[Integers, Integers]]:
    """Draw rows of both classes, a block of resamples at a time."""
    import numpy as np

    generator = np.random.default_rng(seed)
    positive, negative = np.flatnonzero(events), np.flatnonzero(~events)
    block = max(1, _CELLS_AT_ONCE // max(width, events.size))
    for start in range(0, n, block):
        size = min(block, n - start)
        yield (
            positive[generator.integers(0, positive.size, (size, positive.size), dtype=np.int32)],
            negative[generator.integers(0, negative.size, (size, negative.size), dtype=np.int32)],
        )


def _counted(distinct: Floats, group: Integers, rows: tuple[Integers, Integers]) -> ScoreCounts:
    """Count the drawn rows per distinct score."""
    positives, negatives = (_histogram(group[drawn], distinct.size) for drawn in rows)
    return score_counts(distinct, positives, negatives)


def _histogram(cells: Integers, width: int) -> Floats:
    """Count, for every line of ``cells``, how often each of ``width`` numbers occurs."""
    import numpy as np

    resamples = cells.shape[0]
    offset = np.arange(resamples, dtype=np.int64)[:, None] * width
    flat = np.bincount((cells + offset).ravel(), minlength=resamples * width)
    return flat.reshape(resamples, width).astype(np.float64)
