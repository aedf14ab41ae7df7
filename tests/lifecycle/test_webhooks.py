"""Webhooks: what is sent, to whom, when again, and what no receiver can do to us."""

from __future__ import annotations

import hashlib
import hmac
import logging
import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack import __version__
from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.entities.webhooks import EVENT_KINDS, DeliveryState, Webhook, WebhookDelivery
from airflow_mltrack.exceptions import InvalidInput, NotFound, PromotionRefused
from airflow_mltrack.lifecycle import webhook_delivery
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.webhook_delivery import (
    JITTER,
    LEASE,
    MOST_ATTEMPTS,
    PAUSES,
    DeliveryReport,
    pause_before,
)
from airflow_mltrack.lifecycle.webhook_post import Reply, post
from airflow_mltrack.lifecycle.webhooks import (
    create_webhook,
    delete_webhook,
    deliver_due,
    deliver_soon,
    list_deliveries,
    list_webhooks,
    retry_failed,
    send_trial,
    set_active,
)
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.canonical_json import canonical_json
from airflow_mltrack.store.history import event_hash
from airflow_mltrack.store.row_digest import utc_text
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion
from tests.lifecycle.webhook_receiver import SECRET, Answer, Receiver, running_receiver
from tests.store.processes import at_once

NOWHERE = TrackingClient(
    Settings(
        database_url="postgresql://127.0.0.1:1/none",
        artifact_uri="/unused",
        webhook_secret=SECRET,
    )
)
"""A client without a database: bad input is refused before anything is reached."""
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "webhooks.md"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a secret to sign with."""
    return replace(settings, webhook_secret=SECRET)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def hook(client: TrackingClient, receiver: Receiver, **changes: Any) -> Webhook:
    return create_webhook(client, **{"url": receiver.url, "actor": "ada", **changes})


def happen(
    client: TrackingClient, name: str = "credit", kind: str = "transition", **payload: object
) -> HistoryEvent:
    with client.store.transaction() as tx:
        return tx.history.append(name=name, version=1, kind=kind, actor="ada", payload=payload)


def promote_and_fail(client: TrackingClient) -> None:
    with client.store.transaction() as tx:
        tx.registry.move("credit", 1, "Staging")
        tx.history.append(
            name="credit", version=1, kind="transition", actor="ada", payload={"to": "Staging"}
        )
        assert tx.webhooks.waiting() == 1
        _ = 1 / 0


def only(client: TrackingClient) -> WebhookDelivery:
    [delivery] = list_deliveries(client)
    return delivery


def later(client: TrackingClient, seconds: float) -> datetime:
    with client.store.transaction() as tx:
        return tx.now() + timedelta(seconds=seconds)


def documented_check() -> Any:
    """Give the receiver's function that the how-to shows."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    [code] = [block for block in blocks if "def is_genuine" in block]
    assert len([line for line in code.splitlines() if line.strip()]) <= 13  # three are imports
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - our own text
    return names["is_genuine"]


# What is sent


def test_a_promotion_is_delivered_with_all_its_facts(
    client: TrackingClient, receiver: Receiver, add_version: AddVersion
) -> None:
    webhook = hook(client, receiver)
    version = add_version()
    event = promote(client, "credit", 1, "Production", actor="ada", reason="better").event
    assert event is not None
    assert deliver_due(client) == DeliveryReport(delivered=1)
    [request] = receiver.received
    sent = request.json
    delivery = only(client)
    assert request.body == canonical_json(sent).encode()
    assert sent.pop("sent_at").endswith("Z")
    assert sent.pop("delivery_id") == delivery.delivery_id
    assert sent == {
        "id": event.event_id,
        "event": "transition",
        "model": "credit",
        "version": 1,
        "at": utc_text(event.at),
        "actor": "ada",
        "payload": event.payload,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }
    assert sent["payload"]["digest"] == version.digest
    assert delivery.state is DeliveryState.DELIVERED
    assert (delivery.attempts, delivery.error) == (1, None)
    assert delivery.webhook == webhook


def test_the_receiver_can_compute_the_hash_of_the_event(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client, score=1.0, reason="é")
    deliver_due(client)
    sent = receiver.received[0].json
    facts = {key: sent[key] for key in ("actor", "payload", "previous_hash", "version")}
    facts |= {"kind": sent["event"], "name": sent["model"]}
    assert event_hash({**facts, "at": datetime.fromisoformat(sent["at"])}) == sent["hash"]


