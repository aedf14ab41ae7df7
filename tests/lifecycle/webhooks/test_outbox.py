"""When it is sent, and sent again; deliverers that die, and deliverers at once."""

from __future__ import annotations

import multiprocessing
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_mltrack.entities.webhooks import DeliveryState
from airflow_mltrack.lifecycle.webhooks import outbox as delivering
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries, retry_failed
from airflow_mltrack.lifecycle.webhooks.outbox import (
    JITTER,
    LEASE,
    MOST_ATTEMPTS,
    PAUSES,
    DeliveryReport,
    deliver_due,
    deliver_soon,
    pause_before,
)
from airflow_mltrack.lifecycle.webhooks.registration import (
    list_webhooks,
    set_active,
)
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.webhook_receiver import Answer, Receiver, running_receiver
from tests.lifecycle.webhooks.conftest import happen, hook, later, only
from tests.store.processes import at_once


def test_a_failure_is_tried_again_with_the_same_delivery_id(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(500, b"out of\norder\x00")]
    assert deliver_due(client) == DeliveryReport(postponed=1, waiting=1)
    delivery = only(client)
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert delivery.error == "HTTP 500: out of order�"
    assert deliver_due(client) == DeliveryReport(waiting=1)
    assert deliver_due(client, now=later(client, 13)) == DeliveryReport(delivered=1)
    assert receiver.delivery_ids == [delivery.delivery_id] * 2
    assert only(client).error is None


def test_a_refused_connection_is_tried_again(client: TrackingClient) -> None:
    with running_receiver() as gone:
        hook(client, gone)
    happen(client)
    assert deliver_due(client) == DeliveryReport(postponed=1, waiting=1)
    assert only(client).error == "Connection refused"


def test_the_pauses_grow_and_then_it_is_given_up(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(503)] * MOST_ATTEMPTS
    now = later(client, 0)
    pauses = []
    for _ in range(MOST_ATTEMPTS - 1):
        assert deliver_due(client, now=now).postponed == 1
        due = only(client).next_attempt_at
        assert deliver_due(client, now=due - timedelta(seconds=1)) == DeliveryReport(waiting=1)
        pauses.append((due - now).total_seconds())
        now = due
    assert sorted(PAUSES) == list(PAUSES)
    for pause, least in zip(pauses, PAUSES, strict=True):
        assert least <= pause <= least * (1 + JITTER)
    assert deliver_due(client, now=now) == DeliveryReport(failed=1)
    delivery = only(client)
    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, MOST_ATTEMPTS)
    assert deliver_due(client, now=now + timedelta(days=30)) == DeliveryReport()
    assert retry_failed(client) == 1
    assert deliver_due(client) == DeliveryReport(delivered=1)


def test_deliveries_that_failed_together_do_not_come_back_together() -> None:
    spread = {pause_before(2, f"delivery {number}") for number in range(50)}
    assert len(spread) == 50


def test_a_receiver_that_is_gone_for_good_is_switched_off(
    client: TrackingClient, receiver: Receiver
) -> None:
    webhook = hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(410)]
    assert deliver_due(client) == DeliveryReport(failed=1)
    assert only(client).state is DeliveryState.FAILED
    assert not list_webhooks(client)[0].active
    happen(client)
    assert len(list_deliveries(client, webhook_id=webhook.webhook_id)) == 1


def test_one_dead_receiver_costs_one_attempt_a_round_and_holds_nobody_up(
    client: TrackingClient, receiver: Receiver
) -> None:
    with running_receiver() as gone:
        dead = hook(client, gone)
    hook(client, receiver)
    for _ in range(3):
        happen(client)
    assert deliver_due(client) == DeliveryReport(delivered=3, postponed=1, waiting=3)
    waiting = list_deliveries(client, webhook_id=dead.webhook_id)
    assert sorted(delivery.attempts for delivery in waiting) == [0, 0, 1]


def deliver_in_process(settings: Settings) -> int:
    with TrackingClient(settings) as client:
        return deliver_due(client).delivered


def test_a_deliverer_that_is_killed_leaves_its_delivery_to_the_next(
    client: TrackingClient, receiver: Receiver, settings: Settings
) -> None:
    hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(holds=True)]
    process = multiprocessing.get_context("spawn").Process(
        target=deliver_in_process, args=(settings,)
    )
    process.start()
    receiver.wait()
    assert deliver_due(client) == DeliveryReport(waiting=1)  # the other one has it
    process.kill()
    process.join()
    assert deliver_due(client) == DeliveryReport(waiting=1)
    after = later(client, LEASE.total_seconds() + 1)
    assert deliver_due(client, now=after) == DeliveryReport(delivered=1)
    assert receiver.delivery_ids == [only(client).delivery_id] * 2
    assert only(client).attempts == 2


