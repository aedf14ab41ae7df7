"""Numbers that a run measures."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One measured value."""

    key: str
    """1 to 250 characters: letters, digits, ``_ - . / :`` and space."""
    value: float
    """Any float, also NaN and the infinities."""
    step: int = 0
    """64-bit integer, may be negative."""
    timestamp: int = 0
    """Milliseconds since 1970-01-01 UTC, not negative."""


@dataclass(frozen=True, slots=True)
class MetricBatch:
    """Points of one metric that are written together. The three sequences have the same length.

    ``array.array`` of type ``q``, ``q`` and ``d`` is the fast way; any sequence of numbers works.
    """

    attempt_id: int
    key: str
    batch: int
    """63-bit number chosen by the writer; the same (attempt, key, batch) again is ignored."""
    steps: Sequence[int]
    timestamps: Sequence[int]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """Points of one metric as three arrays of the same length, by (step, timestamp, value).

    24 bytes a point: the way to hold or send long histories.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    timestamps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, part: slice) -> MetricSeries:
        return MetricSeries(self.steps[part], self.timestamps[part], self.values[part])

    def extend(self, other: MetricSeries) -> None:
        """Put the points of another series behind the last one."""
        self.steps.extend(other.steps)
        self.timestamps.extend(other.timestamps)
        self.values.extend(other.values)

    def points(self, key: str) -> Iterator[MetricPoint]:
        """Give the points one by one as points of metric ``key``."""
        for step, timestamp, value in zip(self.steps, self.timestamps, self.values, strict=True):
            yield MetricPoint(key, value, step, timestamp)


@dataclass(frozen=True, slots=True)
class LatestMetric:
    """The value that counts for a metric: the highest (step, timestamp, value)."""

    key: str
    value: float
    step: int
    timestamp: int