def test_the_headers_say_what_it_is_and_are_signed(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    happen(client)
    deliver_due(client)
    [request] = receiver.received
    headers = request.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"airflow-mltrack/{__version__}"
    assert headers["X-MLTrack-Event"] == "transition"
    assert headers["X-MLTrack-Delivery"] == only(client).delivery_id
    signed = headers["X-MLTrack-Timestamp"].encode() + b"." + request.body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-MLTrack-Signature"] == f"sha256={expected}"


def test_the_documented_receiver_takes_ours_and_nothing_else(
    client: TrackingClient, receiver: Receiver
) -> None:
    is_genuine = documented_check()
    hook(client, receiver)
    happen(client)
    deliver_due(client)
    [request] = receiver.received
    assert is_genuine(request.headers, request.body, SECRET)
    assert not is_genuine(request.headers, request.body, SECRET + "x")
    assert not is_genuine(request.headers, request.body + b" ", SECRET)
    old = dict(request.headers.items()) | {"X-MLTrack-Timestamp": str(int(time.time()) - 3_600)}
    headers = {
        "X-MLTrack-Timestamp": old["X-MLTrack-Timestamp"],
        "X-MLTrack-Signature": old["X-Mltrack-Signature"],
    }
    assert not is_genuine(headers, request.body, SECRET)
    signed = headers["X-MLTrack-Timestamp"].encode() + b"." + request.body
    made = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    headers["X-MLTrack-Signature"] = f"sha256={made}"
    assert not is_genuine(headers, request.body, SECRET)  # genuine once, replayed an hour later


def test_a_trial_is_signed_and_leaves_no_record(client: TrackingClient, receiver: Receiver) -> None:
    webhook = hook(client, receiver)
    assert send_trial(client, webhook.webhook_id) == Reply(200, None)
    [request] = receiver.received
    assert request.json["event"] == request.headers["X-MLTrack-Event"] == "test"
    assert documented_check()(request.headers, request.body, SECRET)
    assert list_deliveries(client) == []
    receiver.answers = [Answer(404, b"no such hook")]
    assert send_trial(client, webhook.webhook_id) == Reply(404, "HTTP 404: no such hook")


# Who hears of what


def test_events_are_chosen_by_kind_and_by_model(client: TrackingClient, receiver: Receiver) -> None:
    hook(client, receiver, url=f"{receiver.url}/moves")
    hook(client, receiver, url=f"{receiver.url}/all", events=["*"], models="credit-*")
    hook(client, receiver, url=f"{receiver.url}/two", events=["verdict", "approval"])
    happen(client, "credit-default")
    happen(client, "credit-default", kind="verdict")
    happen(client, "churn")
    happen(client, "churn", kind="alias")
    deliver_due(client)
    got = sorted((item.path, item.json["model"], item.json["event"]) for item in receiver.received)
    assert got == [
        ("/hook/all", "credit-default", "transition"),
        ("/hook/all", "credit-default", "verdict"),
        ("/hook/moves", "churn", "transition"),
        ("/hook/moves", "credit-default", "transition"),
        ("/hook/two", "credit-default", "verdict"),
    ]


def test_what_happened_before_a_webhook_was_made_is_not_sent(
    client: TrackingClient, receiver: Receiver
) -> None:
    happen(client)
    hook(client, receiver, events=["*"])
    assert deliver_due(client) == DeliveryReport()


def test_a_promotion_that_did_not_happen_is_not_sent(
    client: TrackingClient, receiver: Receiver, add_version: AddVersion
) -> None:
    hook(client, receiver)
    add_version(gates={"checks": [{"metric": "auc", "min": 0.7}]})
    with pytest.raises(PromotionRefused):
        promote(client, "credit", 1, "Production", actor="ada")
    with pytest.raises(ZeroDivisionError):
        promote_and_fail(client)
    assert list_deliveries(client) == []
    deliver_due(client)
    assert receiver.received == []


def test_a_webhook_that_is_off_gets_nothing_and_keeps_what_waited(
    client: TrackingClient, receiver: Receiver
) -> None:
    webhook = hook(client, receiver)
    hook(client, receiver, models="another")  # one that is on, so that deliverers have work
    happen(client, place="before")
    set_active(client, webhook.webhook_id, active=False, actor="ada")
    happen(client, place="while it was off")
    assert deliver_due(client) == DeliveryReport(waiting=1)
    set_active(client, webhook.webhook_id, active=True, actor="ada")
    assert deliver_due(client) == DeliveryReport(delivered=1)
    assert [item.json["payload"]["place"] for item in receiver.received] == ["before"]


def test_events_of_one_webhook_arrive_in_their_order(
    client: TrackingClient, receiver: Receiver
) -> None:
    hook(client, receiver)
    events = [happen(client, f"m{number % 3}").event_id for number in range(9)]
    assert deliver_due(client, limit=5) == DeliveryReport(delivered=5, waiting=4)
    assert deliver_due(client, limit=5) == DeliveryReport(delivered=4)
    assert [request.json["id"] for request in receiver.received] == events


# When again


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


# Receivers that misbehave


def test_a_slow_receiver_is_not_waited_for(
    client: TrackingClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "REQUEST_SECONDS", 1.0)
    hook(client, receiver)
    happen(client)
    receiver.answers = [Answer(holds=True)]
    begun = time.monotonic()
    assert deliver_due(client) == DeliveryReport(postponed=1, waiting=1)
    assert time.monotonic() - begun < 5
    assert "no answer" in str(only(client).error)


@pytest.mark.parametrize("answer", [Answer(holds=True), Answer(drips=True)], ids=["holds", "drips"])
def test_a_request_takes_no_longer_than_it_may(receiver: Receiver, answer: Answer) -> None:
    receiver.answers = [answer]
    begun = time.monotonic()
    reply = post(receiver.url, b"{}", {}, seconds=0.6)
    assert time.monotonic() - begun < 5
    assert reply.status is None
    assert "no answer" in str(reply.error)
    for thread in threading.enumerate():
        if thread.name == "mltrack-webhook-post":
            thread.join(5)
            assert not thread.is_alive()  # although the receiver goes on


def test_a_redirect_is_not_followed(client: TrackingClient, receiver: Receiver) -> None:
    hook(client, receiver)
    happen(client)
    for status in (301, 302, 303, 307, 308):
        receiver.answers.append(Answer(status, headers={"Location": f"{receiver.url}/elsewhere"}))
        assert "redirect" in str(post(receiver.url, b"{}", {}).error)
    receiver.answers = [Answer(307, headers={"Location": f"{receiver.url}/elsewhere"})]
    assert deliver_due(client).postponed == 1
    assert only(client).error == "HTTP 307: a redirect, which is not followed"
    assert {request.path for request in receiver.received} == {"/hook"}


def test_an_answer_that_is_no_http_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello\r\n\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        reply = post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
        thread.join()
    assert reply.status is None
    assert reply.error


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "nonsense"])
def test_only_http_is_spoken_whatever_stands_in_the_database(url: str) -> None:
    try:
        reply = post(url, b"{}", {})
    except ValueError:
        return
    assert reply.status is None
    assert "unknown url type" in str(reply.error)


