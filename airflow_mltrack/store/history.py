"""The append-only history of registered models: one hash chain for each model name.

Canonical form. The ``hash`` of an event is the sha256, in hexadecimal, of the UTF-8 bytes of one
object in the form of :mod:`~airflow_mltrack.store.canonical_json` with exactly these keys:

- ``actor``, ``kind``, ``name``: text; ``payload``: an object; ``version``: a number or ``null``;
- ``at``: UTC with six decimals, as ``2026-01-31T09:30:00.000000Z``;
- ``previous_hash``: the hash of the event before it in this model's chain, 64 zeros for the first.

``event_id`` is not hashed: it orders the rows of one database and may differ in a restored copy.
Postgres refuses to update, delete or truncate the table (see the first migration). Whoever gets
around that with superuser rights breaks the chain, and :meth:`History.verify` names the place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Row, func, insert, select
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.canonical_json import canonical_value, digest_of
from airflow_mltrack.store.registry_tables import history
from airflow_mltrack.store.row_digest import utc_text
from airflow_mltrack.store.webhooks import queue_deliveries

GENESIS = "0" * 64
"""``previous_hash`` of a chain's first event."""
_CHAIN_LOCK = 0x68697374  # "hist": keeps these advisory locks apart from others on the same text
_FETCH = 500


class History:
    """What happened to registered models, in order, for ever."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(
        self,
        *,
        name: str,
        version: int | None,
        kind: str,
        actor: str,
        payload: Mapping[str, object],
        at: datetime | None = None,
        quiet: bool = False,
    ) -> HistoryEvent:
        """Add an event to the end of a model's chain.

        Holds the chain until the transaction ends, so concurrent writers queue and never fork it.
        Times in a chain never run backwards: where the clock did, the last event's time is used.
        The event is queued for the webhooks that want it; they hear of it once it is committed.

        :param kind: see :class:`~airflow_mltrack.entities.history.HistoryEvent`.
        :param actor: who did it.
        :param payload: JSON-able facts.
        :param at: None means the database's clock.
        :param quiet: no webhook hears of it, as of what happened elsewhere and is only written down
            here.
        :raises InvalidInput: when the payload is not JSON-able, or ``at`` is before the last event.
        """
        self._lock(name)
        last = self._last(name)
        values: dict[str, object] = {
            "name": name,
            "version": version,
            "kind": kind,
            "actor": actor,
            "at": self._moment(at, None if last is None else last.at),
            "payload": canonical_value(dict(payload)),
            "previous_hash": GENESIS if last is None else last.hash,
        }
        values["hash"] = event_hash(values)
        query = insert(history).values(**values).returning(history)
        event = _entity(self._connection.execute(query).one())
        if not quiet:
            queue_deliveries(self._connection, event)
        return event

    def list(
        self, name: str, *, version: int | None = None, kinds: Sequence[str] | None = None
    ) -> list[HistoryEvent]:
        """Return a model's events, oldest first.

        :param version: only events about this version.
        :param kinds: only events of these kinds.
        """
        query = select(history).where(history.c.name == name).order_by(history.c.id)
        if version is not None:
            query = query.where(history.c.version == version)
        if kinds is not None:
            query = query.where(history.c.kind.in_(kinds))
        return [_entity(row) for row in self._connection.execute(query)]

    def with_intent(self, name: str, intent: str) -> HistoryEvent | None:
        """Return the transition that carried out an intent, None when none has.

        :param intent: what makes two calls the same one; the payload's key ``intent``.
        """
        query = (
            select(history)
            .where(history.c.name == name, history.c.payload["intent"].astext == intent)
            .where(history.c.payload.has_key("intent"))
            .order_by(history.c.id)
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _entity(row)

    def names(self) -> Sequence[str]:
        """Return every model name that has a chain, also of models that were deleted."""
        query = select(history.c.name).distinct().order_by(history.c.name)
        return self._connection.scalars(query).all()

    def head(self, name: str) -> HistoryEvent | None:
        """Return the last event of a chain, None when it is empty."""
        return self._last(name)

    def verify(self, name: str) -> int | None:
        """Walk a model's chain in bounded memory.

        What was cut off at the end leaves no trace in the chain itself: compare :meth:`head` with a
        hash that was kept elsewhere.

        :return: ``event_id`` of the first event that was touched, follows a missing one or stands
            in the wrong place; None when all are whole.
        """
        query = select(history).where(history.c.name == name).order_by(history.c.id)
        expected = GENESIS
        with self._connection.execute(query, execution_options={"yield_per": _FETCH}) as rows:
            for row in rows:
                if row.previous_hash != expected or not _is_whole(row):
                    return int(row.id)
                expected = row.hash
        return None

    def _lock(self, name: str) -> None:
        key = func.hashtextextended(name, _CHAIN_LOCK)
        self._connection.execute(select(func.pg_advisory_xact_lock(key)))

    def _last(self, name: str) -> HistoryEvent | None:
        query = select(history).where(history.c.name == name).order_by(history.c.id.desc()).limit(1)
        row = self._connection.execute(query).first()
        return None if row is None else _entity(row)

    def _moment(self, at: datetime | None, last: datetime | None) -> datetime:
        if at is None:
            now: datetime = self._connection.execute(select(func.clock_timestamp())).scalar_one()
            return now if last is None else max(now, last)
        if at.tzinfo is None:
            raise InvalidInput("history time", at.isoformat(), "it has a time zone.")
        if last is not None and at < last:
            raise InvalidInput(
                "history time", at.isoformat(), f"it is not before the last event, {last}."
            )
        return at


def event_hash(values: Mapping[str, object]) -> str:
    """Return the hash of an event given by its fields."""
    at = values["at"]
    if not isinstance(at, datetime):
        raise InvalidInput("history time", at, "it is a datetime.")
    facts = {key: values[key] for key in ("actor", "kind", "name", "payload", "previous_hash")}
    facts["version"] = values["version"]
    facts["at"] = utc_text(at)
    return digest_of(facts)


def _is_whole(row: Row[tuple[object, ...]]) -> bool:
    return bool(event_hash(row._asdict()) == row.hash)


def _entity(row: Row[tuple[object, ...]]) -> HistoryEvent:
    values = {spec.name: getattr(row, spec.name) for spec in fields(HistoryEvent)[1:]}
    return HistoryEvent(event_id=row.id, **values)
