"""Metrics: packed histories and the value that counts now."""

from __future__ import annotations

import secrets
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from airflow_mltrack.entities.metrics import LatestMetric, MetricBatch, MetricPoint, MetricSeries
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.key_rules import check_key
from airflow_mltrack.store.metric_codec import COPY_CHUNKS, copy_stream
from airflow_mltrack.store.metric_history import read_series
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import latest_metrics, metric_chunks

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

MERGE_BELOW = 1024
"""Chunks with fewer points are merged when their series is compacted."""
MERGE_INTO = 4096
"""Most points of a chunk that compaction makes."""
_COMPACT_EVERY = 128
"""Small batches to one series between two compactions of it, on average."""
_KEYS_AT_ONCE = 200

# The share lock on the runs keeps a new attempt from opening meanwhile: it would not find these
# rows when it marks the old ones as no longer current.
_OWNERS = text(
    """
    SELECT attempts.id, attempts.run, runs.experiment_id, runs.attempt_id = attempts.id AS current
    FROM attempts JOIN runs ON runs.id = attempts.run
    WHERE attempts.id = ANY(:attempts) ORDER BY runs.id FOR SHARE OF runs
    """
)

# NaN takes part in comparisons as 0, as MLflow has it; the first of equals stays.
_RAISE_LATEST = text(
    """
    INSERT INTO latest_metrics
        (attempt, run, experiment_id, key, value, step, timestamp, current)
    SELECT * FROM unnest(
        CAST(:attempt AS bigint[]), CAST(:run AS bigint[]), CAST(:experiment_id AS bigint[]),
        CAST(:key AS text[]), CAST(:value AS double precision[]), CAST(:step AS bigint[]),
        CAST(:timestamp AS bigint[]), CAST(:current AS boolean[])
    )
    ON CONFLICT (attempt, key) DO UPDATE
    SET value = excluded.value, step = excluded.step, timestamp = excluded.timestamp
    WHERE (excluded.step, excluded.timestamp, COALESCE(NULLIF(excluded.value, 'NaN'), 0))
        > (latest_metrics.step, latest_metrics.timestamp,
           COALESCE(NULLIF(latest_metrics.value, 'NaN'), 0))
    """
)

_FRAGMENTED = text(
    """
    SELECT key FROM metric_chunks WHERE attempt = :attempt AND points < :below
    GROUP BY key HAVING count(*) > 1 ORDER BY key
    """
)

# Writers only add rows, so what is locked here is complete; rows that another compaction holds are
# skipped. Points that were written twice become one.
_MERGE = text(
    """
    WITH small AS (
        SELECT key, batch FROM metric_chunks
        WHERE attempt = :attempt AND key = ANY(:keys) AND points < :below
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM metric_chunks AS chunk USING small
        WHERE chunk.attempt = :attempt AND chunk.key = small.key AND chunk.batch = small.batch
        RETURNING chunk.key, chunk.steps, chunk.timestamps, chunk."values"
    ), points AS (
        SELECT DISTINCT gone.key, point.step, point.at, point.value
        FROM gone, unnest(gone.steps, gone.timestamps, gone."values") AS point (step, at, value)
    ), numbered AS (
        SELECT *,
            (row_number() OVER (PARTITION BY key ORDER BY step, at, value) - 1) / :into AS part
        FROM points
    )
    INSERT INTO metric_chunks
        (attempt, key, batch, points, first_step, last_step, steps, timestamps, "values")
    SELECT :attempt, key, :batch + part, count(*), min(step), max(step),
        array_agg(step ORDER BY step, at, value), array_agg(at ORDER BY step, at, value),
        array_agg(value ORDER BY step, at, value)
    FROM numbered GROUP BY key, part
    """
)


class _Latest(NamedTuple):
    """A candidate for the value that counts."""

    step: int
    timestamp: int
    value: float

    @property
    def rank(self) -> tuple[int, int, float]:
        return self.step, self.timestamp, 0.0 if isnan(self.value) else self.value