@pytest.mark.parametrize("status", [200, 302, 500])
def test_of_an_answer_at_most_the_beginning_is_read(receiver: Receiver, status: int) -> None:
    receiver.answers = [Answer(status, b"x" * 1_000, endless=True)]
    reply = post(receiver.url, b"{}", {}, seconds=20)
    assert reply.status == status
    assert len(reply.error or "") < 250


# Deliverers


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


# Right after a promotion


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
    monkeypatch.setattr(webhook_delivery, "SOON_SECONDS", 1.0)
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


# Secrets and bad input


def test_no_secret_and_no_token_reaches_log_record_or_error(
    client: TrackingClient, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook = hook(client, receiver, url=f"{receiver.url}?token=t0ken")
    happen(client)
    receiver.answers = [Answer(401, f"wanted {SECRET}".encode())]
    deliver_due(client)
    assert receiver.received[0].path == "/hook?token=t0ken"
    assert only(client).error == "HTTP 401: wanted ***"
    delete_webhook(client, webhook.webhook_id, actor="ada")
    told = caplog.text + repr(webhook) + webhook.safe_url
    assert SECRET not in told
    assert "t0ken" not in told
    assert webhook.safe_url.endswith("/hook?***")


@pytest.mark.parametrize(
    ("secret", "match"), [(None, "MLTRACK_WEBHOOK_SECRET"), ("", "openssl"), ("short", "at least")]
)
def test_nothing_is_made_or_sent_without_a_good_secret(
    client: TrackingClient,
    receiver: Receiver,
    settings: Settings,
    secret: str | None,
    match: str,
) -> None:
    webhook = hook(client, receiver)
    happen(client)
    with TrackingClient(replace(settings, webhook_secret=secret)) as other:
        for work in (
            lambda: hook(other, receiver),
            lambda: deliver_due(other),
            lambda: send_trial(other, webhook.webhook_id),
        ):
            with pytest.raises(InvalidInput, match=match) as caught:
                work()
            assert "'short'" not in str(caught.value)
    assert receiver.received == []
    assert only(client).attempts == 0


def test_without_webhooks_no_secret_is_needed(client: TrackingClient, settings: Settings) -> None:
    happen(client)
    with TrackingClient(replace(settings, webhook_secret=None)) as other:
        assert deliver_due(other) == DeliveryReport()


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("", "1 to 2,000"),
        ("https://a.example/" + "x" * 2_000, "1 to 2,000"),
        (None, "1 to 2,000"),
        ("ftp://a.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("a.example/hook", "https://"),
        ("https://user:pass1234@a.example/", "no user and no password"),
        ("https://pass1234@a.example/", "no user and no password"),
        ("https:///hook", "host"),
        ("https://a.example:0/", "port"),
        ("https://a.example:99999/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://a.example/\r\nX-Other: 1", "visible ASCII"),
        ("https://a.example/a b", "visible ASCII"),
        ("https://a.example/é", "%XX"),
        ("https://a.example/#part", "after #"),
    ],
)
def test_a_bad_address_is_refused_without_being_shown(url: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match) as caught:
        create_webhook(NOWHERE, url=url, actor="ada")
    assert "pass1234" not in str(caught.value)


