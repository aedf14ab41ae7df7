"""Webhooks of MLflow's client: what arrives, when again, and how receivers know us."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_mltrack.entities.webhooks import DeliveryState
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries
from airflow_mltrack.lifecycle.webhooks.outbox import deliver_due
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.webhook_receiver import SECRET, Answer, Received, Receiver
from tests.web.conftest import HeaderAccess
from tests.web.mlflow.conftest import Rest, serving_protocol, waited_for
from tests.web.mlflow.webhook_desk import (
    EVENTS,
    OWN,
    client,
    is_genuine,
    receiver,
    rest,
    settings,
)

__all__ = ["client", "receiver", "rest", "settings"]


def happen(client: Any) -> None:
    """Bring about each of MLflow's events once."""
    client.create_registered_model("credit", tags={"team": "risk"}, description="Loans.")
    client.create_model_version("credit", "s3://elsewhere/m", tags={"a": "b"}, description="first")
    client.set_model_version_tag("credit", "1", "stage", "tried")
    client.delete_model_version_tag("credit", "1", "stage")
    client.set_registered_model_alias("credit", "best", "1")
    client.delete_registered_model_alias("credit", "best")


HAPPENED: dict[str, dict[str, object]] = {
    "registered_model.created": {
        "name": "credit",
        "tags": {"team": "risk"},
        "description": "Loans.",
    },
    "model_version.created": {
        "name": "credit",
        "version": "1",
        "source": "s3://elsewhere/m",
        "run_id": None,
        "tags": {"a": "b"},
        "description": "first",
    },
    "model_version_tag.set": {"name": "credit", "version": "1", "key": "stage", "value": "tried"},
    "model_version_tag.deleted": {"name": "credit", "version": "1", "key": "stage"},
    "model_version_alias.created": {"name": "credit", "alias": "best", "version": "1"},
    "model_version_alias.deleted": {"name": "credit", "alias": "best"},
}


def test_each_event_arrives_as_mlflows_own_server_would_send_it(
    client: Any, tracking: TrackingClient, receiver: Receiver
) -> None:
    from mlflow.entities.webhook import WebhookEvent
    from mlflow.webhooks.types import EVENT_TO_PAYLOAD_CLASS

    client.create_webhook("desk", receiver.url, EVENTS, secret=OWN)
    happen(client)
    waited_for(lambda: len(receiver.received) == len(EVENTS))
    told = {}
    for request in receiver.received:
        sent = request.json
        assert set(sent) == {"entity", "action", "timestamp", "data"}
        assert datetime.fromisoformat(sent["timestamp"]).utcoffset() == timedelta(0)
        assert is_genuine(request, OWN)
        assert not is_genuine(request, SECRET)
        event = WebhookEvent(sent["entity"], sent["action"])
        fields = EVENT_TO_PAYLOAD_CLASS[event.entity, event.action].__annotations__
        assert set(sent["data"]) == set(fields)
        told[str(event)] = sent["data"]
    assert told == HAPPENED
    sent_ids = {request.headers["X-MLflow-Delivery-Id"] for request in receiver.received}
    kept = {str(uuid.UUID(delivery.delivery_id)) for delivery in list_deliveries(tracking)}
    assert sent_ids == kept


def test_a_webhook_without_a_secret_is_signed_with_the_sites(
    client: Any, receiver: Receiver
) -> None:
    made = client.create_webhook("desk", receiver.url, ["registered_model.created"])
    client.create_registered_model("credit")
    receiver.wait()
    assert is_genuine(receiver.received[0], SECRET)
    client.update_webhook(made.webhook_id, secret=OWN)
    client.test_webhook(made.webhook_id)
    assert is_genuine(receiver.received[1], OWN)
    client.update_webhook(made.webhook_id, secret="")
    client.test_webhook(made.webhook_id)
    assert is_genuine(receiver.received[2], SECRET)


def test_what_a_receiver_did_not_take_is_sent_again_with_the_same_id(
    client: Any, tracking: TrackingClient, receiver: Receiver
) -> None:
    client.create_webhook("desk", receiver.url, ["registered_model.created"], secret=OWN)
    receiver.answers = [Answer(503, b"later, " + OWN.encode())]
    client.create_registered_model("credit")
    receiver.wait()
    waited_for(lambda: list_deliveries(tracking)[0].error)
    [delivery] = list_deliveries(tracking)
    assert delivery.error == "HTTP 503: later, ***"
    with tracking.store.transaction() as tx:
        now = tx.now() + timedelta(minutes=1)
    assert deliver_due(tracking, now=now).delivered == 1
    first, second = receiver.received
    assert first.headers["X-MLflow-Delivery-Id"] == second.headers["X-MLflow-Delivery-Id"]
    assert first.body == second.body


