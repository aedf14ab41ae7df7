"""An auditor finds whatever was touched, whoever touched it, and nothing where nothing was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.audit import (
    chain_heads,
    list_history,
    verify_all,
    verify_history,
)
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.record_check import Finding
from airflow_mltrack.lifecycle.registration import (
    create_model,
    delete_alias,
    delete_model,
    delete_version,
    register_model,
    rename_model,
    set_alias,
    set_policy,
)
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.history import GENESIS, event_hash
from airflow_mltrack.tracking.client import TrackingClient
from tests.conftest import fresh_database
from tests.lifecycle.conftest import POLICY, AddPackage, AddVersion, log_package, write_verdict

Tamper = Callable[..., None]

GUARDED = ("history", "verdicts", "approvals", "model_versions", "registered_models")


@pytest.fixture(scope="module")
def kept(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Keep a governed model by the book, once for all tests; give the name of its database."""
    with fresh_database(postgres_url) as url:
        artifacts = str(tmp_path_factory.mktemp("artifacts"))
        with TrackingClient(Settings(database_url=url, artifact_uri=artifacts)) as client:
            keep_by_the_book(client)
        yield str(make_url(url).database)


def keep_by_the_book(client: TrackingClient) -> None:
    """Two releases, two aliases, a candidate, a deleted version."""
    for number in range(1, 5):
        uri = f"models:/{log_package(client, 'carl').model_id}"
        register_model(client, "credit", uri, actor="ada", gates=POLICY, stages="gated")
        promote(client, "credit", number, "Staging", actor="ada")
    for number in (1, 2):
        with client.store.transaction() as tx:
            found = tx.registry.get_version("credit", number)
        write_verdict(client, found)
        request_approval(client, "credit", number, "Production", actor="ada")
        approve(client, "credit", number, "Production", approver="bob", reason="fine")
        promote(client, "credit", number, "Production", actor="ada", reason="better")
        set_alias(client, "credit", "champion", number, actor="ada")
    set_alias(client, "credit", "past", 1, actor="ada")
    delete_version(client, "credit", 4, actor="ada", reason="wrong data")


@pytest.fixture
def database_url(postgres_url: str, kept: str) -> Iterator[str]:
    """Give a copy of that database, to touch."""
    with fresh_database(postgres_url, template=kept) as url:
        yield url


@pytest.fixture
def tamper(database_url: str) -> Tamper:
    """Give a function that runs SQL as somebody who may switch the guards off."""

    def run(statement: str, *, given: dict[str, object] | None = None) -> None:
        with psycopg.connect(database_url) as connection:
            for table in GUARDED:
                connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            changed = connection.execute(statement.encode(), given)
            assert changed.rowcount > 0, "nothing was touched"
            for table in GUARDED:
                connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    return run


def events_of(client: TrackingClient, kind: str, version: int | None = None) -> list[HistoryEvent]:
    found = list_history(client, "credit", version=version)
    return [event for event in found if event.kind == kind]


def findings(client: TrackingClient, name: str = "credit") -> tuple[Finding, ...]:
    """Verify one chain; all others must be whole, and both ways of asking must agree."""
    reports = {report.name: report for report in verify_all(client)}
    assert all(report.is_whole for other, report in reports.items() if other != name)
    report = verify_history(client, name)
    assert report == reports[name]
    assert report.is_whole == (report.findings == ())
    return report.findings


def test_what_was_kept_by_the_book_is_whole(client: TrackingClient) -> None:
    assert findings(client) == ()
    report = verify_history(client, "credit")
    events = list_history(client, "credit")
    assert report.events == len(events) == 23
    assert report.head is not None
    assert (report.head.event_id, report.head.hash, report.head.at) == (
        events[-1].event_id,
        events[-1].hash,
        events[-1].at,
    )