def test_any_http_address_is_taken(client: TrackingClient) -> None:
    urls = ["HTTPS://a.example:8443/x?y=1", "http://[::1]:80", "http://10.1"]
    for url in urls:
        create_webhook(client, url=url, actor="ada")
    assert [webhook.url for webhook in list_webhooks(client)] == urls


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"events": ["transition", "promoted"]}, "promoted.*Known are created"),
        ({"events": "transition"}, "list of kinds"),
        ({"events": []}, "list of kinds"),
        ({"models": ""}, "at least 1"),
        ({"models": "x" * 251}, "at most 250"),
        ({"models": "a\x00"}, "NUL"),
        ({"description": "x" * 1_001}, "at most 1000"),
    ],
)
def test_a_bad_choice_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        create_webhook(NOWHERE, **{"url": "https://a.example", "actor": "ada", **changes})


def test_what_does_not_exist_is_said_with_the_next_step(client: TrackingClient) -> None:
    for work in (
        lambda: delete_webhook(client, "f" * 32, actor="ada"),
        lambda: set_active(client, "f" * 32, active=True, actor="ada"),
        lambda: list_deliveries(client, webhook_id="f" * 32),
        lambda: send_trial(client, "f" * 32),
    ):
        with pytest.raises(NotFound, match="mltrack webhooks list"):
            work()
    with pytest.raises(InvalidInput, match="WAITING, DELIVERED, FAILED"):
        list_deliveries(client, state="lost")
    with pytest.raises(InvalidInput, match="1 to 1000"):
        list_deliveries(client, limit=0)
    with pytest.raises(InvalidInput, match="at least 1"):
        deliver_due(client, limit=0)


def test_deliveries_are_listed_newest_first_and_by_state(
    client: TrackingClient, receiver: Receiver
) -> None:
    webhook = hook(client, receiver)
    events = [happen(client).event_id for _ in range(3)]
    deliver_due(client, limit=1)
    found = list_deliveries(client)
    assert [delivery.event.event_id for delivery in found] == events[::-1]
    [delivered] = list_deliveries(client, state="delivered", webhook_id=webhook.webhook_id)
    assert delivered.event.event_id == events[0]
    assert len(list_deliveries(client, limit=2)) == 2


def test_every_kind_of_event_that_is_written_can_be_asked_for() -> None:
    package = Path(__file__).parents[2] / "airflow_mltrack" / "lifecycle"
    source = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    calls = re.findall(r"history\.append\((.*?)payload=", source, re.DOTALL)
    written = {kind for call in calls for kind in re.findall(r'kind="(\w+)"', call)}
    assert {"transition", "verdict"} <= written
    assert written - set(EVENT_KINDS) == set()
