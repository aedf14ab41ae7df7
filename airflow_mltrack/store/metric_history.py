"""Reading a metric's history: chunks put in order, long histories thinned out.

Chunks that follow each other are held in memory one at a time.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from math import ceil, isnan, nan
from operator import lt
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from airflow_mltrack.entities.metrics import MetricSeries
from airflow_mltrack.store.metric_codec import decode_array
from airflow_mltrack.store.tables import metric_chunks

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection

_CHUNKS_AT_ONCE = 64
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


def read_series(
    connection: Connection,
    attempt_id: int,
    key: str,
    *,
    max_points: int | None,
    min_step: int | None,
    max_step: int | None,
) -> MetricSeries:
    """Read a history; see :meth:`airflow_mltrack.store.metrics.Metrics.series`."""
    columns = metric_chunks.c
    first = _LOWEST if min_step is None else max(min_step, _LOWEST)
    last = _HIGHEST if max_step is None else min(max_step, _HIGHEST)
    where = (
        (columns.attempt == attempt_id)
        & (columns.key == key)
        & (columns.last_step >= first)
        & (columns.first_step <= last)
    )
    total = 0 if max_points is None else _count(connection, where, first, last)
    pieces = in_order(_chunks(connection, where, first, last))
    if max_points is not None and total > max_points:
        pieces = thinned(pieces, total=total, max_points=max_points)
    return _joined(pieces)


def _count(connection: Connection, where: ColumnElement[bool], first: int, last: int) -> int:
    """Count points; those that were written twice and not merged yet count twice."""
    columns = metric_chunks.c
    step = func.unnest(columns.steps).column_valued("step")
    inside = select(func.count()).where(step.between(first, last))
    whole = (columns.first_step >= first) & (columns.last_step <= last)
    points = case((whole, columns.points), else_=inside.scalar_subquery())
    return int(connection.scalar(select(func.coalesce(func.sum(points), 0)).where(where)) or 0)


def _chunks(
    connection: Connection, where: ColumnElement[bool], first: int, last: int
) -> Iterator[MetricSeries]:
    columns = metric_chunks.c
    query = (
        select(
            columns.first_step,
            columns.last_step,
            func.array_send(columns.steps).label("steps"),
            func.array_send(columns.timestamps).label("timestamps"),
            func.array_send(columns["values"]).label("numbers"),
        )
        .where(where)
        .order_by(columns.first_step, columns.last_step)
        .execution_options(yield_per=_CHUNKS_AT_ONCE)
    )
    with connection.execute(query) as rows:
        for row in rows:
            chunk = MetricSeries(
                decode_array("q", row.steps),
                decode_array("q", row.timestamps),
                decode_array("d", row.numbers),
            )
            inside = row.first_step >= first and row.last_step <= last
            yield chunk if inside else _between(chunk, first, last)


def _between(chunk: MetricSeries, first: int, last: int) -> MetricSeries:
    return _series(
        point
        for point in zip(chunk.steps, chunk.timestamps, chunk.values, strict=True)
        if first <= point[0] <= last
    )


def in_order(
    chunks: Iterable[MetricSeries], *, sort: Callable[[MetricSeries], MetricSeries] | None = None
) -> Iterator[MetricSeries]:
    """Give all points in order, each once. Chunks come by first step and may overlap.

    :param sort: another way to put overlapping chunks in order.
    """
    sort = sort or _sorted
    overlapping, highest = MetricSeries(), _LOWEST
    for chunk in filter(len, chunks):
        if len(overlapping) and min(chunk.steps) > highest:
            yield sort(overlapping)
            overlapping = MetricSeries()
        overlapping.extend(chunk)
        last = max(chunk.steps)
        highest = max(highest, last)
    if len(overlapping):
        yield sort(overlapping)


def _sorted(series: MetricSeries) -> MetricSeries:
    if all(map(lt, series.steps, islice(series.steps, 1, None))):
        return series
    # NaN is not equal to itself and cannot be sorted: a flag stands in for it.
    points = {
        (step, timestamp, isnan(value), 0.0 if isnan(value) else value)
        for step, timestamp, value in zip(
            series.steps, series.timestamps, series.values, strict=True
        )
    }
    return _series(
        (step, timestamp, nan if is_nan else value)
        for step, timestamp, is_nan, value in sorted(points)
    )


def thinned(
    pieces: Iterable[MetricSeries], *, total: int, max_points: int
) -> Iterator[MetricSeries]:
    """Keep the first, last, lowest and highest point of every stretch of the same length.

    :param total: at least as many points as ``pieces`` hold.
    :param max_points: the most points to give.
    """
    length = ceil(total / max(1, max_points // 4))
    for stretch in _stretches(pieces, length):
        yield _extremes(stretch, max_points)


def _stretches(pieces: Iterable[MetricSeries], length: int) -> Iterator[MetricSeries]:
    waiting = MetricSeries()
    for piece in pieces:
        waiting.extend(piece)
        whole = len(waiting) - len(waiting) % length
        for start in range(0, whole, length):
            yield waiting[start : start + length]
        waiting = waiting[whole:]
    if len(waiting):
        yield waiting


def _extremes(stretch: MetricSeries, limit: int) -> MetricSeries:
    """Thin out one stretch. Its numbers count before NaN, the last point before all others."""
    chosen = [len(stretch) - 1, 0]
    numbers = [value for value in stretch.values if not isnan(value)]
    if numbers:
        chosen += [stretch.values.index(max(numbers)), stretch.values.index(min(numbers))]
    places = sorted(list(dict.fromkeys(chosen))[:limit])
    return _series(
        (stretch.steps[place], stretch.timestamps[place], stretch.values[place]) for place in places
    )


def _series(points: Iterable[tuple[int, int, float]]) -> MetricSeries:
    columns: list[Any] = list(zip(*points, strict=True)) or [(), (), ()]
    return MetricSeries(array("q", columns[0]), array("q", columns[1]), array("d", columns[2]))


def _joined(pieces: Iterable[MetricSeries]) -> MetricSeries:
    joined = MetricSeries()
    for piece in pieces:
        joined.extend(piece)
    return joined