class Metrics:
    """What attempts measure: every point, and for each metric the value that counts now.

    Any number of processes may write to the same attempt and metric: no point is lost, and the
    value that counts is the highest (step, timestamp, value) of all.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def log(self, batches: Sequence[MetricBatch]) -> None:
        """Write points. A batch that was written before is ignored; empty batches are, too.

        Made for many points: two round trips and one COPY, whatever the number of batches.

        :raises InvalidInput: a key, step, timestamp or value breaks a rule; nothing is written.
        :raises NotFound: names the attempt that does not exist.
        """
        # Sorted, so that two writers take their row locks in the same order and never deadlock.
        checked = sorted(filter(len, map(_checked, batches)), key=_place)
        if not checked:
            return
        owners = self._lock_owners({batch.attempt_id for batch in checked})
        self._append(checked)
        self._raise_latest(checked, owners)
        self._compact_now_and_then(checked)

    def log_points(
        self, attempt_id: int, points: Sequence[MetricPoint], *, batch: int | None = None
    ) -> None:
        """Write points of any metrics of one attempt.

        :param batch: 63-bit number that makes a repetition of this call harmless; random when None.
        :raises InvalidInput: as :meth:`log`.
        :raises NotFound: there is no such attempt.
        """
        number = secrets.randbits(63) if batch is None else batch
        by_key: dict[str, list[MetricPoint]] = {}
        for point in points:
            by_key.setdefault(point.key, []).append(point)
        self.log(
            [
                MetricBatch(
                    attempt_id=attempt_id,
                    key=key,
                    batch=number,
                    steps=[point.step for point in series],
                    timestamps=[point.timestamp for point in series],
                    values=[point.value for point in series],
                )
                for key, series in by_key.items()
            ]
        )

    def history(
        self,
        attempt_id: int,
        key: str,
        *,
        max_points: int | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> list[MetricPoint]:
        """Return the points of a metric in order of (step, timestamp, value), NaN after numbers.

        Points that were logged twice count once; see :meth:`series` for the parameters and for a
        compact form.
        """
        series = self.series(
            attempt_id, key, max_points=max_points, min_step=min_step, max_step=max_step
        )
        return list(series.points(key))

    def series(
        self,
        attempt_id: int,
        key: str,
        *,
        max_points: int | None = None,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> MetricSeries:
        """Return the history of a metric as arrays; empty when it was never logged.

        :param max_points: a longer history is thinned out: it is cut into stretches of the same
            number of points, and of each the first, the last, the lowest and the highest stay.
        :param min_step: first step that is wanted.
        :param max_step: last step that is wanted.
        :raises InvalidInput: when ``max_points`` is less than 1.
        """
        if max_points is not None and max_points < 1:
            raise InvalidInput("max_points", max_points, "it is at least 1.")
        return read_series(
            self._connection,
            attempt_id,
            key,
            max_points=max_points,
            min_step=min_step,
            max_step=max_step,
        )

    def keys(self, attempt_id: int) -> list[str]:
        """Return the names of an attempt's metrics, sorted."""
        return [metric.key for metric in self.latest(attempt_id)]

    def latest(self, attempt_id: int) -> list[LatestMetric]:
        """Return the value that counts of every metric of an attempt, sorted by key."""
        columns = latest_metrics.c
        query = select(columns.key, columns.value, columns.step, columns.timestamp)
        rows = self._connection.execute(query.where(columns.attempt == attempt_id))
        return sorted((LatestMetric(*row) for row in rows), key=lambda metric: metric.key)

    def latest_many(self, attempt_ids: Sequence[int]) -> Mapping[int, Sequence[LatestMetric]]:
        """Return the values that count of many attempts, each sorted by key, in one query."""
        columns = latest_metrics.c
        query = (
            select(columns.attempt, columns.key, columns.value, columns.step, columns.timestamp)
            .where(among(columns.attempt, attempt_ids))
            .order_by(columns.attempt, columns.key)
        )
        found: dict[int, list[LatestMetric]] = {}
        for attempt, *row in self._connection.execute(query):
            found.setdefault(attempt, []).append(LatestMetric(*row))
        return found

    def compact(self, attempt_id: int) -> None:
        """Merge small chunks of an attempt's histories. Safe while others write or read."""
        parameters = {"attempt": attempt_id, "below": MERGE_BELOW}
        keys = list(self._connection.scalars(_FRAGMENTED, parameters))
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            self._merge(attempt_id, keys[start : start + _KEYS_AT_ONCE])

    def _lock_owners(self, attempt_ids: Iterable[int]) -> Mapping[int, Any]:
        wanted = sorted(attempt_ids)
        rows = self._connection.execute(_OWNERS, {"attempts": wanted})
        owners = {row.id: row for row in rows}
        for attempt_id in wanted:
            if attempt_id not in owners:
                raise NotFound("attempt", attempt_id, "Open a run first.")
        return owners

    def _append(self, batches: Sequence[MetricBatch]) -> None:
        try:
            with self._connection.begin_nested():
                _copy(self._connection, batches)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != "23505":  # unique_violation: a replay
                raise
            self._append_what_is_new(batches)

    def _append_what_is_new(self, batches: Sequence[MetricBatch]) -> None:
        rows = [
            {
                "attempt": batch.attempt_id,
                "key": batch.key,
                "batch": batch.batch,
                "points": len(batch),
                "first_step": min(batch.steps),
                "last_step": max(batch.steps),
                "steps": list(batch.steps),
                "timestamps": list(batch.timestamps),
                "values": list(batch.values),
            }
            for batch in batches
        ]
        self._connection.execute(insert(metric_chunks).on_conflict_do_nothing(), rows)

    def _raise_latest(self, batches: Sequence[MetricBatch], owners: Mapping[int, Any]) -> None:
        highest: dict[tuple[int, str], _Latest] = {}
        for batch in batches:
            place, found = (batch.attempt_id, batch.key), _highest(batch)
            if place not in highest or found.rank > highest[place].rank:
                highest[place] = found
        holders = [owners[attempt_id] for attempt_id, _ in highest]
        self._connection.execute(
            _RAISE_LATEST,
            {
                "attempt": [attempt_id for attempt_id, _ in highest],
                "run": [owner.run for owner in holders],
                "experiment_id": [owner.experiment_id for owner in holders],
                "key": [key for _, key in highest],
                "value": [latest.value for latest in highest.values()],
                "step": [latest.step for latest in highest.values()],
                "timestamp": [latest.timestamp for latest in highest.values()],
                "current": [owner.current for owner in holders],
            },
        )

    def _compact_now_and_then(self, batches: Sequence[MetricBatch]) -> None:
        """Keep series that arrive in small batches readable, at a small cost for each batch."""
        due: dict[int, set[str]] = {}
        for batch in batches:
            # The batch number is random: it draws the lot, and a replay draws the same one.
            lot = zlib.crc32(f"{batch.batch}/{batch.key}".encode()) % _COMPACT_EVERY
            if lot == 0 and len(batch) < MERGE_BELOW:
                due.setdefault(batch.attempt_id, set()).add(batch.key)
        for attempt_id, keys in due.items():
            self._merge(attempt_id, sorted(keys))

    def _merge(self, attempt_id: int, keys: Sequence[str]) -> None:
        self._connection.execute(
            _MERGE,
            {
                "attempt": attempt_id,
                "keys": list(keys),
                "below": MERGE_BELOW,
                "into": MERGE_INTO,
                "batch": secrets.randbits(62),
            },
        )


