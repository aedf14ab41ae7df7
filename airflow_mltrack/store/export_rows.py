"""Reading everything for an export, in bounded memory: rows by the thousand, histories by pieces.

Memory holds a few thousand rows, or some 100,000 points of histories. Only where chunks of one
history overlap (several processes logged the same steps) are these held together: 24 bytes a point,
and about three times as many while they are put in order.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from airflow_mltrack.entities.exports import ColumnKind, ExportSeries, ExportTable
from airflow_mltrack.entities.metrics import MetricSeries
from airflow_mltrack.store.export_tables import TABLES, run_rules
from airflow_mltrack.store.metric_codec import decode_array
from airflow_mltrack.store.metric_history import in_order
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import attempts, metric_chunks, runs

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray
    from sqlalchemy import Row
    from sqlalchemy.engine import Connection

    from airflow_mltrack.entities.exports import ExportScope

METRICS = ExportTable(
    "metrics",
    (
        ("run_id", ColumnKind.TEXT),
        ("attempt", ColumnKind.INTEGER),
        ("key", ColumnKind.TEXT),
        ("step", ColumnKind.INTEGER),
        ("timestamp", ColumnKind.TIME),
        ("value", ColumnKind.NUMBER),
    ),
)
"""Histories in long form: one row for each point."""
_ATTEMPTS_AT_ONCE = 500
_POINTS_AT_ONCE = 131_072
_MOST_CHUNKS = 5_000
_LONGEST_PIECE = 65_536


class ExportRows:
    """Everything that is recorded, table by table, for one scope."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tables(self) -> tuple[ExportTable, ...]:
        """Return the tables that :meth:`rows` reads, with their columns."""
        return tuple(
            ExportTable(name, tuple((key, field.kind) for key, field in query.fields.items()))
            for name, query in TABLES.items()
        )

    def rows(self, table: str, scope: ExportScope) -> Iterator[Sequence[Row[Any]]]:
        """Read a table, some thousand rows at a time; columns come as in :meth:`tables`."""
        query = TABLES[table]
        options = {"yield_per": query.rows_at_once}
        with self._connection.execute(query.select(scope), execution_options=options) as found:
            yield from found.partitions()

    def series(self, scope: ExportScope) -> Iterator[ExportSeries]:
        """Read every point of every metric, attempt by attempt.

        A history is in the order of :meth:`~airflow_mltrack.store.metrics.Metrics.history`, and has
        each point once.
        """
        query = (
            select(attempts.c.id, runs.c.run_id, attempts.c.number)
            .join_from(attempts, runs, attempts.c.run == runs.c.id)
            .where(*run_rules(scope))
            .order_by(attempts.c.id)
            .execution_options(yield_per=_ATTEMPTS_AT_ONCE)
        )
        with self._connection.execute(query) as found:
            for owners in found.partitions():
                yield from self._series_of({owner.id: owner for owner in owners})

    def _series_of(self, owners: Mapping[int, Any]) -> Iterator[ExportSeries]:
        for (attempt, key), chunks in groupby(self._chunks(owners), key=_series_key):
            owner = owners[attempt]
            for piece in in_order(map(_points, chunks), sort=put_in_order):
                for start in range(0, len(piece), _LONGEST_PIECE):
                    points = piece[start : start + _LONGEST_PIECE]
                    yield ExportSeries(owner.run_id, owner.number, key, points)

    def _chunks(self, attempt_ids: Collection[int]) -> Iterator[Any]:
        columns = metric_chunks.c
        longest = select(func.max(columns.points)).where(among(columns.attempt, attempt_ids))
        points = self._connection.scalar(longest) or 1
        query = (
            select(
                columns.attempt,
                columns.key,
                func.array_send(columns.steps).label("steps"),
                func.array_send(columns.timestamps).label("timestamps"),
                func.array_send(columns["values"]).label("numbers"),
            )
            .where(among(columns.attempt, attempt_ids))
            .order_by(columns.attempt, columns.key, columns.first_step, columns.last_step)
            .execution_options(yield_per=max(1, min(_MOST_CHUNKS, _POINTS_AT_ONCE // points)))
        )
        with self._connection.execute(query) as found:
            yield from found


def _series_key(row: Any) -> tuple[int, str]:
    return row.attempt, row.key


def _points(row: Any) -> MetricSeries:
    return MetricSeries(
        decode_array("q", row.steps),
        decode_array("q", row.timestamps),
        decode_array("d", row.numbers),
    )


def put_in_order(series: MetricSeries) -> MetricSeries:
    """Sort points by (step, timestamp, value), NaN after numbers; equal ones become one.

    Does what :mod:`.metric_history` does, for long series: without an object for each point.
    """
    if len(series) < 2:
        return series
    import numpy

    steps, times, values = (
        numpy.frombuffer(column, dtype=kind)
        for column, kind in ((series.steps, "i8"), (series.timestamps, "i8"), (series.values, "f8"))
    )
    if bool((steps[1:] > steps[:-1]).all()):
        return series
    is_nan = numpy.isnan(values)
    numbers = numpy.where(is_nan, 0.0, values)
    order = numpy.lexsort((numbers, is_nan, times, steps))
    new = numpy.ones(len(order), dtype=bool)
    new[1:] = _differs(steps[order]) | _differs(times[order])
    new[1:] |= _differs(numbers[order]) | _differs(is_nan[order])
    kept = order[new]
    return MetricSeries(
        array("q", steps[kept].tobytes()),
        array("q", times[kept].tobytes()),
        array("d", values[kept].tobytes()),
    )


def _differs(column: NDArray[Any]) -> NDArray[numpy.bool_]:
    """Say for all but the first whether it is another than the one before."""
    changed: NDArray[numpy.bool_] = column[1:] != column[:-1]
    return changed
