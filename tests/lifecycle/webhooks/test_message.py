"""What is sent, and how a receiver knows that it is genuine."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import datetime

from airflow_mltrack import __version__
from airflow_mltrack.entities.webhooks import DeliveryState
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries
from airflow_mltrack.lifecycle.webhooks.outbox import (
    DeliveryReport,
    deliver_due,
)
from airflow_mltrack.lifecycle.webhooks.post import Reply
from airflow_mltrack.lifecycle.webhooks.trial import send_trial
from airflow_mltrack.store.canonical_json import canonical_json
from airflow_mltrack.store.history import event_hash
from airflow_mltrack.store.row_digest import utc_text
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion
from tests.lifecycle.webhook_receiver import SECRET, Answer, Receiver
from tests.lifecycle.webhooks.conftest import documented_check, happen, hook, only


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
    assert send_trial(client, webhook.webhook_id) == Reply(
        404, "HTTP 404: no such hook", "no such hook"
    )
