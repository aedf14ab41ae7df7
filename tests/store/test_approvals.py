"""Approvals in real Postgres, and the digests that the history keeps of rows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from sqlalchemy import text

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.row_digest import utc_text
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.test_verdicts import VERDICT

NOW = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=timezone.utc)
APPROVAL = Approval(
    approval_id="a1",
    name="credit",
    version=3,
    stage="Production",
    decision=Decision.APPROVED,
    approver="bob",
    reason="stands up to the numbers",
    package_digest="a" * 64,
    verdict_id="v1",
    created_at=NOW,
    requested_by="ada",
    valid_until=NOW + timedelta(days=30),
    details={"dag_id": "governed_release"},
)


def test_an_approval_comes_back_as_it_was_written(store: TrackingStore) -> None:
    bare = replace(
        APPROVAL,
        approval_id="a2",
        decision=Decision.REJECTED,
        package_digest=None,
        verdict_id=None,
        requested_by=None,
        valid_until=None,
        details={},
    )
    with store.transaction() as tx:
        assert tx.approvals.add(APPROVAL) == APPROVAL
        assert tx.approvals.add(bare) == bare
    with store.transaction() as tx:
        assert tx.approvals.get("a1") == APPROVAL
        assert tx.approvals.get("a2") == bare


def test_answers_come_newest_first_whatever_their_clocks_said(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.approvals.add(APPROVAL)
        tx.approvals.add(replace(APPROVAL, approval_id="a2", created_at=NOW - timedelta(days=1)))
        tx.approvals.add(replace(APPROVAL, approval_id="a3", version=4))
        tx.approvals.add(replace(APPROVAL, approval_id="a4", name="other"))
        assert [item.approval_id for item in tx.approvals.list("credit")] == ["a3", "a2", "a1"]
        assert [item.approval_id for item in tx.approvals.list("credit", 3)] == ["a2", "a1"]
        assert tx.approvals.list("none") == []


def test_an_unknown_approval_is_not_found(store: TrackingStore) -> None:
    with store.transaction() as tx, pytest.raises(NotFound, match="approval 'nope'"):
        tx.approvals.get("nope")


def test_an_id_is_used_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.approvals.add(APPROVAL)
    with pytest.raises(Conflict, match="approvals_approval_id_key"), store.transaction() as tx:
        tx.approvals.add(APPROVAL)


@pytest.mark.parametrize(
    "bad",
    [
        {"approver": ""},
        {"approver": "  "},
        {"approver": "x" * 501},
        {"reason": ""},
        {"reason": " \n"},
        {"reason": "x" * 5_001},
        {"reason": "a\x00b"},
        {"details": {"a": math.nan}},
        {"details": {"a": object()}},
    ],
)
def test_an_answer_that_cannot_be_kept_is_refused(
    store: TrackingStore, bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput), store.transaction() as tx:
        tx.approvals.add(replace(APPROVAL, **bad))  # type: ignore[arg-type]
    with store.transaction() as tx:
        assert tx.approvals.list("credit") == []


def test_the_digest_is_of_what_the_row_says(store: TrackingStore, database_url: str) -> None:
    with store.transaction() as tx:
        tx.approvals.add(APPROVAL)
        tx.approvals.add(replace(APPROVAL, approval_id="a2", version=4))
        tx.verdicts.add(VERDICT)
        approvals, verdicts = tx.approvals.digests("credit"), tx.verdicts.digests("credit")
        assert tx.approvals.digests("credit", "a1") == {"a1": approvals["a1"]}
        assert tx.verdicts.digests("credit", "v1") == verdicts
    assert set(approvals) == {"a1", "a2"}
    assert len({*approvals.values(), *verdicts.values()}) == 3
    with psycopg.connect(database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE approvals SET id = id + 100")
    with store.transaction() as tx:
        assert tx.approvals.digests("credit") == approvals  # a restored copy may count otherwise


def columns(store: TrackingStore, table: str) -> list[str]:
    with store.transaction() as tx:
        return list(
            tx.connection.scalars(
                text(
                    "SELECT column_name FROM information_schema.columns "
                    "WHERE table_name = :table AND column_name <> 'id' ORDER BY 1"
                ),
                {"table": table},
            )
        )


@pytest.mark.parametrize("table", ["approvals", "verdicts"])
def test_whatever_is_changed_in_a_row_changes_its_digest(
    store: TrackingStore, database_url: str, table: str
) -> None:
    with store.transaction() as tx:
        tx.approvals.add(APPROVAL)
        tx.verdicts.add(VERDICT)
    changes = {
        "timestamp with time zone": "{0} + interval '1 microsecond'",
        "integer": "{0} + 1",
        "boolean": "NOT {0}",
        "jsonb": """'["touched"]'""",
        "text": "{0} || '.'",
    }
    seen = set()
    for column in columns(store, table):
        if column in ("name", "decision"):
            continue  # by name it is found; a decision has two words
        with psycopg.connect(database_url) as connection:
            connection.execute("SET session_replication_role = replica")
            kind = connection.execute(
                "SELECT data_type FROM information_schema.columns "
                "WHERE table_name = %s AND column_name = %s",
                (table, column),
            ).fetchone()
            assert kind is not None
            change = changes[str(kind[0])].format(column)
            connection.execute(f"UPDATE {table} SET {column} = {change}")
        with store.transaction() as tx:
            digests = (tx.approvals if table == "approvals" else tx.verdicts).digests("credit")
        (digest,) = digests.values()
        assert digest not in seen, column
        seen.add(digest)


def test_times_are_hashed_in_one_form() -> None:
    there = datetime(2026, 1, 31, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert utc_text(there) == "2026-01-31T09:30:00.000000Z"
    assert utc_text(there.astimezone(timezone.utc)) == utc_text(there)
