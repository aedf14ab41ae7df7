"""Attempts: their end, their signs of life. Used by :mod:`airflow_mltrack.store.runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import func, text, update

from airflow_mltrack.entities.runs import Attempt, RunStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.run_rows import SELECT_ATTEMPTS, attempt_entity
from airflow_mltrack.store.tables import attempts

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy.engine import Connection

_ERROR_LIMIT = 8_000
UNWATCHED = {"watched": False}
"""In the details of an attempt that gives no signs of life and is never closed for its silence."""

# Locks the run before the attempt, as opening does: the other order could deadlock with it.
_SET_STATUS = text(
    """
    WITH run AS MATERIALIZED (
        SELECT runs.id FROM runs JOIN attempts ON attempts.run = runs.id
        WHERE attempts.id = :attempt FOR NO KEY UPDATE OF runs
    ), changed AS (
        UPDATE attempts SET status = :status, error = COALESCE(:error, error),
            ended_at = CASE WHEN :is_terminal
                THEN COALESCE(CAST(:ended_at AS timestamptz), clock_timestamp()) END
        FROM run
        WHERE attempts.id = :attempt AND attempts.run = run.id
            AND attempts.status IN ('RUNNING', 'SCHEDULED') AND attempts.status <> :status
        RETURNING attempts.id, attempts.status, attempts.ended_at
    ), latest AS (
        UPDATE runs SET status = changed.status, ended_at = changed.ended_at
        FROM changed WHERE runs.attempt_id = changed.id
    )
    SELECT id FROM changed
    """
)

_OVERWRITE_STATUS = text(
    """
    WITH run AS MATERIALIZED (
        SELECT runs.id FROM runs JOIN attempts ON attempts.run = runs.id
        WHERE attempts.id = :attempt FOR NO KEY UPDATE OF runs
    ), changed AS (
        UPDATE attempts SET status = :status,
            ended_at = CASE WHEN :is_terminal
                THEN COALESCE(CAST(:ended_at AS timestamptz), clock_timestamp()) END
        FROM run
        WHERE attempts.id = :attempt AND attempts.run = run.id AND attempts.attempt_key IS NULL
        RETURNING attempts.id, attempts.status, attempts.ended_at
    ), latest AS (
        UPDATE runs SET status = changed.status, ended_at = changed.ended_at
        FROM changed WHERE runs.attempt_id = changed.id
    )
    SELECT id FROM changed
    """
)

_CLOSE = """
    WITH run AS MATERIALIZED (
        SELECT runs.id FROM runs JOIN attempts ON attempts.run = runs.id
        WHERE attempts.status = 'RUNNING' AND {which}
        ORDER BY runs.id FOR NO KEY UPDATE OF runs
    ), changed AS (
        UPDATE attempts SET status = :status, ended_at = clock_timestamp(),
            error = COALESCE(:error, error)
        FROM run JOIN runs ON runs.id = run.id
        WHERE attempts.run = run.id AND attempts.status = 'RUNNING' AND {which}
        RETURNING attempts.id, attempts.status, attempts.ended_at
    ), latest AS (
        UPDATE runs SET status = changed.status, ended_at = changed.ended_at
        FROM changed WHERE runs.attempt_id = changed.id
    )
    SELECT id FROM changed ORDER BY id
    """

_UNDER_KEY = "(attempts.attempt_key = :key OR starts_with(attempts.attempt_key, :key || ':'))"
_CLOSE_KEY = text(_CLOSE.format(which=_UNDER_KEY))

_CLOSE_SILENT = text(
    _CLOSE.format(
        which="""
            attempts.id = :attempt
            AND NOT attempts.details @> '{"watched": false}'
            AND attempts.heartbeat_at < clock_timestamp() - CAST(:silent_for AS interval)
        """
    )
)

_CLOSE_PLACE = text(
    _CLOSE.format(
        which=f"""
            runs.dag_id = :dag_id AND runs.dag_run_id = :dag_run_id
            AND (CAST(:task_id AS text) IS NULL OR runs.task_id = :task_id)
            AND (CAST(:map_index AS integer) IS NULL OR runs.map_index = :map_index)
            AND (CAST(:key AS text) IS NULL OR NOT {_UNDER_KEY})
            AND (CAST(:silent_for AS interval) IS NULL
                OR attempts.heartbeat_at < clock_timestamp() - CAST(:silent_for AS interval))
        """
    )
)


class AirflowPlace(TypedDict):
    """A task of a Dag run; None stands for any."""

    dag_id: str
    dag_run_id: str
    task_id: str | None
    map_index: int | None


def get_attempt(connection: Connection, attempt_id: int) -> Attempt:
    """Return an attempt by number.

    :raises NotFound: there is none.
    """
    row = connection.execute(SELECT_ATTEMPTS.where(attempts.c.id == attempt_id)).one_or_none()
    if row is None:
        raise NotFound("attempt", attempt_id)
    return attempt_entity(row)


def set_status(
    connection: Connection,
    attempt_id: int,
    status: RunStatus,
    *,
    ended_at: datetime | None,
    error: str | None,
) -> bool:
    """Change an attempt's status; see :meth:`airflow_mltrack.store.runs.Runs.set_status`."""
    parameters = {
        "attempt": attempt_id,
        "status": status.value,
        "is_terminal": status.is_terminal,
        "ended_at": ended_at,
        "error": storable_error(error),
    }
    if connection.execute(_SET_STATUS, parameters).one_or_none() is not None:
        return True
    current = get_attempt(connection, attempt_id)
    if current.status is status:
        return False
    raise Conflict(
        "attempt",
        attempt_id,
        f"it ended as {current.status.value} and cannot become {status.value}.",
        "Open a new attempt.",
    )


