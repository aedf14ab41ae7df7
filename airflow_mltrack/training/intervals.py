"""Confidence intervals by stratified bootstrap.

Rows are drawn with replacement inside each class (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993). A draw is turned into counts per distinct score straight away: the measures need
nothing else, so no resample is ever sorted.
"""

from __future__ import annotations

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
    import numpy as np

    _check(n, level)
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
    return {name: _percentiles(np.concatenate(parts), level) for name, parts in found.items()}


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
    low, high = _percentiles(np.concatenate(drawn), level)
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


def _percentiles(values: Floats, level: float) -> tuple[float, float]:
    import numpy as np

    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