def test_a_delivery_that_kills_its_deliverers_is_given_up(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client)
    now = later(client, 0)
    for _ in range(MOST_ATTEMPTS):
        with client.store.transaction() as tx:
            assert tx.webhooks.claim(now=now, lease=LEASE) is not None
        now += LEASE
    assert deliver_due(client, now=now) == DeliveryReport(failed=1)
    assert "has died" in str(only(client).error)
    assert receiver.received == []


def test_deliverers_at_once_send_each_delivery_once(
    client: TrackingClient, receiver: Receiver, settings: Settings
) -> None:
    hook(client, receiver)
    for number in range(40):
        happen(client, number=number)
    delivered = at_once(deliver_in_process, [(settings,)] * 3)
    assert sum(delivered) == 40
    assert sorted(receiver.delivery_ids) == sorted(
        delivery.delivery_id for delivery in list_deliveries(client)
    )
    assert len(set(receiver.delivery_ids)) == 40


def test_nothing_is_held_open_while_a_receiver_is_waited_for(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(holds=True)]
    thread = threading.Thread(target=deliver_due, args=(client,))
    thread.start()
    receiver.wait()
    with client.store.transaction() as tx:
        open_ = tx.connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid != pg_backend_pid() AND xact_start IS NOT NULL"
        )
        assert open_.scalar() == 0
    receiver.released.set()
    thread.join()
    assert only(client).state is DeliveryState.DELIVERED


def test_soon_delivers_at_once(client: TrackingClient, receiver: Receiver) -> None:
    hook(client, receiver)
    happen(client)
    deliver_soon(client)
    assert only(client).state is DeliveryState.DELIVERED


def test_soon_is_bounded_and_leaves_the_rest(
    client: TrackingClient,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(delivering, "SOON_SECONDS", 1.0)
    hook(client, receiver)
    happen(client)
    with client.store.transaction() as tx:
        tx.connection.exec_driver_sql("LOCK TABLE webhooks IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        deliver_soon(client)
        assert time.monotonic() - begun < 5
    assert "delivered later" in caplog.text
    for thread in threading.enumerate():
        if thread.name == "mltrack-webhooks":
            thread.join(10)
    assert deliver_due(client).waiting == 0


def test_soon_sends_new_events_before_old_failures(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client, place="old")
    receiver.answers = [Answer(500)]
    deliver_due(client)
    with client.store.transaction() as tx:
        tx.connection.exec_driver_sql("UPDATE webhook_deliveries SET next_attempt_at = now()")
    happen(client, place="new")
    deliver_soon(client)
    places = [request.json["payload"]["place"] for request in receiver.received]
    assert places == ["old", "new", "old"]


def test_soon_raises_nothing_and_says_what_is_missing(
    client: TrackingClient, receiver: Receiver, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    hook(client, receiver)
    happen(client)
    with TrackingClient(replace(settings, webhook_secret=None)) as without:
        deliver_soon(without)
    assert "MLTRACK_WEBHOOK_SECRET" in caplog.text
    nowhere = replace(settings, database_url="postgresql://u:pass1234@127.0.0.1:1/none")
    with TrackingClient(nowhere) as away:
        deliver_soon(away)
    assert "cannot be reached" in caplog.text
    assert "pass1234" not in caplog.text
    assert only(client).state is DeliveryState.WAITING


# What was delivered long ago


def test_a_round_forgets_what_arrived_long_ago_and_keeps_what_was_given_up(
    client: TrackingClient, receiver: Receiver
) -> None:
    webhook = hook(client, receiver)
    happen(client, place="arrives")
    happen(client, place="is refused")
    receiver.answers = [Answer(), Answer(410)]
    assert deliver_due(client) == DeliveryReport(delivered=1, failed=1)
    deliver_due(client, now=later(client, 29 * 86_400))
    assert len(list_deliveries(client)) == 2
    deliver_due(client, now=later(client, 31 * 86_400))  # although the only webhook is off
    assert only(client).state is DeliveryState.FAILED
    set_active(client, webhook.webhook_id, active=True, actor="ada")
    assert retry_failed(client) == 1
    assert deliver_due(client, now=later(client, 31 * 86_400)).delivered == 1


def test_how_long_they_are_kept_is_a_setting(
    client: TrackingClient, receiver: Receiver, settings: Settings
) -> None:
    hook(client, receiver)
    happen(client)
    deliver_due(client)
    with TrackingClient(replace(settings, webhook_keep_days=2)) as other:
        deliver_due(other, now=later(client, 3 * 86_400))
    assert list_deliveries(client) == []
