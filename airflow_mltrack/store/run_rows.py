"""Rows of runs and attempts as entities; shared by everything in the store that lists runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, ColumnElement, Row, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.runs import Attempt, Run, RunStatus
from airflow_mltrack.store.tables import attempts, run_tags, runs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_PARENT = runs.alias("parent")
_TAGS = (
    select(func.jsonb_object_agg(run_tags.c.key, run_tags.c.value, type_=JSONB))
    .where(run_tags.c.run == runs.c.id)
    .scalar_subquery()
)

SELECT_RUNS = select(
    runs, _PARENT.c.run_id.label("parent_run_id"), _TAGS.label("tags")
).select_from(runs.outerjoin(_PARENT, runs.c.parent_id == _PARENT.c.id))
"""Everything of a run; rows go through :func:`run_entity`."""

SELECT_ATTEMPTS = select(attempts, runs.c.run_id).join_from(
    attempts, runs, attempts.c.run == runs.c.id
)
"""Everything of an attempt; rows go through :func:`attempt_entity`."""


def among(column: ColumnElement[Any], values: Iterable[object]) -> ColumnElement[bool]:
    """Select rows whose column has one of many values.

    One bound array: Postgres takes 65,535 parameters and no more, and IN makes one of each value.
    """
    # Not ==, which SQLAlchemy 2.0 negates to "<> ANY": true as soon as one value is another.
    return column.op("=", is_comparison=True)(func.any(literal(list(values), ARRAY(column.type))))


def run_entity(row: Row[Any]) -> Run:
    """Build a run from a row of :data:`SELECT_RUNS`."""
    return Run(
        run_id=row.run_id,
        experiment_id=row.experiment_id,
        name=row.name,
        status=RunStatus(row.status),
        lifecycle=Lifecycle(row.lifecycle),
        started_at=row.started_at,
        ended_at=row.ended_at,
        user=row.user,
        attempt_id=row.attempt_id,
        attempt_number=row.attempt_number,
        parent_run_id=row.parent_run_id,
        dag_id=row.dag_id,
        dag_run_id=row.dag_run_id,
        task_id=row.task_id,
        map_index=row.map_index,
        artifact_root=row.artifact_root,
        tags=row.tags or {},
    )


def attempt_entity(row: Row[Any]) -> Attempt:
    """Build an attempt from a row of :data:`SELECT_ATTEMPTS`."""
    return Attempt(
        attempt_id=row.id,
        run_id=row.run_id,
        number=row.number,
        attempt_key=row.attempt_key,
        status=RunStatus(row.status),
        started_at=row.started_at,
        ended_at=row.ended_at,
        heartbeat_at=row.heartbeat_at,
        try_number=row.try_number,
        details=row.details,
        error=row.error,
    )
