"""Population stability index: how far two scores of the same rows lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.intervals import percentile_interval
from airflow_mltrack.training.quantile_bins import bin_of, quantile_edges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

SMALLEST_SHARE = 1e-4
"""An empty bin counts as this share of the rows, so that its logarithm exists."""


@dataclass(frozen=True, slots=True)
class StabilityBin:
    """One range of scores and the share of rows in it."""

    low: float | None
    """Scores above this one; None for the first bin."""
    high: float | None
    """Scores up to this one; None for the last bin."""
    expected: float
    """Share of the reference's scores."""
    actual: float
    """Share of the other scores."""
    part: float
    """What the bin adds to the index."""


@dataclass(frozen=True, slots=True)
class Stability:
    """The index and what it is made of."""

    value: float
    interval: tuple[float, float]
    bins: tuple[StabilityBin, ...]


def population_stability(
    expected: ArrayLike,
    actual: ArrayLike,
    *,
    bins: int = 10,
    n: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> Stability:
    """Measure the population stability index between two scores of the same rows.

    The index is the sum over bins of (actual - expected) ln(actual / expected), with ``expected``
    and ``actual`` the shares of rows, at least :data:`SMALLEST_SHARE` (Siddiqi, "Credit Risk
    Scorecards", 2006: below 0.1 is no change worth a look, above 0.25 a large one). The bins hold
    equally many of the reference's scores. The interval is a bootstrap of rows, bins held fixed;
    resampling adds noise, so it lies rather too high.

    :param expected: shape (rows,), the reference, for example the live model's scores.
    :param actual: shape (rows,), the other scores of the same rows.
    :raises InvalidInput: when a score is not finite, the shapes differ, or the reference gives one
        score to all rows, so that there are no bins.
    """
    import numpy as np

    reference, other = (np.asarray(scores, dtype=np.float64) for scores in (expected, actual))
    _check(reference, other)
    edges = quantile_edges(reference, bins)
    width = edges.size + 1
    cells = bin_of(reference, edges) * width + bin_of(other, edges)
    counts = np.bincount(cells, minlength=width * width)
    drawn = np.random.default_rng(seed).multinomial(reference.size, counts / reference.size, size=n)
    shares = _shares(counts[None, :], width)
    parts = _parts(*shares)[0]
    value = float(parts.sum())
    interval = percentile_interval(_parts(*_shares(drawn, width)).sum(axis=1), level, around=value)
    return Stability(value, interval, _table(edges, shares, parts))


def _check(reference: Floats, other: Floats) -> None:
    if reference.ndim != 1 or reference.shape != other.shape or reference.size == 0:
        raise InvalidInput(
            "scores", f"{reference.shape} and {other.shape}", "both score the same rows."
        )
    if not all(bool(abs(scores).max() < float("inf")) for scores in (reference, other)):
        raise InvalidInput("scores", "NaN or infinite", "every score must be a finite number.")
    if bool((reference == reference[0]).all()):
        raise InvalidInput(
            "reference scores",
            f"{reference[0]:.4g} for all {reference.size} rows",
            "they differ between rows, otherwise there are no bins to compare in.",
        )


def _shares(counts: NDArray[np.int64], width: int) -> tuple[Floats, Floats]:
    """Return the shares of both scores per bin, from counts of pairs of bins."""
    pairs = counts.reshape(-1, width, width)
    rows = pairs.sum(axis=(1, 2))[:, None]
    return pairs.sum(axis=2) / rows, pairs.sum(axis=1) / rows


def _parts(expected: Floats, actual: Floats) -> Floats:
    import numpy as np

    e, a = expected.clip(SMALLEST_SHARE), actual.clip(SMALLEST_SHARE)
    parts: Floats = (a - e) * np.log(a / e)
    return parts


def _table(edges: Floats, shares: tuple[Floats, Floats], parts: Floats) -> tuple[StabilityBin, ...]:
    ends: list[float | None] = [None, *(float(edge) for edge in edges), None]
    expected, actual = shares[0][0], shares[1][0]
    return tuple(
        StabilityBin(low, high, float(expected[i]), float(actual[i]), float(parts[i]))
        for i, (low, high) in enumerate(pairwise(ends))
    )