def test_every_way_of_using_the_registry_leaves_a_whole_chain(
    client: TrackingClient, add_package: AddPackage
) -> None:
    delete_alias(client, "credit", "past", actor="ada")
    set_policy(client, "credit", actor="ada", stages="open", gates={})
    promote(client, "credit", 3, "Production", actor="ada")
    rename_model(client, "credit", "lending", actor="ada")
    assert findings(client, "lending") == ()
    promote(client, "lending", 1, "Production", actor="ada")
    set_alias(client, "lending", "champion", 1, actor="ada")
    create_model(client, "credit", actor="eve")
    register_model(client, "credit", f"models:/{add_package().model_id}", actor="eve")
    promote(client, "credit", 5, "Staging", actor="eve")
    assert findings(client, "lending") == ()
    delete_model(client, "lending", actor="ada")
    assert findings(client, "lending") == ()
    assert all(report.is_whole for report in verify_all(client))


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eve'",
        "kind = 'alias'",
        "version = 3",
        "version = NULL",
        "at = at - interval '1 second'",
        "hash = repeat('f', 64)",
        "previous_hash = repeat('f', 64)",
        'payload = payload || \'{"reason": "because"}\'',
        "payload = payload - 'to'",
        "payload = '{}'",
        "payload = '[]'",
        "payload = '\"nothing\"'",
        "payload = 'null'",
    ],
)
def test_a_row_edited_by_hand_is_the_first_that_is_named(
    client: TrackingClient, tamper: Tamper, change: str
) -> None:
    touched = events_of(client, "transition", 2)[-1]
    tamper(f"UPDATE history SET {change} WHERE id = {touched.event_id}")
    first = findings(client)[0]
    assert (first.what, first.event_id) == ("event", touched.event_id)
    assert f"event {touched.event_id} does not follow" in first.message


@pytest.mark.parametrize("kind", ["created", "registered", "policy", "verdict", "approval"])
def test_every_kind_of_row_can_be_made_nonsense_and_is_named(
    client: TrackingClient, tamper: Tamper, kind: str
) -> None:
    touched = events_of(client, kind)[0]
    for nonsense in ("{}", "[1]", '{"to": 7, "stages": {"stages": []}, "from": []}'):
        tamper(
            "UPDATE history SET payload = %(payload)s::jsonb WHERE id = %(id)s",
            given={"payload": nonsense, "id": touched.event_id},
        )
        first = findings(client)[0]
        assert (first.what, first.event_id) == ("event", touched.event_id)


def test_where_a_row_was_removed_the_one_after_it_is_named(
    client: TrackingClient, tamper: Tamper
) -> None:
    events = list_history(client, "credit")
    for removed, after in ((7, 8), (0, 1)):
        tamper(f"DELETE FROM history WHERE id = {events[removed].event_id}")
        first = findings(client)[0]
        assert (first.what, first.event_id) == ("event", events[after].event_id)


def test_a_row_that_was_put_in_between_is_named(client: TrackingClient, tamper: Tamper) -> None:
    before = list_history(client, "credit")[7].event_id
    tamper("UPDATE history SET id = id + 1000 WHERE id > %(id)s", given={"id": before})
    tamper(
        "INSERT INTO history (id, name, version, kind, actor, at, payload, previous_hash, hash) "
        "SELECT id + 1, name, version, kind, 'eve', at, payload, repeat('e', 64), repeat('d', 64) "
        "FROM history WHERE id = %(id)s",
        given={"id": before},
    )
    assert findings(client)[0].event_id == before + 1


def test_rows_that_changed_places_are_named(client: TrackingClient, tamper: Tamper) -> None:
    one, two = list_history(client, "credit")[7:9]
    tamper(f"UPDATE history SET id = -1 WHERE id = {one.event_id}")
    tamper(f"UPDATE history SET id = {one.event_id} WHERE id = {two.event_id}")
    tamper(f"UPDATE history SET id = {two.event_id} WHERE id = -1")
    assert findings(client)[0].event_id == one.event_id


def test_a_row_moved_to_another_model_is_missed_and_noticed(
    client: TrackingClient, tamper: Tamper
) -> None:
    events = list_history(client, "credit")
    tamper(f"UPDATE history SET name = 'other' WHERE id = {events[7].event_id}")
    by_name = {report.name: report for report in verify_all(client)}
    assert by_name["credit"].findings[0].event_id == events[8].event_id
    assert by_name["other"].findings[0].event_id == events[7].event_id


def test_a_rewritten_row_with_a_right_hash_breaks_the_one_after_it(
    client: TrackingClient, tamper: Tamper
) -> None:
    events = list_history(client, "credit")
    forge(tamper, events[7])
    assert findings(client)[0].event_id == events[8].event_id


def forge(tamper: Tamper, event: HistoryEvent, previous_hash: str | None = None) -> str:
    """Rewrite an event so that its own hash is right; return the hash."""
    facts = {
        "name": event.name,
        "version": event.version,
        "kind": event.kind,
        "actor": "eve",
        "at": event.at,
        "payload": event.payload,
        "previous_hash": event.previous_hash if previous_hash is None else previous_hash,
    }
    digest = event_hash(facts)
    tamper(
        "UPDATE history SET actor = 'eve', previous_hash = %(previous_hash)s, hash = %(hash)s "
        "WHERE id = %(id)s",
        given={"previous_hash": facts["previous_hash"], "hash": digest, "id": event.event_id},
    )
    return digest


