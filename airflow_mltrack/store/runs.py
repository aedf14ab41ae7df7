"""Runs, their attempts, params and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.runs import Attempt, Run, RunData, RunIdentity, RunStatus
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store import attempts as attempt_rows
from airflow_mltrack.store import params as param_rows
from airflow_mltrack.store.key_rules import check_key, check_name, check_tags, check_text
from airflow_mltrack.store.run_opening import Opening, open_run, random_run_id, readable_name
from airflow_mltrack.store.run_rows import (
    SELECT_ATTEMPTS,
    SELECT_RUNS,
    among,
    attempt_entity,
    run_entity,
)
from airflow_mltrack.store.tables import attempts, latest_metrics, run_tags, runs

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy.engine import Connection

_KEY_LIMIT = 1_000
_FIND_HINT = "Find it with: mltrack runs list"

_SET_TAGS = text(
    """
    INSERT INTO run_tags (run, experiment_id, key, value)
    SELECT runs.id, runs.experiment_id, tag.key, tag.value
    FROM runs, unnest(CAST(:keys AS text[]), CAST(:values AS text[])) WITH ORDINALITY
        AS tag (key, value, position)
    WHERE runs.run_id = :run_id
    ORDER BY tag.position
    ON CONFLICT (run, key) DO UPDATE SET value = excluded.value
    """
)

# Postgres has no skip scan for DISTINCT: each step of the recursion jumps to the next Dag.
_DAG_IDS = text(
    """
    WITH RECURSIVE known AS (
        (SELECT dag_id FROM runs WHERE dag_id IS NOT NULL ORDER BY dag_id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT dag_id FROM runs WHERE dag_id > known.dag_id ORDER BY dag_id LIMIT 1
        ) FROM known WHERE known.dag_id IS NOT NULL
    )
    SELECT dag_id FROM known WHERE dag_id IS NOT NULL
    """
)


class Runs:
    """Pieces of work and their tries.

    A run is what a task instance does; each try of it is an attempt. What is measured belongs to an
    attempt, and lists show the latest one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(
        self,
        *,
        experiment_id: int,
        name: str | None = None,
        user: str = "",
        parent_run_id: str | None = None,
        identity: RunIdentity | None = None,
        tags: Mapping[str, str] | None = None,
        run_id: str | None = None,
        started_at: datetime | None = None,
        status: RunStatus = RunStatus.RUNNING,
        watched: bool = True,
    ) -> tuple[Run, Attempt]:
        """Open a run, or the next attempt of one; one round trip when the run is new.

        With an identity, many processes that open the same one at once get one run. The same
        ``attempt_key`` again gives the attempt that is there, ended or not (a worker that was
        started anew goes on with it). The same ``logical_key`` with a new ``attempt_key`` opens a
        new attempt of the same run: earlier running attempts are closed as KILLED, a deleted run
        comes back, its name, parent and experiment stay. Without an identity it is a new run.

        :param name: 1 to 500 characters; None makes one up, such as ``brave-otter-41``.
        :param run_id: the id of an imported run; None makes one.
        :param watched: whether it will give signs of life; one without identity that does not, such
            as a run of MLflow's client, is never taken for dead.
        :raises NotFound: when the experiment or the parent does not exist.
        :raises Conflict: when the experiment was deleted, the run id exists, or the attempt key
            belongs to another run.
        """
        chosen = check_text("run id", run_id, _KEY_LIMIT, at_least=1) if run_id else random_run_id()
        _check_identity(identity)
        opening = Opening(
            run_id=chosen,
            experiment_id=experiment_id,
            name=readable_name(chosen) if name is None else check_name("run name", name),
            user=check_text("user", user, _KEY_LIMIT),
            status=status,
            parent_run_id=parent_run_id,
            started_at=started_at,
            identity=identity,
            tags=check_tags(tags or {}),
            details={} if watched else attempt_rows.UNWATCHED,
        )
        return open_run(self._connection, opening)

    def get(self, run_id: str) -> Run:
        """Return a run, also a deleted one.

        :raises NotFound: there is none.
        """
        return self.get_many([run_id])[0]

    def get_many(self, run_ids: Sequence[str]) -> list[Run]:
        """Return runs in the order of their ids, in one query.

        :raises NotFound: names the first that does not exist.
        """
        query = SELECT_RUNS.where(among(runs.c.run_id, run_ids))
        found = {row.run_id: run_entity(row) for row in self._connection.execute(query)}
        for run_id in run_ids:
            if run_id not in found:
                raise NotFound("run", run_id, _FIND_HINT)
        return [found[run_id] for run_id in run_ids]

    def find(self, logical_key: str) -> Run | None:
        """Return the run of a logical key, None when it was never opened."""
        row = self._connection.execute(
            SELECT_RUNS.where(runs.c.logical_key == logical_key)
        ).one_or_none()
        return None if row is None else run_entity(row)

    def data(self, run_id: str, *, attempt: int | None = None) -> RunData:
        """Return a run with the params and latest metrics of one attempt.

        :param attempt: the attempt's number, from 1; None means the latest.
        :raises NotFound: there is no such run or attempt.
        """
        run = self.get(run_id)
        if attempt is None or attempt == run.attempt_number:
            return self._data([run])[0]
        for old in self.attempts(run_id):
            if old.number == attempt:
                return self._of_attempts({old.attempt_id: run}, [old])[0]
        raise NotFound("attempt", f"{run_id} #{attempt}", f"It has {run.attempt_number}.")

    def data_many(self, run_ids: Sequence[str]) -> list[RunData]:
        """Return runs with their latest attempts; four queries for any number of runs.

        :raises NotFound: names the first that does not exist.
        """
        return self._data(self.get_many(run_ids)) if run_ids else []

    def attempts(self, run_id: str) -> list[Attempt]:
        """Return a run's attempts, the first one first.

        :raises NotFound: there is no such run.
        """
        query = SELECT_ATTEMPTS.where(runs.c.run_id == run_id).order_by(attempts.c.number)
        found = [attempt_entity(row) for row in self._connection.execute(query)]
        if not found:
            raise NotFound("run", run_id, _FIND_HINT)
        return found

    def attempt(self, attempt_id: int) -> Attempt:
        """Return an attempt by the number that the store gave it.

        :raises NotFound: there is none.
        """
        return attempt_rows.get_attempt(self._connection, attempt_id)

    def children(self, run_id: str) -> list[Run]:
        """Return the runs whose parent this is, in the order of opening, without deleted ones."""
        parent = select(runs.c.id).where(runs.c.run_id == run_id).scalar_subquery()
        query = SELECT_RUNS.where(
            runs.c.parent_id == parent, runs.c.lifecycle == Lifecycle.ACTIVE.value
        )
        return [run_entity(row) for row in self._connection.execute(query.order_by(runs.c.id))]

    def dag_ids(self) -> set[str]:
        """Return the Dags that runs belong to; costs one index probe for each of them."""
        return set(self._connection.scalars(_DAG_IDS))

    def set_status(
        self,
        attempt_id: int,
        status: RunStatus,
        *,
        ended_at: datetime | None = None,
        error: str | None = None,
    ) -> bool:
        """Change an attempt's status, and its run's when it is the latest attempt.

        An attempt that ended stays ended as it is; giving it the same status again does nothing.

        :param ended_at: when it ended; None means now. Ignored for a status that is no end.
        :param error: what went wrong; kept from before when None.
        :return: whether anything changed.
        :raises Conflict: when the attempt ended with another status.
        :raises NotFound: there is no such attempt.
        """
        return attempt_rows.set_status(
            self._connection, attempt_id, status, ended_at=ended_at, error=error
        )

    def overwrite_status(
        self, attempt_id: int, status: RunStatus, *, ended_at: datetime | None = None
    ) -> bool:
        """Change an attempt's status whatever it was: MLflow's clients resume runs that ended.

        An attempt of an Airflow task is left as it is: it ends with its task.

        :param ended_at: when it ended; None means now. Ignored for a status that is no end.
        :return: whether it was changed.
        :raises NotFound: there is no such attempt.
        """
        return attempt_rows.overwrite_status(
            self._connection, attempt_id, status, ended_at=ended_at
        )

    def heartbeat(self, attempt_id: int) -> None:
        """Note a sign of life of a running attempt."""
        attempt_rows.heartbeat(self._connection, attempt_id)

    def stale(self, *, silent_for: timedelta) -> list[Attempt]:
        """Return running attempts that gave no sign of life for that long."""
        return attempt_rows.stale(self._connection, silent_for=silent_for)

    def close_silent(
        self, attempt_id: int, status: RunStatus, *, silent_for: timedelta, error: str
    ) -> bool:
        """Close a running attempt that has given no sign of life for that long.

        A sign of life until this very moment spares it.

        :return: whether it was closed.
        """
        return attempt_rows.close_silent(
            self._connection, attempt_id, status, silent_for=silent_for, error=error
        )

    def close_attempt_key(
        self, attempt_key: str, status: RunStatus, *, error: str | None = None
    ) -> list[int]:
        """Close the running attempt of a key, and of the trials that the same task ran.

        :return: numbers of the attempts that were closed.
        """
        return attempt_rows.close_attempt_key(self._connection, attempt_key, status, error=error)

    def close_place(
        self,
        dag_id: str,
        dag_run_id: str,
        status: RunStatus,
        *,
        task_id: str | None = None,
        map_index: int | None = None,
        spare: str | None = None,
        silent_for: timedelta | None = None,
        error: str | None = None,
    ) -> list[int]:
        """Close the running attempts that belong to a place in Airflow whose work has ended.

        :param task_id: None means every task of the Dag run.
        :param map_index: None means every one.
        :param spare: attempt key to leave open, with the trials under it.
        :param silent_for: leave those open that gave a sign of life in this time; None looks at
            none.
        :return: numbers of the attempts that were closed.
        """
        place: attempt_rows.AirflowPlace = {
            "dag_id": dag_id,
            "dag_run_id": dag_run_id,
            "task_id": task_id,
            "map_index": map_index,
        }
        return attempt_rows.close_place(
            self._connection, place, status, spare=spare, silent_for=silent_for, error=error
        )

    def rename(self, run_id: str, name: str) -> None:
        """Give another name; names need not be unique."""
        self._update(run_id, name=check_name("run name", name))

    def delete(self, run_id: str) -> None:
        """Delete a run; it can be restored."""
        self._update(
            run_id,
            lifecycle=Lifecycle.DELETED.value,
            deleted_at=func.clock_timestamp(),
            deleted_with_experiment=False,
        )

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self._update(
            run_id,
            lifecycle=Lifecycle.ACTIVE.value,
            deleted_at=None,
            deleted_with_experiment=False,
        )

    def log_params(self, attempt_id: int, params: Mapping[str, str]) -> None:
        """Write params; once for each attempt, the same value again is fine.

        One or two round trips for any number of params; concurrent writers never deadlock.

        :raises Conflict: when a param has another value; names key, old and new value.
        :raises InvalidInput: when a key or value breaks a rule; nothing is written.
        :raises NotFound: there is no such attempt.
        """
        param_rows.log_params(self._connection, attempt_id, params)

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set tags; a tag that exists gets the new value.

        :raises NotFound: there is no such run.
        """
        checked = check_tags(tags)
        parameters = {
            "run_id": run_id,
            "keys": list(checked),
            "values": list(checked.values()),
        }
        if checked and self._connection.execute(_SET_TAGS, parameters).rowcount == 0:
            raise NotFound("run", run_id, _FIND_HINT)

    def delete_tag(self, run_id: str, key: str) -> None:
        """Remove a tag.

        :raises NotFound: there is no such run or tag.
        """
        check_key("tag key", key)
        number = select(runs.c.id).where(runs.c.run_id == run_id).scalar_subquery()
        result = self._connection.execute(
            delete(run_tags).where(run_tags.c.run == number, run_tags.c.key == key)
        )
        if result.rowcount == 0:
            self.get(run_id)
            raise NotFound("tag", key, f"The run {run_id} has no such tag.")

    def _data(self, found: Sequence[Run]) -> list[RunData]:
        query = SELECT_ATTEMPTS.where(among(attempts.c.id, [run.attempt_id for run in found]))
        latest = {row.id: attempt_entity(row) for row in self._connection.execute(query)}
        by_attempt = {run.attempt_id: run for run in found}
        data = self._of_attempts(by_attempt, list(latest.values()))
        by_run = {item.run.run_id: item for item in data}
        return [by_run[run.run_id] for run in found]

    def _of_attempts(self, owners: Mapping[int, Run], wanted: Sequence[Attempt]) -> list[RunData]:
        numbers = [attempt.attempt_id for attempt in wanted]
        params = param_rows.read_params(self._connection, numbers)
        metrics = self._latest_metrics(numbers)
        return [
            RunData(
                run=owners[attempt.attempt_id],
                attempt=attempt,
                params=params.get(attempt.attempt_id, {}),
                metrics=metrics.get(attempt.attempt_id, {}),
            )
            for attempt in wanted
        ]

    def _latest_metrics(self, attempt_ids: Sequence[int]) -> dict[int, dict[str, float]]:
        columns = latest_metrics.c
        query = (
            select(
                columns.attempt,
                func.array_agg(aggregate_order_by(columns.key, columns.key)),
                func.array_agg(aggregate_order_by(columns.value, columns.key)),
            )
            .where(among(columns.attempt, attempt_ids))
            .group_by(columns.attempt)
        )
        return {
            attempt: dict(zip(keys, values, strict=True))
            for attempt, keys, values in self._connection.execute(query)
        }

    def _update(self, run_id: str, **values: object) -> None:
        result = self._connection.execute(
            update(runs).where(runs.c.run_id == run_id).values(**values)
        )
        if result.rowcount == 0:
            raise NotFound("run", run_id, _FIND_HINT)


def _check_identity(identity: RunIdentity | None) -> None:
    if identity is None:
        return
    check_text("logical key", identity.logical_key, _KEY_LIMIT, at_least=1)
    check_text("attempt key", identity.attempt_key, _KEY_LIMIT, at_least=1)
    if identity.map_index < -1:
        raise InvalidInput("map index", identity.map_index, "it is -1 or more.")
