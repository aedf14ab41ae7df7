"""The outbox: queued with the event, by kind and name, at next to no cost."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from airflow_mltrack.entities.webhooks import (
    DeliveryState,
    MlflowEvent,
    WebhookDelivery,
    WebhookFormat,
)
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction

LEASE = timedelta(seconds=60)
NAMES = st.text(alphabet="aB%_\\?[].*é'", max_size=5)


def add(tx: Transaction, key: str = "w1", *, models: str = "*", kind: str = "*") -> None:
    tx.webhooks.add(key, url="https://a.example/", events=[kind], models=models)


def append(tx: Transaction, name: str = "credit", kind: str = "transition") -> int:
    event = tx.history.append(name=name, version=1, kind=kind, actor="ada", payload={})
    return event.event_id


def claim(store: TrackingStore, *, after: float = 0.0) -> WebhookDelivery | None:
    with store.transaction() as tx:
        return tx.webhooks.claim(now=tx.now() + timedelta(seconds=after), lease=LEASE)


@contextmanager
def statements(store: TrackingStore) -> Iterator[list[str]]:
    """Collect the SQL that is sent."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sqlalchemy_event.listen(store.engine, "before_cursor_execute", note)
    yield seen
    sqlalchemy_event.remove(store.engine, "before_cursor_execute", note)


@given(name=NAMES, pattern=NAMES)
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_in_a_pattern_only_the_star_is_special(
    store: TrackingStore, name: str, pattern: str
) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name)
    with store.transaction() as tx:
        tx.connection.execute(text("DELETE FROM webhooks"))
        add(tx, models=pattern)
        append(tx, name=name)
        assert tx.webhooks.waiting() == (expected is not None)


def test_names_are_compared_with_their_case(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx, models="Credit-*")
        append(tx, "credit-x")
        assert tx.webhooks.waiting() == 0
        append(tx, "Credit-x")
        assert tx.webhooks.waiting() == 1


@pytest.mark.parametrize("webhooks", [0, 3])
def test_queueing_takes_one_statement(store: TrackingStore, webhooks: int) -> None:
    with store.transaction() as tx:
        for number in range(webhooks):
            add(tx, f"w{number}")
        with statements(store) as seen:
            append(tx)
        assert tx.webhooks.waiting() == webhooks
    assert len([statement for statement in seen if "webhook" in statement]) == 1
    assert len(seen) == 5  # lock, last event, clock, insert, queue


