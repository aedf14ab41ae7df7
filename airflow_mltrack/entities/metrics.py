"""Numbers that a run measures."""

from __future__ import annotations

from dataclasses import dataclass


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
class LatestMetric:
    """The value that counts for a metric: the highest (step, timestamp, value)."""

    key: str
    value: float
    step: int
    timestamp: int