def test_a_chain_rewritten_to_its_end_is_found_by_a_head_kept_elsewhere(
    client: TrackingClient, tamper: Tamper
) -> None:
    heads = {head.name: head.hash for head in chain_heads(client)}
    digest = GENESIS
    for event in list_history(client, "credit"):
        digest = forge(tamper, event, digest)
    assert findings(client) == ()  # a chain alone cannot tell
    (report,) = verify_all(client, heads=heads)
    assert [finding.what for finding in report.findings] == ["head"]
    assert heads["credit"] in report.findings[0].message
    assert verify_history(client, "credit", head=heads["credit"]).findings == report.findings


def test_a_tail_that_was_cut_off_is_found_by_a_head_kept_elsewhere(
    client: TrackingClient, tamper: Tamper, add_package: AddPackage
) -> None:
    register_model(client, "other", f"models:/{add_package().model_id}", actor="ada")
    heads = {head.name: head.hash for head in chain_heads(client)}
    assert set(heads) == {"credit", "other"}
    assert all(report.is_whole for report in verify_all(client, heads=heads))
    set_alias(client, "credit", "next", 3, actor="ada")
    assert all(report.is_whole for report in verify_all(client, heads=heads))  # it went on
    last = events_of(client, "deleted")[-1]
    tamper(f"DELETE FROM history WHERE name = 'credit' AND id >= {last.event_id}")
    found = {report.name: report.findings for report in verify_all(client, heads=heads)}
    assert found["other"] == ()
    assert "head" in {finding.what for finding in found["credit"]}


def test_a_chain_that_is_gone_altogether_is_found(client: TrackingClient, tamper: Tamper) -> None:
    heads = {head.name: head.hash for head in chain_heads(client)}
    tamper("DELETE FROM history")
    (first, *_) = findings(client)
    assert first.message == "the whole history of the model is gone"
    tamper("DELETE FROM registered_models")
    (report,) = verify_all(client, heads=heads)
    assert report.findings[-1].what == "head"
    assert verify_history(client, "nobody", head="a" * 64).findings[0].what == "head"
    with pytest.raises(NotFound):
        verify_history(client, "nobody")


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE verdicts SET passed = NOT passed WHERE version = 1", "verdict"),
        (
            "UPDATE verdicts SET checks = jsonb_set(checks, '{0,observed}', '0.99') "
            "WHERE version = 1",
            "verdict",
        ),
        ("UPDATE verdicts SET valid_until = NULL WHERE version = 1", "verdict"),
        ("UPDATE approvals SET approver = 'eve' WHERE version = 1", "approval"),
        ("UPDATE approvals SET decision = 'rejected' WHERE version = 1", "approval"),
        ("UPDATE approvals SET package_digest = repeat('e', 64) WHERE version = 1", "approval"),
    ],
)
def test_a_changed_verdict_or_approval_is_named_with_the_event_that_recorded_it(
    client: TrackingClient, tamper: Tamper, statement: str, what: str
) -> None:
    recorded = events_of(client, what, 1)[0]
    tamper(statement)
    (finding,) = findings(client)
    assert (finding.what, finding.event_id) == (what, recorded.event_id)
    assert str(recorded.payload[f"{what}_id"]) in finding.message
    assert "was changed after it was recorded" in finding.message


@pytest.mark.parametrize("what", ["verdict", "approval"])
def test_a_verdict_or_approval_that_was_removed_or_slipped_in_is_named(
    client: TrackingClient, tamper: Tamper, what: str
) -> None:
    recorded = events_of(client, what, 2)[0]
    tamper(f"DELETE FROM {what}s WHERE version = 2")
    (finding,) = findings(client)
    assert (finding.what, finding.event_id) == (what, recorded.event_id)
    assert "was removed" in finding.message
    tamper(f"UPDATE {what}s SET {what}_id = 'slipped-in' WHERE version = 1")
    assert [item.what for item in findings(client)] == [what, what, "record"]
    assert "slipped-in is not in the history" in findings(client)[-1].message