def test_an_event_that_is_rolled_back_is_not_queued(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
    with store.transaction() as tx:
        append(tx)
        tx.connection.rollback()
    with store.transaction() as tx:
        assert tx.webhooks.waiting() == 0


def test_each_webhook_hears_of_an_event_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.webhooks.add("w1", url="https://a.example/", events=["*", "transition"], models="*")
        append(tx)
        assert tx.webhooks.waiting() == 1


def test_deleting_a_webhook_fails_no_promotion_that_runs_meanwhile(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx, "leaves")
        add(tx, "stays")
    done = threading.Event()

    def write() -> None:
        with store.transaction() as tx:
            append(tx)
        done.set()

    writer = threading.Thread(target=write)
    with store.transaction() as tx:
        tx.webhooks.delete("leaves")
        writer.start()
        assert not done.wait(0.5)  # it waits for us to end
    writer.join(20)
    assert done.is_set()
    with store.transaction() as tx:
        assert [found.webhook.webhook_id for found in tx.webhooks.deliveries()] == ["stays"]


def test_deleting_a_webhook_deletes_its_deliveries_and_no_history(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        append(tx)
        tx.webhooks.delete("w1")
        assert tx.webhooks.deliveries() == []
        assert len(tx.history.list("credit")) == 1
        assert tx.history.verify("credit") is None


def test_what_is_claimed_is_not_due_until_the_lease_is_over(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        event = append(tx)
    first = claim(store)
    assert first is not None
    assert (first.event.event_id, first.attempts, first.state) == (event, 1, DeliveryState.WAITING)
    assert claim(store) is None
    again = claim(store, after=61)
    assert again is not None
    assert (again.delivery_id, again.attempts) == (first.delivery_id, 2)


def test_a_claim_passes_over_what_another_transaction_holds(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        events = [append(tx), append(tx)]
    with store.transaction() as one, store.transaction() as two:
        two.connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        first = one.webhooks.claim(now=one.now(), lease=LEASE)
        second = two.webhooks.claim(now=two.now(), lease=LEASE)
        third = two.webhooks.claim(now=two.now(), lease=LEASE)
    assert first is not None
    assert second is not None
    assert [first.event.event_id, second.event.event_id] == events
    assert third is None


def test_a_deliverer_that_was_overtaken_changes_nothing(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        append(tx)
    slow, fast = claim(store), claim(store, after=61)
    assert slow is not None
    assert fast is not None
    with store.transaction() as tx:
        tx.webhooks.give_up(slow, error="slow")
        tx.webhooks.postpone(slow, until=tx.now(), error="slow")
        [found] = tx.webhooks.deliveries()
        assert (found.state, found.error) == (DeliveryState.WAITING, None)
        tx.webhooks.delivered(slow.delivery_id, at=tx.now())  # the receiver has it all the same
        tx.webhooks.postpone(fast, until=tx.now(), error="late")
        [found] = tx.webhooks.deliveries()
        assert (found.state, found.error) == (DeliveryState.DELIVERED, None)
        assert tx.webhooks.claim(now=tx.now() + timedelta(days=9), lease=LEASE) is None


def test_what_was_given_up_can_be_tried_again(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        append(tx)
    claimed = claim(store)
    assert claimed is not None
    with store.transaction() as tx:
        tx.webhooks.give_up(claimed, error="HTTP 500")
        assert tx.webhooks.retry_failed() == 1
        assert tx.webhooks.retry_failed() == 0
    again = claim(store)
    assert again is not None
    assert (again.attempts, again.error) == (1, "HTTP 500")


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        ("created", {}, "registered_model.created"),
        ("registered", {}, "model_version.created"),
        ("tag", {"key": "k", "value": ""}, "model_version_tag.set"),
        ("tag", {"key": "k", "deleted": True}, "model_version_tag.deleted"),
        ("alias", {"from": 1, "to": 2}, "model_version_alias.created"),
        ("alias", {"from": 1, "to": None}, "model_version_alias.deleted"),
        ("transition", {"to": "Production"}, None),
        ("deleted", {}, None),
    ],
)
def test_a_webhook_of_mlflows_format_hears_what_mlflow_has_a_name_for(
    store: TrackingStore, kind: str, payload: dict[str, object], told: str | None
) -> None:
    with store.transaction() as tx:
        for event in MlflowEvent:
            tx.webhooks.add(
                event.value,
                url="https://a.example/",
                events=[event.value],
                models="*",
                format=WebhookFormat.MLFLOW,
            )
        tx.history.append(name="credit", version=1, kind=kind, actor="ada", payload=payload)
        heard = [found.webhook.webhook_id for found in tx.webhooks.deliveries()]
    assert heard == ([] if told is None else [told])


def test_what_was_delivered_long_ago_is_deleted_and_nothing_else(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        events = [append(tx) for _ in range(6)]
    with store.transaction() as tx:
        now = tx.now()
        for days in (40, 35, 31, 29):
            claimed = tx.webhooks.claim(now=now, lease=LEASE)
            assert claimed is not None
            tx.webhooks.delivered(claimed.delivery_id, at=now - timedelta(days=days))
        given_up = tx.webhooks.claim(now=now, lease=LEASE)
        assert given_up is not None
        tx.webhooks.give_up(given_up, error="HTTP 500")
        tx.connection.execute(text("UPDATE webhook_deliveries SET created_at = '2020-01-01Z'"))
    before = now - timedelta(days=30)
    with store.transaction() as tx:
        assert tx.webhooks.prune(before, limit=2) == 2
        assert tx.webhooks.prune(before, limit=2) == 1
        assert tx.webhooks.prune(before, limit=2) == 0
        left = {found.event.event_id: found.state.value for found in tx.webhooks.deliveries()}
        assert len(tx.history.list("credit")) == 6
    assert left == dict(zip(events[3:], ("DELIVERED", "FAILED", "WAITING"), strict=True))


def test_pruning_waits_for_nobody(store: TrackingStore) -> None:
    with store.transaction() as tx:
        add(tx)
        append(tx)
        claimed = tx.webhooks.claim(now=tx.now(), lease=LEASE)
        assert claimed is not None
        tx.webhooks.delivered(claimed.delivery_id, at=tx.now() - timedelta(days=2))
    with store.transaction() as one, store.transaction() as two:
        two.connection.execute(text("SET LOCAL lock_timeout = '5s'"))
        one.connection.execute(text("SELECT FROM webhook_deliveries FOR UPDATE"))
        assert two.webhooks.prune(two.now(), limit=10) == 0


def test_pruning_is_a_walk_of_its_index(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = tx.connection.execute(
            text(
                "EXPLAIN SELECT id FROM webhook_deliveries WHERE state = 'DELIVERED' "
                "AND delivered_at < now() ORDER BY delivered_at LIMIT 5"
            )
        ).scalars()
        assert "webhook_deliveries_done_idx" in " ".join(plan)


def test_a_page_goes_on_where_the_last_one_ended(store: TrackingStore) -> None:
    with store.transaction() as tx:
        for number in range(4):
            form = WebhookFormat.MLTRACK if number == 1 else WebhookFormat.MLFLOW
            tx.webhooks.add(
                f"w{number}", url="https://a.example/", events=[], models="*", format=form
            )
        first = tx.webhooks.page(WebhookFormat.MLFLOW, max_results=2)
        tx.webhooks.add(
            "new", url="https://a.example/", events=[], models="*", format=WebhookFormat.MLFLOW
        )
        token = first.next_page_token
        second = tx.webhooks.page(WebhookFormat.MLFLOW, max_results=2, page_token=token)
        pages = [[item.webhook_id for item in page.webhooks] for page in (first, second)]
        assert pages == [["w3", "w2"], ["w0"]]
        assert second.next_page_token is None
        with pytest.raises(InvalidInput, match="page_token"):
            tx.webhooks.page(WebhookFormat.MLTRACK, page_token=token)
