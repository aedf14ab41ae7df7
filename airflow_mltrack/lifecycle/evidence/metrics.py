"""What a run measured, each value with its interval where one was recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_mltrack.lifecycle.training import TEST_FILE, VALIDATION_FILE

_TEST = "test_"
_LOW, _HIGH = "_low", "_high"
_REPORT_LIMIT = 32 * 1024 * 1024
_CONFIDENCE = 0.95
"""Level of the intervals in a training's reports."""
REPORT_FILES = {"test": TEST_FILE, "validation": VALIDATION_FILE}
"""Which rows a training's report is about, and its path in the run."""


@dataclass(frozen=True, slots=True)
class MeasuredMetric:
    """One value of a run."""

    name: str
    """Without ``test_`` before it."""
    rows: str
    """``test``, ``validation``, or empty where nothing says on which rows."""
    value: float
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    """Level of the interval; None where it was not recorded."""
    source: str = ""
    """Where the interval comes from: a file of the run, or two other metrics."""


def measured_metrics(
    metrics: Mapping[str, float], reports: Mapping[str, Mapping[str, object]]
) -> list[MeasuredMetric]:
    """Pair a run's metrics with their intervals.

    :param metrics: latest value by key.
    :param reports: ``test`` or ``validation`` to what :func:`read_report` gave.
    :return: those on test rows first, each group by name.
    """
    found = [
        _measured(key, metrics, reports)
        for key in metrics
        if not (_is_bound(key, _LOW, metrics) or _is_bound(key, _HIGH, metrics))
    ]
    order = {"test": 0, "validation": 1}
    return sorted(found, key=lambda metric: (order.get(metric.rows, 2), metric.name))


def read_report(path: Path) -> dict[str, object]:
    """Read a training's report; what is no such report says nothing."""
    if path.stat().st_size > _REPORT_LIMIT:
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _measured(
    key: str, metrics: Mapping[str, float], reports: Mapping[str, Mapping[str, object]]
) -> MeasuredMetric:
    name, rows = key, ""
    if key.startswith(_TEST):
        name, rows = key.removeprefix(_TEST), "test"
    elif key in _mapping(reports.get("validation", {}).get("metrics")):
        rows = "validation"
    bounds = _bounds(_mapping(reports.get(rows, {}).get("intervals")).get(name))
    if bounds is not None:
        file = REPORT_FILES[rows]
        return MeasuredMetric(name, rows, metrics[key], *bounds, _CONFIDENCE, file)
    low, high = f"{key}{_LOW}", f"{key}{_HIGH}"
    if low in metrics and high in metrics:
        source = f"metrics {low} and {high}"
        return MeasuredMetric(name, rows, metrics[key], metrics[low], metrics[high], None, source)
    return MeasuredMetric(name, rows, metrics[key])


def _is_bound(key: str, side: str, metrics: Mapping[str, float]) -> bool:
    name = key.removesuffix(side)
    return name != key and {name, f"{name}{_LOW}", f"{name}{_HIGH}"} <= metrics.keys()


def _bounds(value: object) -> tuple[float, float] | None:
    """Read two finite numbers; a report may hold anything."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in value):
        return None
    try:
        low, high = float(value[0]), float(value[1])
    except OverflowError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
