"""What an export is about, and the form of the tables it gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from airflow_mltrack.entities.metrics import MetricSeries


class ColumnKind(str, Enum):
    """What the values of an exported column are; every one may be missing."""

    TEXT = "text"
    JSON = "json"
    """Text that holds one JSON document."""
    INTEGER = "integer"
    """64 bits."""
    NUMBER = "number"
    """A double; NaN and the infinities are values, not gaps."""
    FLAG = "flag"
    TIME = "time"
    """Microseconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class ExportTable:
    """One exported table."""

    name: str
    columns: tuple[tuple[str, ColumnKind], ...]


@dataclass(frozen=True, slots=True)
class ExportScope:
    """Which runs are exported, with what belongs to them; the registry is always whole."""

    experiment_ids: tuple[int, ...] | None = None
    """None means all."""
    since: datetime | None = None
    """Only runs that started at this time or later."""
    include_deleted: bool = False
    """Also what was deleted and can be restored."""


@dataclass(frozen=True, slots=True)
class ExportSeries:
    """Points of one metric of one attempt, in order; a long history comes in several pieces."""

    run_id: str
    attempt: int
    """Number of the attempt in its run, from 1."""
    key: str
    points: MetricSeries
