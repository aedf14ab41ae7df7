"""Params: written once for each attempt. Used by :mod:`airflow_mltrack.store.runs`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by

from airflow_mltrack.exceptions import Conflict, NotFound, shorten
from airflow_mltrack.store.key_rules import check_params
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import params

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# The share lock on the run keeps a new attempt from opening meanwhile: it would not find these rows
# when it marks the old ones as no longer current.
_LOG = text(
    """
    WITH owner AS MATERIALIZED (
        SELECT attempts.id, attempts.run, runs.experiment_id,
            runs.attempt_id = attempts.id AS current
        FROM attempts JOIN runs ON runs.id = attempts.run
        WHERE attempts.id = :attempt FOR SHARE OF runs
    )
    INSERT INTO params (attempt, run, experiment_id, key, value, current)
    SELECT owner.id, owner.run, owner.experiment_id, given.key, given.value, owner.current
    FROM owner, unnest(CAST(:keys AS text[]), CAST(:values AS text[])) WITH ORDINALITY
        AS given (key, value, position)
    ORDER BY given.position
    ON CONFLICT (attempt, key) DO NOTHING
    """
)

_DIFFERENT = text(
    """
    SELECT params.key, params.value AS old, given.value AS new
    FROM unnest(CAST(:keys AS text[]), CAST(:values AS text[])) AS given (key, value)
        JOIN params ON params.attempt = :attempt AND params.key = given.key
    WHERE params.value <> given.value
    ORDER BY params.key LIMIT 1
    """
)


def log_params(connection: Connection, attempt_id: int, given: Mapping[str, str]) -> None:
    """Write params; see :meth:`airflow_mltrack.store.runs.Runs.log_params`."""
    checked = check_params(given)
    if not checked:
        return
    parameters = {"attempt": attempt_id, "keys": list(checked), "values": list(checked.values())}
    written = connection.execute(_LOG, parameters).rowcount
    if written == len(checked):
        return
    different = connection.execute(_DIFFERENT, parameters).one_or_none()
    if different is not None:
        raise Conflict(
            "param",
            different.key,
            f"it is {shorten(different.old)!r} and cannot become {shorten(different.new)!r}: "
            "params are written once for each attempt.",
            "Log the new value under another key.",
        )
    if written == 0 and not _exists(connection, attempt_id):
        raise NotFound("attempt", attempt_id)


def read_params(connection: Connection, attempt_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """Return the params of many attempts, sorted by key, in one query."""
    # One row for each attempt: a row object costs more than a param.
    query = (
        select(
            params.c.attempt,
            func.array_agg(aggregate_order_by(params.c.key, params.c.key)),
            func.array_agg(aggregate_order_by(params.c.value, params.c.key)),
        )
        .where(among(params.c.attempt, attempt_ids))
        .group_by(params.c.attempt)
    )
    return {
        attempt: dict(zip(keys, values, strict=True))
        for attempt, keys, values in connection.execute(query)
    }


def _exists(connection: Connection, attempt_id: int) -> bool:
    found = connection.scalar(text("SELECT 1 FROM attempts WHERE id = :id"), {"id": attempt_id})
    return found is not None
