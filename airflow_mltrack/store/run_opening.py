"""Opening a run: a new one, the next attempt of one, or the attempt that is open already."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import bindparam

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.runs import Attempt, Run, RunIdentity, RunStatus
from airflow_mltrack.exceptions import Conflict, NotFound
from airflow_mltrack.store.run_rows import (
    SELECT_ATTEMPTS,
    SELECT_RUNS,
    attempt_entity,
    run_entity,
)
from airflow_mltrack.store.tables import attempts, experiments, runs

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Row
    from sqlalchemy.engine import Connection


@dataclass(frozen=True, slots=True)
class Opening:
    """What somebody asked to open; already checked."""

    run_id: str
    experiment_id: int
    name: str
    user: str
    status: RunStatus
    parent_run_id: str | None
    started_at: datetime | None
    identity: RunIdentity | None
    tags: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)
    """Of an attempt without identity."""

    def parameters(self) -> dict[str, object]:
        """Bind parameters of the statements below."""
        identity = self.identity or RunIdentity(logical_key="", attempt_key="")
        return {
            "run_id": self.run_id,
            "experiment_id": self.experiment_id,
            "name": self.name,
            "user": self.user,
            "status": self.status.value,
            "parent_run_id": self.parent_run_id,
            "started_at": self.started_at,
            "logical_key": identity.logical_key or None,
            "attempt_key": identity.attempt_key or None,
            "dag_id": identity.dag_id,
            "dag_run_id": identity.dag_run_id,
            "task_id": identity.task_id,
            "map_index": identity.map_index,
            "try_number": identity.try_number,
            "details": {**self.details, **identity.details},
            "tag_keys": list(self.tags),
            "tag_values": list(self.tags.values()),
        }


# Run, first attempt and tags in one round trip: a sweep opens thousands of runs. No row comes back
# when the run exists, or when the experiment or the parent does not.
_OPEN_NEW = text(
    """
    WITH experiment AS (
        SELECT id, artifact_root FROM experiments
        WHERE id = :experiment_id AND lifecycle = 'active'
    ), parent AS (
        SELECT id FROM runs WHERE run_id = :parent_run_id
    ), opened AS (
        INSERT INTO runs (
            run_id, experiment_id, name, parent_id, status, started_at, "user", logical_key,
            dag_id, dag_run_id, task_id, map_index, attempt_id, attempt_number, artifact_root
        )
        SELECT :run_id, experiment.id, :name, (SELECT id FROM parent), :status,
            COALESCE(CAST(:started_at AS timestamptz), clock_timestamp()), :user, :logical_key,
            :dag_id, :dag_run_id, :task_id, :map_index, nextval('attempts_id_seq'), 1,
            experiment.artifact_root || '/' || :run_id || '/1/artifacts'
        FROM experiment
        WHERE CAST(:parent_run_id AS text) IS NULL OR EXISTS (SELECT FROM parent)
        ON CONFLICT DO NOTHING
        RETURNING *
    ), first_attempt AS (
        INSERT INTO attempts (id, run, number, attempt_key, status, started_at, try_number, details)
        SELECT attempt_id, id, 1, :attempt_key, status, started_at, :try_number, :details
        FROM opened
        ON CONFLICT (attempt_key) DO NOTHING
        RETURNING *
    ), tagged AS (
        INSERT INTO run_tags (run, experiment_id, key, value)
        SELECT opened.id, opened.experiment_id, tag.key, tag.value
        FROM opened, unnest(CAST(:tag_keys AS text[]), CAST(:tag_values AS text[]))
            AS tag (key, value)
    )
    SELECT opened.attempt_id, opened.started_at, opened.artifact_root,
        first_attempt.id AS first_attempt, first_attempt.heartbeat_at
    FROM opened LEFT JOIN first_attempt ON true
    """
).bindparams(bindparam("details", type_=JSONB))

# The run's row is locked by the caller, so its number cannot change in between. Its place in
# Airflow is the new attempt's: another worker may have taken a trial over, and the end of the first
# worker's task must not close it.
_OPEN_NEXT = text(
    """
    WITH superseded AS (
        UPDATE attempts SET status = 'KILLED', ended_at = clock_timestamp(),
            error = 'superseded by attempt ' || :number
        WHERE run = :run AND status IN ('RUNNING', 'SCHEDULED')
    ), old_params AS (
        UPDATE params SET current = false WHERE run = :run AND current
    ), old_metrics AS (
        UPDATE latest_metrics SET current = false WHERE run = :run AND current
    ), next_attempt AS (
        INSERT INTO attempts (run, number, attempt_key, status, started_at, try_number, details)
        VALUES (:run, :number, :attempt_key, :status,
            COALESCE(CAST(:started_at AS timestamptz), clock_timestamp()), :try_number, :details)
        ON CONFLICT (attempt_key) DO NOTHING
        RETURNING *
    ), tagged AS (
        INSERT INTO run_tags (run, experiment_id, key, value)
        SELECT :run, :experiment_id, tag.key, tag.value
        FROM unnest(CAST(:tag_keys AS text[]), CAST(:tag_values AS text[])) AS tag (key, value)
        ON CONFLICT (run, key) DO UPDATE SET value = excluded.value
    )
    UPDATE runs SET status = next_attempt.status, started_at = next_attempt.started_at,
        ended_at = NULL, attempt_id = next_attempt.id, attempt_number = next_attempt.number,
        lifecycle = 'active', deleted_at = NULL, dag_id = :dag_id, dag_run_id = :dag_run_id,
        task_id = :task_id, map_index = :map_index,
        artifact_root = experiments.artifact_root || '/' || runs.run_id || '/' || :number
            || '/artifacts'
    FROM next_attempt, experiments
    WHERE runs.id = :run AND experiments.id = runs.experiment_id
    RETURNING runs.id
    """
).bindparams(bindparam("details", type_=JSONB))


def open_run(connection: Connection, opening: Opening) -> tuple[Run, Attempt]:
    """Open what was asked for; see :meth:`airflow_mltrack.store.runs.Runs.open`."""
    row = connection.execute(_OPEN_NEW, opening.parameters()).one_or_none()
    if row is None:
        return _open_existing(connection, opening)
    if row.first_attempt is None:
        raise _taken_attempt(opening)
    return _new_run(opening, row), _new_attempt(opening, row)


def random_run_id() -> str:
    """Return 32 random hexadecimal characters."""
    return uuid.uuid4().hex


_ADJECTIVES = (
    "able amber bold brave bright brisk calm clear clever crisp deft eager fair fast fine free "
    "fresh gentle glad golden grand green happy honest keen kind light lively lucky mellow merry "
    "mild neat noble patient plain proud quick quiet rapid ready rosy sharp silver smooth solid "
    "steady still strong sunny swift tidy vivid warm wise witty"
)
_ANIMALS = (
    "ant badger bear beaver bison bee crane crow deer dolphin dove duck eagle elk falcon finch fox "
    "frog gecko goat goose hare hawk heron horse ibex jay kite koala lark lemur lion llama lynx "
    "marten mole moose newt otter owl panda parrot pony puffin quail rabbit raven robin salmon "
    "seal sheep sparrow stork swan tiger toad trout turtle whale wolf wren yak zebra"
)


def readable_name(run_id: str) -> str:
    """Return a name such as ``brave-otter-41``, the same for the same id."""
    number = uuid.uuid5(uuid.NAMESPACE_OID, run_id).int
    adjectives, animals = _ADJECTIVES.split(), _ANIMALS.split()
    number, adjective = divmod(number, len(adjectives))
    number, animal = divmod(number, len(animals))
    return f"{adjectives[adjective]}-{animals[animal]}-{number % 100}"


def _open_existing(connection: Connection, opening: Opening) -> tuple[Run, Attempt]:
    if opening.identity is None:
        raise _refusal(connection, opening)
    # NO KEY UPDATE waits for other openers and closers, not for rows that refer to the run.
    locked = connection.execute(
        select(runs.c.id, runs.c.experiment_id, runs.c.attempt_number)
        .where(runs.c.logical_key == opening.identity.logical_key)
        .with_for_update(key_share=True)
    ).one_or_none()
    if locked is None:
        raise _refusal(connection, opening)
    same_try = SELECT_ATTEMPTS.where(attempts.c.attempt_key == opening.identity.attempt_key)
    found = connection.execute(same_try).one_or_none()
    if found is None:
        _next_attempt(connection, opening, locked.id, locked.experiment_id, locked.attempt_number)
        found = connection.execute(same_try).one()
    elif found.run != locked.id:
        raise _taken_attempt(opening)
    run = connection.execute(SELECT_RUNS.where(runs.c.id == locked.id)).one()
    return run_entity(run), attempt_entity(found)


def _next_attempt(
    connection: Connection, opening: Opening, run: int, experiment_id: int, last_number: int
) -> None:
    parameters = opening.parameters() | {
        "run": run,
        "experiment_id": experiment_id,
        "number": last_number + 1,
    }
    if connection.execute(_OPEN_NEXT, parameters).one_or_none() is None:
        raise _taken_attempt(opening)


def _new_run(opening: Opening, row: Row[Any]) -> Run:
    identity = opening.identity
    return Run(
        run_id=opening.run_id,
        experiment_id=opening.experiment_id,
        name=opening.name,
        status=opening.status,
        lifecycle=Lifecycle.ACTIVE,
        started_at=row.started_at,
        ended_at=None,
        user=opening.user,
        attempt_id=row.attempt_id,
        attempt_number=1,
        parent_run_id=opening.parent_run_id,
        dag_id=identity.dag_id if identity else None,
        dag_run_id=identity.dag_run_id if identity else None,
        task_id=identity.task_id if identity else None,
        map_index=identity.map_index if identity else -1,
        artifact_root=row.artifact_root,
        tags=dict(opening.tags),
    )


def _new_attempt(opening: Opening, row: Row[Any]) -> Attempt:
    identity = opening.identity
    return Attempt(
        attempt_id=row.attempt_id,
        run_id=opening.run_id,
        number=1,
        attempt_key=identity.attempt_key if identity else None,
        status=opening.status,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        try_number=identity.try_number if identity else None,
        details=dict(identity.details if identity else opening.details),
    )


def _refusal(connection: Connection, opening: Opening) -> NotFound | Conflict:
    """Say why nothing could be opened."""
    experiment = connection.execute(
        select(experiments).where(experiments.c.id == opening.experiment_id)
    ).one_or_none()
    if experiment is None:
        return NotFound("experiment", opening.experiment_id, "Create it first.")
    if experiment.lifecycle == Lifecycle.DELETED.value:
        return Conflict(
            "experiment", experiment.name, "it was deleted.", "Restore it, or use another one."
        )
    if connection.scalar(select(runs.c.id).where(runs.c.run_id == opening.run_id)):
        return Conflict("run", opening.run_id, "a run with this id exists already.")
    return NotFound("parent run", opening.parent_run_id)


def _taken_attempt(opening: Opening) -> Conflict:
    identity = opening.identity
    key = identity.attempt_key if identity else opening.run_id
    return Conflict(
        "attempt key",
        key,
        "it belongs to an attempt of another run.",
        "Use a new key for each try.",
    )
