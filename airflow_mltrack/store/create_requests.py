"""Requests that made a run or a logged model, in case one comes a second time.

A client whose answer is lost sends its request again, and names no key by which both could be
told to be one. What the first one made is then known to nobody: it is set aside (deleted, so
restorable) when the second one comes. Two equal requests may also be two runs: whoever received an
answer names what was made sooner or later, and the first write to it brings it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import text

from airflow_mltrack.store.run_opening import readable_name

if TYPE_CHECKING:
    from sqlalchemy import TextClause
    from sqlalchemy.engine import Connection

REPEATED_WITHIN_MINUTES = 30
"""MLflow's clients give up after some 20: eight attempts of two minutes, and the pauses."""
_KEPT_DAYS = 1

# Old rows go in passing; those that others are deleting are left to them.
_NOTE = text(
    """
    WITH old AS (
        DELETE FROM create_requests WHERE record_id IN (
            SELECT record_id FROM create_requests
            WHERE NOT set_aside AND made_at < clock_timestamp() - make_interval(days => :days)
            LIMIT 100 FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO create_requests (record_id, digest, connection)
    VALUES (:record_id, :digest, :connection)
    """
)
# In one order for everybody: two that set aside never wait for each other.
_WAIT = text("SELECT pg_advisory_xact_lock(hashtextextended(:digest, 0x6d616465))")
"""Equal requests follow one another: the second one sees what the first one made. The number keeps
these advisory locks apart from others on the same text."""
_EARLIER = text(
    """
    SELECT record_id FROM create_requests
    WHERE digest = :digest AND connection <> :connection AND NOT set_aside
        AND made_at > clock_timestamp() - make_interval(mins => :minutes)
    ORDER BY made_at, record_id
    """
)
# The lock waits for those who are writing at this moment, so that their rows are seen next.
_LOCK_RUN = text(
    """
    SELECT runs.id FROM runs JOIN attempts ON attempts.id = runs.attempt_id
    WHERE runs.run_id = :record_id FOR UPDATE
    """
)
_DELETE_RUN = text(
    """
    UPDATE runs SET lifecycle = 'deleted', deleted_at = clock_timestamp(),
        deleted_with_experiment = false
    WHERE run_id = :record_id AND lifecycle = 'active' AND status = 'RUNNING' AND name = :name
        AND attempt_number = 1
        AND NOT EXISTS (SELECT FROM params WHERE attempt = runs.attempt_id)
        AND NOT EXISTS (SELECT FROM latest_metrics WHERE attempt = runs.attempt_id)
        AND NOT EXISTS (SELECT FROM inputs WHERE attempt = runs.attempt_id)
        AND NOT EXISTS (SELECT FROM run_models WHERE attempt = runs.attempt_id)
        AND NOT EXISTS (SELECT FROM artifacts WHERE attempt = runs.attempt_id)
        AND NOT EXISTS (SELECT FROM logged_models WHERE run = runs.id)
        AND NOT EXISTS (SELECT FROM runs AS child WHERE child.parent_id = runs.id)
        AND CAST(:tags AS jsonb) = (
            SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM run_tags WHERE run = runs.id
        )
    """
)
_LOCK_MODEL = text("SELECT id FROM logged_models WHERE model_id = :record_id FOR UPDATE")
_DELETE_MODEL = text(
    """
    UPDATE logged_models SET deleted_at = clock_timestamp()
    WHERE model_id = :record_id AND status = 'PENDING' AND deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM artifacts WHERE logged_model = logged_models.id)
        AND NOT EXISTS (SELECT FROM model_versions WHERE logged_model = logged_models.id)
        AND NOT EXISTS (SELECT FROM logged_model_metrics WHERE logged_model = logged_models.id)
        AND NOT EXISTS (SELECT FROM run_models WHERE model_id = logged_models.model_id)
        AND CAST(:params AS jsonb) = (
            SELECT coalesce(jsonb_object_agg(key, value), '{}')
            FROM logged_model_params WHERE logged_model = logged_models.id
        )
        AND CAST(:tags AS jsonb) = (
            SELECT coalesce(jsonb_object_agg(key, value), '{}')
            FROM logged_model_tags WHERE logged_model = logged_models.id
        )
    """
)
_SET_ASIDE = text("UPDATE create_requests SET set_aside = true WHERE record_id = :record_id")
# In a deleted experiment no run is active; it may come back when the experiment has.
_BRING_BACK = text(
    """
    WITH back AS (
        UPDATE create_requests SET set_aside = false
        WHERE record_id = :record_id AND set_aside AND NOT EXISTS (
            SELECT FROM runs JOIN experiments ON experiments.id = runs.experiment_id
            WHERE runs.run_id = :record_id AND experiments.lifecycle = 'deleted'
        )
        RETURNING record_id
    ), run AS (
        UPDATE runs SET lifecycle = 'active', deleted_at = NULL FROM back
        WHERE runs.run_id = back.record_id
    ), model AS (
        UPDATE logged_models SET deleted_at = NULL FROM back
        WHERE logged_models.model_id = back.record_id
    )
    SELECT count(*) FROM back
    """
)


