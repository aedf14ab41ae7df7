"""How differently groups of rows fare: gaps in rates of decisions, or in any metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.intervals import percentile_interval, resampled_metrics
from airflow_mltrack.training.metrics import MetricOptions, metric_value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from airflow_mltrack.training.row_groups import RowGroup

    Floats = NDArray[np.float64]

CALLED, CAUGHT, FALSELY_CALLED = "called_rate", "true_positive_rate", "false_positive_rate"
RATES: dict[str, tuple[str, ...]] = {
    "demographic_parity": (CALLED,),
    "equal_opportunity": (CAUGHT,),
    "predictive_equality": (FALSELY_CALLED,),
    "equalized_odds": (CAUGHT, FALSELY_CALLED),
}
"""Measures of decisions, and the rates whose gap each one is (the larger gap of two): Hardt, Price
and Srebro, "Equality of opportunity in supervised learning" (2016); Chouldechova, "Fair prediction
with disparate impact" (2017)."""


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """Rows with their outcomes, scores, and the score from which a row is called an event."""

    target: NDArray[np.int64]
    """Shape (rows,), 0 or 1."""
    score: Floats
    """Shape (rows,)."""
    threshold: float = 0.5
    options: MetricOptions = field(default_factory=MetricOptions)
    """Constants of some metrics."""

    def of(self, group: RowGroup) -> ScoredRows:
        """Return the rows of one group."""
        return replace(self, target=self.target[group.rows], score=self.score[group.rows])


@dataclass(frozen=True, slots=True)
class GroupValue:
    """One group and what was measured in it."""

    label: str
    rows: int
    events: int
    values: dict[str, float]
    """By name of the rate or metric; empty when the group was not judged."""
    reason: str = ""
    """Why it was not judged."""


@dataclass(frozen=True, slots=True)
class GroupGap:
    """Largest minus smallest value among the groups."""

    value: float
    interval: tuple[float, float]
    of: str
    """Name of the rate or metric that has this gap."""
    highest: str
    """Label of the group with the largest value."""
    lowest: str
    groups: tuple[GroupValue, ...]


def group_gap(
    measure: str,
    groups: Sequence[RowGroup],
    rows: ScoredRows,
    *,
    min_rows: int = 50,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> GroupGap:
    """Measure how far apart groups are.

    The interval is a bootstrap of rows inside every group (inside its classes, where only one of
    them counts). A largest gap grows by resampling, so the interval lies rather too high: an upper
    limit that it keeps is kept.

    :param measure: a key of :data:`RATES`, or a metric, which needs no threshold.
    :param min_rows: groups with fewer rows are not judged.
    :raises InvalidInput: when fewer than two groups can be judged, or scores cannot be measured.
    """
    names = RATES.get(measure, (measure,))
    found = [_group_value(group, names, rows, min_rows) for group in groups]
    judged = [(group, value) for group, value in zip(groups, found, strict=True) if value.values]
    if len(judged) < 2:
        raise InvalidInput("groups", len(judged), f"two are needed. {_reasons(found)}")
    values = [value for _, value in judged]
    gaps = {name: _spread([value.values[name] for value in values]) for name in names}
    of = max(gaps, key=lambda name: gaps[name])
    drawn = _resampled_gap([rows.of(group) for group, _ in judged], names, n, seed)
    return GroupGap(
        value=gaps[of],
        interval=percentile_interval(drawn, level, around=gaps[of]),
        of=of,
        highest=max(values, key=lambda value: value.values[of]).label,
        lowest=min(values, key=lambda value: value.values[of]).label,
        groups=tuple(found),
    )


def unfit_to_judge(
    group: RowGroup, target: NDArray[np.int64], min_rows: int, *, classes: Sequence[int] = (0, 1)
) -> str:
    """Say why nothing can be measured in a group; empty when it can.

    :param classes: which of the two classes must occur.
    """
    if group.rows.size < min_rows:
        return f"fewer than {min_rows} rows"
    events = int(target[group.rows].sum())
    if 1 in classes and events == 0:
        return "no events"
    if 0 in classes and events == group.rows.size:
        return "only events"
    return ""


def _group_value(
    group: RowGroup, names: tuple[str, ...], rows: ScoredRows, min_rows: int
) -> GroupValue:
    needed = sorted({number for name in names for number in _classes(name)})
    reason = unfit_to_judge(group, rows.target, min_rows, classes=needed)
    mine = rows.of(group)
    values = {} if reason else {name: _value(name, mine) for name in names}
    return GroupValue(group.label, group.rows.size, int(mine.target.sum()), values, reason)


def _value(name: str, mine: ScoredRows) -> float:
    if not _is_rate(name):
        return metric_value(name, mine.target, mine.score, options=mine.options)
    return float((mine.score[_counting(name, mine.target)] >= mine.threshold).mean())


def _resampled_gap(
    judged: Sequence[ScoredRows], names: tuple[str, ...], n: int, seed: int
) -> Floats:
    """Return the largest gap of every resample."""
    import numpy as np

    generator = np.random.default_rng(seed)
    gaps = []
    for name in names:
        drawn = np.stack([_resampled(mine, name, n, generator) for mine in judged])
        gaps.append(drawn.max(axis=0) - drawn.min(axis=0))
    largest: Floats = np.max(gaps, axis=0)
    return largest


def _resampled(mine: ScoredRows, name: str, n: int, generator: np.random.Generator) -> Floats:
    """Return the value of one group in every resample."""
    if not _is_rate(name):
        seed = int(generator.integers(1 << 31))
        return resampled_metrics(
            mine.target, mine.score, [name], n=n, seed=seed, options=mine.options
        )[name]
    counting = _counting(name, mine.target)
    of, called = int(counting.sum()), int((mine.score[counting] >= mine.threshold).sum())
    # Drawing rows with replacement and counting those that are called is a binomial draw.
    return generator.binomial(of, called / of, size=n) / of


def _is_rate(name: str) -> bool:
    return name in (CALLED, CAUGHT, FALSELY_CALLED)


def _classes(name: str) -> tuple[int, ...]:
    """Return the classes that must occur."""
    return {CALLED: (), CAUGHT: (1,), FALSELY_CALLED: (0,)}.get(name, (0, 1))


def _counting(name: str, truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the rows that a rate is a share of."""
    import numpy as np

    if name == CALLED:
        return np.ones(truth.size, dtype=bool)
    return np.equal(truth, 1 if name == CAUGHT else 0)


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _reasons(found: Sequence[GroupValue]) -> str:
    told = [f"{value.label}: {value.reason or 'can be judged'}" for value in found[:10]]
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return f"There are {len(found)}: {'; '.join(told)}{more}."