def _place(batch: MetricBatch) -> tuple[int, str, int]:
    return batch.attempt_id, batch.key, batch.batch


def _checked(batch: MetricBatch) -> MetricBatch:
    """Return the batch with arrays, when every part of it may be stored."""
    key = check_key("metric key", batch.key)
    steps = _numbers("q", batch.steps, f"step of metric {key}", "it is a 64-bit integer.")
    timestamps = _numbers(
        "q",
        batch.timestamps,
        f"timestamp of metric {key}",
        "it is milliseconds since 1970, 0 or more.",
    )
    values = _numbers("d", batch.values, f"value of metric {key}", "it is a number.")
    if not len(steps) == len(timestamps) == len(values):
        sizes = f"{len(steps)} steps, {len(timestamps)} timestamps, {len(values)} values"
        raise InvalidInput(f"batch of metric {key}", sizes, "there are as many of each.")
    if steps and min(timestamps) < 0:
        raise InvalidInput(
            f"timestamp of metric {key}",
            min(timestamps),
            "it is milliseconds since 1970, 0 or more.",
        )
    if not 0 <= batch.batch < 2**63:
        raise InvalidInput(f"batch number of metric {key}", batch.batch, "it has 63 bits.")
    return MetricBatch(batch.attempt_id, key, batch.batch, steps, timestamps, values)


def _numbers(typecode: str, given: Sequence[Any], what: str, rule: str) -> array[Any]:
    if isinstance(given, array) and given.typecode == typecode:
        return given
    try:
        # Through a list: array() would take bytes as machine values and other arrays by their type.
        return array(typecode, list(given))
    except (TypeError, ValueError, OverflowError) as error:
        wrong = next((item for item in given if not _fits(typecode, item)), given)
        raise InvalidInput(what, wrong, rule) from error


def _fits(typecode: str, item: Any) -> bool:
    try:
        array(typecode, [item])
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _highest(batch: MetricBatch) -> _Latest:
    """Return the point that counts; points nearly always come in order of steps."""
    step = max(batch.steps)
    if batch.steps[-1] == step and batch.steps.count(step) == 1:
        return _Latest(step, batch.timestamps[-1], batch.values[-1])
    points = zip(batch.steps, batch.timestamps, batch.values, strict=True)
    return max((_Latest(*point) for point in points if point[0] == step), key=lambda it: it.rank)


def _copy(connection: Connection, batches: Iterable[MetricBatch]) -> None:
    import psycopg

    raw: Any = connection.connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(COPY_CHUNKS) as copy:
            for part in copy_stream(batches):
                copy.write(part)
    except psycopg.Error as error:
        # Words of the driver, as SQLAlchemy would have wrapped them: the engine translates those.
        raise DBAPIError.instance(None, None, error, psycopg.Error) from error