class CreateRequests:
    """Requests for new runs and logged models, and what was set aside because one came again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note_run(
        self,
        run_id: str,
        *,
        digest: str,
        connection: str,
        name: str | None,
        tags: Mapping[str, str],
    ) -> list[str]:
        """Note which request made a run; set aside what the same request made before.

        That is: over another connection, within :data:`REPEATED_WITHIN_MINUTES`, and untouched ever
        since.

        :param digest: of the request and of who sent it; equal for equal requests.
        :param connection: the network connection that it came over: a client that lost an answer
            opens a new one, a loop that makes many runs does not.
        :param name: the name that was asked for, None for one that was made up.
        :param tags: all tags that were asked for.
        :return: ids of the runs that were set aside.
        """
        facts = {"tags": json.dumps(dict(tags))}
        return [
            earlier
            for earlier in self._note(run_id, digest, connection)
            if self._set_aside(
                _LOCK_RUN, _DELETE_RUN, earlier, facts | {"name": name or readable_name(earlier)}
            )
        ]

    def note_model(
        self,
        model_id: str,
        *,
        digest: str,
        connection: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> list[str]:
        """Note which request made a logged model; set aside what the same request made before.

        The rules are those of :meth:`note_run`.

        :return: ids of the models that were set aside.
        """
        facts = {"params": json.dumps(dict(params)), "tags": json.dumps(dict(tags))}
        return [
            earlier
            for earlier in self._note(model_id, digest, connection)
            if self._set_aside(_LOCK_MODEL, _DELETE_MODEL, earlier, facts)
        ]

    def bring_back(self, record_id: str) -> bool:
        """Restore a run or a logged model that was set aside: somebody does know of it.

        :return: whether there was anything to restore.
        """
        return bool(self._connection.scalar(_BRING_BACK, {"record_id": record_id}))

    def _note(self, record_id: str, digest: str, connection: str) -> list[str]:
        facts = {"digest": digest, "connection": connection}
        self._connection.execute(_WAIT, {"digest": digest})
        found = self._connection.scalars(_EARLIER, facts | {"minutes": REPEATED_WITHIN_MINUTES})
        earlier = list(found)
        self._connection.execute(_NOTE, facts | {"record_id": record_id, "days": _KEPT_DAYS})
        return earlier

    def _set_aside(
        self, lock: TextClause, delete: TextClause, record_id: str, facts: Mapping[str, str]
    ) -> bool:
        self._connection.execute(lock, {"record_id": record_id})
        if not self._connection.execute(delete, {**facts, "record_id": record_id}).rowcount:
            return False
        self._connection.execute(_SET_ASIDE, {"record_id": record_id})
        return True