def test_one_that_is_disabled_hears_nothing_until_it_is_active_again(
    client: Any, tracking: TrackingClient, receiver: Receiver
) -> None:
    events = ["registered_model.created"]
    made = client.create_webhook("desk", receiver.url, events, status="DISABLED")
    client.create_registered_model("unheard")
    client.update_webhook(made.webhook_id, status="ACTIVE")
    client.create_registered_model("heard")
    receiver.wait()
    assert [request.json["data"]["name"] for request in receiver.received] == ["heard"]
    assert len(list_deliveries(tracking)) == 1


def test_a_test_shows_an_event_and_says_what_came_of_it(
    client: Any, tracking: TrackingClient, receiver: Receiver
) -> None:
    from mlflow.webhooks.types import EVENT_TO_PAYLOAD_CLASS

    made = client.create_webhook("desk", receiver.url, ["model_version.created"], secret=OWN)
    done = client.test_webhook(made.webhook_id)
    assert (done.success, done.response_status, done.error_message) == (True, 200, None)
    for event in EVENTS:
        assert client.test_webhook(made.webhook_id, event=event).success
    sent = [f"{item.json['entity']}.{item.json['action']}" for item in receiver.received]
    assert sent == ["model_version.created", *EVENTS]
    fields = {f"{entity}.{act}": kind for (entity, act), kind in EVENT_TO_PAYLOAD_CLASS.items()}
    for request, event in zip(receiver.received, sent, strict=True):
        assert is_genuine(request, OWN)
        assert set(request.json["data"]) == set(fields[event].__annotations__)
    receiver.answers = [Answer(404, b"no such hook, " + OWN.encode())]
    refused = client.test_webhook(made.webhook_id)
    assert (refused.success, refused.response_status) == (False, 404)
    assert refused.response_body == "no such hook, ***"
    receiver.close()
    gone = client.test_webhook(made.webhook_id)
    assert (gone.success, gone.response_status) == (False, None)
    assert "Connection refused" in gone.error_message
    assert list_deliveries(tracking) == []


def test_another_secret_of_the_site_is_a_delivery_error_that_says_what_to_do(
    client: Any, tracking: TrackingClient, receiver: Receiver, settings: Settings
) -> None:
    made = client.create_webhook(
        "desk", receiver.url, ["registered_model.created"], secret=OWN, status="DISABLED"
    )
    open_ = client.create_webhook("open", receiver.url, ["registered_model.created"])
    client.update_webhook(made.webhook_id, status="ACTIVE")
    receiver.answers = [Answer(500)] * 2
    client.create_registered_model("credit")
    waited_for(lambda: all(delivery.error for delivery in list_deliveries(tracking)))
    moved = replace(settings, webhook_secret="another secret of the site")
    with TrackingClient(moved) as other, serving_protocol(other, HeaderAccess()) as uri:
        with other.store.transaction() as tx:
            now = tx.now() + timedelta(minutes=1)
        report = deliver_due(other, now=now)
        assert (report.delivered, report.postponed) == (1, 1)  # the one without needs no key
        states = {
            str(uuid.UUID(delivery.webhook.webhook_id)): delivery
            for delivery in list_deliveries(other)
        }
        assert states[open_.webhook_id].state is DeliveryState.DELIVERED
        error = str(states[made.webhook_id].error)
        assert "cannot be read any more" in error
        assert "Set the webhook's secret anew" in error
        asking = Rest(uri, **{"x-reader": "olga", "x-role": "promoter"})
        tried = asking.post(f"/webhooks/{made.webhook_id}/test", {})["result"]
        assert (tried["success"], "anew" in tried["error_message"]) == (False, True)
        changed = asking.ask("PATCH", f"/webhooks/{made.webhook_id}", {"secret": OWN})
        assert changed.status_code == 200
        asking.close()
        assert deliver_due(other, now=now + timedelta(hours=1)).delivered == 1
    assert is_genuine_at(receiver.received[-1], OWN)


def is_genuine_at(request: Received, secret: str) -> bool:
    """Check a signature whose time is that of a test's clock."""
    signed = f"{request.headers['X-MLflow-Delivery-Id']}.{request.headers['X-MLflow-Timestamp']}."
    digest = hmac.new(secret.encode(), signed.encode() + request.body, hashlib.sha256).digest()
    return request.headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(digest).decode()}"