def test_the_first_place_comes_first_whatever_was_touched_there(
    client: TrackingClient, tamper: Tamper
) -> None:
    verdict, approval = events_of(client, "verdict", 1)[0], events_of(client, "approval", 2)[0]
    between = events_of(client, "alias", 1)[0]
    assert verdict.event_id < between.event_id < approval.event_id
    tamper("UPDATE approvals SET reason = 'x' WHERE version = 2")
    tamper(f"UPDATE history SET actor = 'eve' WHERE id = {between.event_id}")
    tamper("UPDATE verdicts SET actor = 'eve' WHERE version = 1")
    assert [finding.event_id for finding in findings(client)] == [
        verdict.event_id,
        between.event_id,
        approval.event_id,
    ]


def test_stages_moved_by_hand_are_named_with_what_the_history_says(
    client: TrackingClient, tamper: Tamper
) -> None:
    # With its own trigger alone switched off, the flag that says who is live would follow.
    tamper("UPDATE model_versions SET stage = 'Archived', live = false WHERE version = 2")
    tamper("UPDATE model_versions SET stage = 'Production', live = true WHERE version = 3")
    assert [(item.what, item.event_id, item.message) for item in findings(client)] == [
        (
            "stage",
            events_of(client, "transition", 2)[-1].event_id,
            "version 2 stands in Archived, the history says Production",
        ),
        (
            "stage",
            events_of(client, "transition", 3)[-1].event_id,
            "version 3 stands in Production, the history says Staging",
        ),
    ]


def test_aliases_moved_by_hand_are_named(client: TrackingClient, tamper: Tamper) -> None:
    tamper("UPDATE aliases SET version = 3 WHERE alias = 'champion'")
    tamper("DELETE FROM aliases WHERE alias = 'past'")
    tamper("INSERT INTO aliases SELECT model, 'new', version FROM aliases")
    assert [(item.what, item.message) for item in findings(client)] == [
        ("alias", "alias champion is at 3, the history says 2"),
        ("alias", "alias new is at 3, the history says None"),
        ("alias", "alias past is at None, the history says 1"),
    ]


def test_rules_changed_by_hand_are_found(client: TrackingClient, tamper: Tamper) -> None:
    tamper("UPDATE registered_models SET gates = '{}'")
    (finding,) = findings(client)
    assert finding.what == "policy"
    assert "gates is not what the history has set last" in finding.message
    set_policy(client, "credit", actor="ada", gates=POLICY)
    assert findings(client) == ()
    tamper("UPDATE registered_models SET stages = jsonb_set(stages, '{edges,1,approvals}', '0')")
    (finding,) = findings(client)
    assert finding.what == "policy"
    assert "stage graph is not what the history has set last" in finding.message


@pytest.mark.parametrize(
    "payload", ['{"from": "lending", "to": "lending"}', '{"from": 7, "to": "lending"}', "[]"]
)
@pytest.mark.parametrize("half", ["credit", "lending"])
def test_a_renaming_that_was_touched_is_named_in_its_chain(
    client: TrackingClient, tamper: Tamper, half: str, payload: str
) -> None:
    rename_model(client, "credit", "lending", actor="ada")
    touched = list_history(client, half)[-1]
    tamper(
        "UPDATE history SET payload = %(payload)s::jsonb WHERE id = %(id)s",
        given={"payload": payload, "id": touched.event_id},
    )
    report = verify_history(client, half)
    assert (report.findings[0].what, report.findings[0].event_id) == ("event", touched.event_id)


def test_versions_that_the_history_does_not_know_or_knows_otherwise_are_found(
    client: TrackingClient, tamper: Tamper, add_version: AddVersion
) -> None:
    with client.store.transaction() as tx:
        registered = tx.registry.get_version("credit", 3).digest
    tamper("UPDATE model_versions SET digest = repeat('e', 64) WHERE version = 3")
    (finding,) = findings(client)
    assert (finding.what, str(registered) in finding.message) == ("version", True)
    add_version()
    assert findings(client)[-1].message == "version 5 is not in the history"
    tamper("UPDATE model_versions SET deleted = false WHERE version = 4")
    assert "version 4 is not in the history" in {item.message for item in findings(client)}


def test_what_happens_while_an_auditor_reads_is_no_finding(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for _ in range(2):
        add_version("busy")
    promote(client, "busy", 2, "Production", actor="ada")
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            for version in (1, 2):
                promote(client, "busy", version, "Production", actor="ada")
                set_alias(client, "busy", "champion", version, actor="ada")

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        for _ in range(40):
            assert verify_history(client, "busy").findings == ()
    finally:
        stop.set()
        thread.join(30)
