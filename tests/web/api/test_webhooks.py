from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from airflow_mltrack.entities.webhooks import WebhookFormat
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.webhook_receiver import SECRET, Receiver, running_receiver


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    client = TrackingClient(replace(settings, webhook_secret=SECRET), pool_size=4)
    yield client
    client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


def test_webhook_hears_of_a_change_as_soon_as_it_is_answered(
    api: httpx.Client, receiver: Receiver
) -> None:
    made = api.post("/webhooks", json={"url": f"{receiver.url}?token=hush", "events": ["created"]})
    assert made.status_code == 201
    assert "hush" not in made.text
    assert (made.json()["created_by"], made.json()["active"]) == ("olga", True)
    webhook_id = made.json()["webhook_id"]

    api.post("/models", json={"name": "credit"})

    assert receiver.arrived.acquire(timeout=10)
    assert receiver.received[0].json["event"] == "created"
    [delivery] = api.get(f"/webhooks/{webhook_id}/deliveries").json()["deliveries"]
    assert (delivery["event"]["kind"], delivery["webhook_id"]) == ("created", webhook_id)
    listed = api.get("/webhooks")
    assert [webhook["webhook_id"] for webhook in listed.json()["webhooks"]] == [webhook_id]
    assert "hush" not in listed.text


def test_webhook_is_switched_off_and_deleted(api: httpx.Client, receiver: Receiver) -> None:
    path = f"/webhooks/{api.post('/webhooks', json={'url': receiver.url}).json()['webhook_id']}"

    assert api.patch(path, json={"active": False}).json()["active"] is False
    gone = api.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.delete(path).status_code == 404
    assert api.get("/webhooks").json() == {"webhooks": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "ftp://example.org"},
        {"url": "https://user:hunter2@example.org/"},
        {"url": "https://example.org/", "events": []},
        {"url": "https://example.org/", "events": ["moved"]},
        {"url": "https://example.org/", "events": "transition"},
        {"url": "https://example.org/" + "x" * 3_000},
    ],
)
def test_webhook_that_breaks_a_rule_is_refused_without_showing_its_address(
    api: httpx.Client, body: object
) -> None:
    answer = api.post("/webhooks", json=body)

    assert answer.status_code == 400
    assert "hunter2" not in answer.text
    assert "example.org" not in answer.text


def test_addresses_are_shown_to_those_only_who_may_promote(api: httpx.Client) -> None:
    assert api.get("/webhooks", headers={"x-role": "reader"}).status_code == 403


def test_those_of_mlflows_client_are_listed_and_switched_without_their_secret(
    api: httpx.Client, client: TrackingClient, receiver: Receiver
) -> None:
    made = create_webhook(
        client,
        url=receiver.url,
        events=["model_version.created"],
        name="desk",
        format=WebhookFormat.MLFLOW,
        secret="hunter2",
        actor="ada",
    )
    ours = api.post("/webhooks", json={"url": receiver.url, "name": "ours"}).json()
    assert (ours["name"], ours["format"]) == ("ours", "mltrack")
    listed = api.get("/webhooks")
    assert [(item["name"], item["format"]) for item in listed.json()["webhooks"]] == [
        ("desk", "mlflow"),
        ("ours", "mltrack"),
    ]
    switched = api.patch(f"/webhooks/{made.webhook_id}", json={"active": False})
    assert (switched.json()["name"], switched.json()["active"]) == ("desk", False)
    for answer in (listed, switched):
        assert not {"secret", "sealed_secret"} & set(str(answer.json()).split("'"))
        assert "hunter2" not in answer.text
    bad = api.post("/webhooks", json={"url": receiver.url, "name": "not a name"})
    assert (bad.status_code, "not a name" in bad.text) == (400, True)