def overwrite_status(
    connection: Connection, attempt_id: int, status: RunStatus, *, ended_at: datetime | None
) -> bool:
    """Set a status; see :meth:`airflow_mltrack.store.runs.Runs.overwrite_status`."""
    parameters = {
        "attempt": attempt_id,
        "status": status.value,
        "is_terminal": status.is_terminal,
        "ended_at": ended_at,
    }
    if connection.execute(_OVERWRITE_STATUS, parameters).one_or_none() is not None:
        return True
    get_attempt(connection, attempt_id)
    return False


def heartbeat(connection: Connection, attempt_id: int) -> None:
    """Note a sign of life; an attempt that ended is left as it is."""
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt_id, attempts.c.status == RunStatus.RUNNING.value)
        .values(heartbeat_at=func.clock_timestamp())
    )


def stale(connection: Connection, *, silent_for: timedelta) -> list[Attempt]:
    """Return running attempts without a sign of life for that long, the oldest sign first."""
    query = SELECT_ATTEMPTS.where(
        attempts.c.status == RunStatus.RUNNING.value,
        attempts.c.heartbeat_at < func.clock_timestamp() - silent_for,
        ~attempts.c.details.contains(UNWATCHED),
    )
    rows = connection.execute(query.order_by(attempts.c.heartbeat_at, attempts.c.id))
    return [attempt_entity(row) for row in rows]


def close_silent(
    connection: Connection,
    attempt_id: int,
    status: RunStatus,
    *,
    silent_for: timedelta,
    error: str | None,
) -> bool:
    """Close an attempt if it runs and is silent at this very moment; return whether it was."""
    parameters = {
        "attempt": attempt_id,
        "status": status.value,
        "silent_for": silent_for,
        "error": storable_error(error),
    }
    return connection.execute(_CLOSE_SILENT, parameters).one_or_none() is not None


def close_attempt_key(
    connection: Connection, attempt_key: str, status: RunStatus, *, error: str | None
) -> list[int]:
    """Close the running attempt of a key and of every trial run under it; return their numbers."""
    if not status.is_terminal:
        raise InvalidInput("status", status.value, "closing takes FINISHED, FAILED or KILLED.")
    parameters = {"key": attempt_key, "status": status.value, "error": storable_error(error)}
    return list(connection.scalars(_CLOSE_KEY, parameters))


def close_place(
    connection: Connection,
    place: AirflowPlace,
    status: RunStatus,
    *,
    spare: str | None,
    silent_for: timedelta | None,
    error: str | None,
) -> list[int]:
    """Close running attempts of an Airflow task or Dag run; return their numbers."""
    parameters = {
        **place,
        "key": spare,
        "silent_for": silent_for,
        "status": status.value,
        "error": storable_error(error),
    }
    return list(connection.scalars(_CLOSE_PLACE, parameters))


def storable_error(error: str | None) -> str | None:
    """Make an error's text fit for the database: it comes from anywhere and is never refused."""
    if error is None:
        return None
    kept = error.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return kept if len(kept) <= _ERROR_LIMIT else f"{kept[: _ERROR_LIMIT - 1]}…"
