"""The append-only history: the chain, the trigger, many writers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.exceptions import InvalidInput, StoreError
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.history import GENESIS, event_hash
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.json_facts import FACTS, TEXT
from tests.store.processes import at_once


def append(
    store: TrackingStore, name: str = "credit", payload: Mapping[str, object] | None = None
) -> HistoryEvent:
    with store.transaction() as tx:
        return tx.history.append(
            name=name, version=1, kind="transition", actor="ada", payload=payload or {}
        )


def verify(store: TrackingStore, name: str = "credit") -> int | None:
    with store.transaction() as tx:
        return tx.history.verify(name)


def test_each_event_holds_the_hash_of_the_one_before(store: TrackingStore) -> None:
    events = [append(store, payload={"number": number}) for number in range(3)]
    assert events[0].previous_hash == GENESIS
    assert [event.previous_hash for event in events[1:]] == [event.hash for event in events[:2]]
    with store.transaction() as tx:
        assert tx.history.list("credit") == events
        assert tx.history.head("credit") == events[-1]
        assert tx.history.verify("credit") is None


def test_the_hash_is_the_documented_one(store: TrackingStore) -> None:
    at = datetime(2026, 1, 31, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    with store.transaction() as tx:
        event = tx.history.append(
            name="crédit", version=None, kind="created", actor="ada", payload={"b": 1.0}, at=at
        )
    written = (
        '{"actor":"ada","at":"2026-01-31T09:30:00.000000Z","kind":"created","name":"crédit",'
        f'"payload":{{"b":1}},"previous_hash":"{GENESIS}","version":null}}'
    )
    assert event.hash == hashlib.sha256(written.encode()).hexdigest()


def test_an_event_without_a_time_has_no_hash() -> None:
    with pytest.raises(InvalidInput, match="history time"):
        event_hash({"at": "2026-01-31"})


def test_each_name_has_a_chain_of_its_own(store: TrackingStore) -> None:
    append(store, "a")
    other = append(store, "b")
    assert other.previous_hash == GENESIS
    assert verify(store, "a") is None
    assert verify(store, "never seen") is None
    with store.transaction() as tx:
        assert tx.history.head("never seen") is None


def test_events_are_filtered_by_version_and_kind(store: TrackingStore) -> None:
    with store.transaction() as tx:
        for version, kind in ((1, "registered"), (2, "registered"), (1, "transition")):
            tx.history.append(name="m", version=version, kind=kind, actor="", payload={})
        assert [event.kind for event in tx.history.list("m", version=1)] == [
            "registered",
            "transition",
        ]
        assert [event.version for event in tx.history.list("m", kinds=["registered"])] == [1, 2]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE history SET actor = 'eve'", "DELETE FROM history", "TRUNCATE history CASCADE"],
)
def test_the_database_itself_refuses_to_change_history(
    store: TrackingStore, statement: str
) -> None:
    event = append(store)
    with pytest.raises(StoreError, match="append-only"), store.transaction() as tx:
        tx.connection.execute(text(statement))
    with store.transaction() as tx:
        assert tx.history.list("credit") == [event]


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE history SET actor = 'eve' WHERE id = {id}",
        "UPDATE history SET payload = '{{\"number\": 7}}' WHERE id = {id}",
        "UPDATE history SET at = at + interval '1 microsecond' WHERE id = {id}",
        "UPDATE history SET version = NULL WHERE id = {id}",
        "UPDATE history SET hash = repeat('f', 64) WHERE id = {id}",
        "UPDATE history SET name = 'other' WHERE id = {id} - 1",
        "DELETE FROM history WHERE id = {id} - 1",
    ],
)
def test_a_row_touched_behind_the_triggers_back_is_named(
    store: TrackingStore, database_url: str, tampering: str
) -> None:
    events = [append(store, payload={"number": number}) for number in range(5)]
    broken = events[2].event_id
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(tampering.format(id=broken))
    assert verify(store) == broken


def test_times_in_a_chain_never_run_backwards(store: TrackingStore) -> None:
    future = datetime(2999, 1, 1, tzinfo=timezone.utc)
    with store.transaction() as tx:
        tx.history.append(name="m", version=1, kind="k", actor="", payload={}, at=future)
        held = tx.history.append(name="m", version=1, kind="k", actor="", payload={})
        assert held.at == future
        with pytest.raises(InvalidInput, match="before the last event"):
            tx.history.append(
                name="m",
                version=1,
                kind="k",
                actor="",
                payload={},
                at=future - timedelta(microseconds=1),
            )
        with pytest.raises(InvalidInput, match="time zone"):
            tx.history.append(
                name="m", version=1, kind="k", actor="", payload={}, at=future.replace(tzinfo=None)
            )


@pytest.mark.parametrize("payload", [{"a": math.nan}, {"a": object()}, {"a": "\x00"}])
def test_a_payload_that_cannot_be_kept_is_refused(
    store: TrackingStore, payload: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        append(store, payload=payload)
    assert verify(store) is None


def test_reading_the_chain_leaves_the_transaction_usable(store: TrackingStore) -> None:
    append(store)
    with store.transaction() as tx:
        assert tx.history.verify("credit") is None
        tx.history.append(name="credit", version=1, kind="k", actor="", payload={})
    assert verify(store) is None


@given(payload=st.dictionaries(TEXT, FACTS, max_size=3), actor=TEXT)
@hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_payload_survives_the_database(
    store: TrackingStore, payload: dict[str, object], actor: str
) -> None:
    with store.transaction() as tx:
        tx.history.append(name="any", version=None, kind="k", actor=actor, payload=payload)
        assert tx.history.verify("any") is None


def append_many(settings: Settings, number: int) -> None:
    store = TrackingStore(settings)
    for step in range(10):
        with store.transaction() as tx:
            tx.history.append(
                name="busy", version=number, kind="k", actor="", payload={"step": step}
            )


def test_writers_in_many_processes_never_fork_the_chain(
    store: TrackingStore, settings: Settings
) -> None:
    at_once(append_many, [(settings, number) for number in range(4)])
    with store.transaction() as tx:
        assert len(tx.history.list("busy")) == 40
        assert tx.history.verify("busy") is None
