"""Do probabilities come true: reliability table and expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.intervals import percentile_interval
from airflow_mltrack.training.metrics import check_scored
from airflow_mltrack.training.quantile_bins import bin_of, quantile_edges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_CELLS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows with about the same probability."""

    low: float
    """Lowest probability in the bin."""
    high: float
    rows: int
    events: int
    mean_score: float
    """What was predicted."""
    event_rate: float
    """What happened."""


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """Expected calibration error of one score."""

    value: float
    """Mean over all rows of the distance between prediction and event rate in the row's bin."""
    interval: tuple[float, float]
    bins: tuple[ReliabilityBin, ...]


def calibration_error(
    target: ArrayLike,
    score: ArrayLike,
    *,
    bins: int = 10,
    n: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> CalibrationError:
    """Measure the expected calibration error over bins of equally many rows.

    The error is that of Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities
    using Bayesian binning" (AAAI 2015), with bins of equal frequency. The interval comes from a
    bootstrap of rows with the bins held fixed. Resampling adds noise to an absolute value, so the
    interval lies rather too high: an upper limit that it keeps is kept.

    :param target: shape (rows,), 0 or 1.
    :param score: shape (rows,), between 0 and 1.
    :param bins: how many; equal probabilities stay together, so there may be fewer.
    :param n: number of resamples.
    :raises InvalidInput: when the rows cannot be measured.
    """
    events, scores = check_scored(target, score)
    lowest, highest = float(scores.min()), float(scores.max())
    if lowest < 0 or highest > 1:
        raise InvalidInput(
            "scores",
            f"{lowest:.4g} to {highest:.4g}",
            "calibration needs probabilities between 0 and 1.",
        )
    number = bin_of(scores, quantile_edges(scores, bins))
    missed = events - scores
    value = float(_errors(number[None, :], missed[None, :])[0])
    drawn = _resampled_errors(number, missed, n, seed)
    interval = percentile_interval(drawn, level, around=value)
    return CalibrationError(value, interval, _reliability(events, scores, number))


def _errors(number: NDArray[np.int64], missed: Floats) -> Floats:
    """Return the error of every line of rows: the sum over bins of what was missed, per row."""
    import numpy as np

    lines, rows = number.shape
    width = int(number.max()) + 1
    cells = number + np.arange(lines)[:, None] * width
    sums = np.bincount(cells.ravel(), weights=missed.ravel(), minlength=lines * width)
    errors: Floats = abs(sums.reshape(lines, width)).sum(axis=1) / rows
    return errors


def _resampled_errors(number: NDArray[np.int64], missed: Floats, n: int, seed: int) -> Floats:
    import numpy as np

    generator = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // number.size)
    found = []
    for start in range(0, n, block):
        drawn = generator.integers(0, number.size, (min(block, n - start), number.size))
        found.append(_errors(number[drawn], missed[drawn]))
    return np.concatenate(found)


def _reliability(
    events: NDArray[np.bool_], scores: Floats, number: NDArray[np.int64]
) -> tuple[ReliabilityBin, ...]:
    found = []
    for which in range(int(number.max()) + 1):
        inside = number == which
        mine, happened = scores[inside], int(events[inside].sum())
        found.append(
            ReliabilityBin(
                low=float(mine.min()),
                high=float(mine.max()),
                rows=mine.size,
                events=happened,
                mean_score=float(mine.mean()),
                event_rate=happened / mine.size,
            )
        )
    return tuple(found)
