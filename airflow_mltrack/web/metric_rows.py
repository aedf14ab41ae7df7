"""Puts what a model scored on validation and on test rows, and the interval, into one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_TEST = "test_"


@dataclass(frozen=True, slots=True)
class Measured:
    """A value with its interval, where one was logged as ``NAME_low`` and ``NAME_high``."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric."""

    name: str
    plain: Measured | None
    """As logged under its own name: on validation rows, or whatever the run measures."""
    test: Measured | None
    """As logged with the prefix ``test_``."""


def metric_rows(metrics: Mapping[str, float]) -> list[MetricRow]:
    """Return the metrics by name; those measured on test rows too come first."""
    test = _measured({k.removeprefix(_TEST): v for k, v in metrics.items() if k.startswith(_TEST)})
    plain = _measured({k: v for k, v in metrics.items() if not k.startswith(_TEST)})
    names = sorted({*test, *plain}, key=lambda name: (name not in test, name))
    return [MetricRow(name, plain.get(name), test.get(name)) for name in names]


def without_bounds(metrics: Mapping[str, float]) -> dict[str, float]:
    """Leave out the ends of intervals."""
    bounded = {key for key in metrics if {f"{key}_low", f"{key}_high"} <= metrics.keys()}
    bounds = {f"{key}_{side}" for key in bounded for side in ("low", "high")}
    return {key: value for key, value in metrics.items() if key not in bounds}


def _measured(metrics: Mapping[str, float]) -> dict[str, Measured]:
    return {
        key: Measured(value, metrics.get(f"{key}_low"), metrics.get(f"{key}_high"))
        for key, value in without_bounds(metrics).items()
    }
