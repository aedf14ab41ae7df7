from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.webhooks import WebhookFormat
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine
from tests.lifecycle.webhook_receiver import SECRET, Answer, Receiver, running_receiver


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("MLTRACK_WEBHOOK_SECRET", SECRET)
    with running_receiver() as receiver:
        yield receiver


def happen(client: TrackingClient, name: str = "credit-default") -> None:
    with client.store.transaction() as tx:
        tx.history.append(name=name, version=3, kind="transition", actor="ada", payload={})


def create(mltrack: CommandLine, receiver: Receiver, *words: str) -> str:
    made = mltrack("webhooks", "create", receiver.url, "--format", "json", *words)
    assert made.code == 0, made.err
    assert f"mltrack webhooks test {made.json['webhook_id']}" in made.err
    return str(made.json["webhook_id"])


def test_from_creation_to_deletion(
    mltrack: CommandLine, client: TrackingClient, receiver: Receiver
) -> None:
    assert "mltrack webhooks create" in mltrack("webhooks", "list").err
    key = create(mltrack, receiver, "--models", "credit-*", "--description", "risk desk")
    [listed] = mltrack("webhooks", "list", "--format", "json").json
    assert (listed["webhook_id"], listed["url"], listed["active"]) == (key, receiver.url, True)
    assert (listed["events"], listed["models"]) == ("transition", "credit-*")
    assert listed["description"] == "risk desk"
    assert receiver.url in mltrack("webhooks", "list").out
    happen(client)
    happen(client, "churn")
    sent = mltrack("webhooks", "deliver", "--format", "json")
    assert sent.json == {"delivered": 1, "postponed": 0, "failed": 0, "waiting": 0}
    [row] = mltrack("webhooks", "deliveries", key, "--format", "json").json
    assert (row["model"], row["version"], row["state"]) == ("credit-default", 3, "DELIVERED")
    assert "DELIVERED" in mltrack("webhooks", "deliveries").out
    assert mltrack("webhooks", "delete", key).code == 0
    assert mltrack("webhooks", "list", "--format", "json").json == []


def test_a_test_says_what_the_receiver_said(mltrack: CommandLine, receiver: Receiver) -> None:
    key = create(mltrack, receiver)
    done = mltrack("webhooks", "test", key)
    assert (done.code, done.out) == (0, "")
    assert "HTTP 200" in done.err
    receiver.answers = [Answer(500, b"not today")]
    refused = mltrack("webhooks", "test", key)
    assert refused.code == ExitCode.FAILURE
    assert "HTTP 500: not today" in refused.err


def test_what_was_given_up_can_be_delivered_again(
    mltrack: CommandLine, client: TrackingClient, receiver: Receiver
) -> None:
    key = create(mltrack, receiver)
    happen(client)
    receiver.answers = [Answer(410)]
    assert mltrack("webhooks", "deliver", "--format", "json").json["failed"] == 1
    [row] = mltrack("webhooks", "deliveries", "--state", "failed", "--format", "json").json
    assert row["error"] == "HTTP 410"
    assert "is on" in mltrack("webhooks", "enable", key).err
    again = mltrack("webhooks", "deliver", "--retry-failed", "--format", "json")
    assert again.json["delivered"] == 1
    assert mltrack("webhooks", "deliveries", "--state", "failed", "--format", "json").json == []


def test_a_webhook_can_be_switched_off_and_on(
    mltrack: CommandLine, client: TrackingClient, receiver: Receiver
) -> None:
    key = create(mltrack, receiver, "--events", "*")
    assert "is off" in mltrack("webhooks", "disable", key).err
    happen(client)
    assert mltrack("webhooks", "deliver", "--format", "json").json["delivered"] == 0
    mltrack("webhooks", "enable", key)
    happen(client)
    assert mltrack("webhooks", "deliver", "--format", "json").json["delivered"] == 1


def test_neither_secret_nor_token_is_printed(
    mltrack: CommandLine, client: TrackingClient, receiver: Receiver
) -> None:
    made = mltrack("webhooks", "create", f"{receiver.url}?token=t0ken")
    happen(client)
    receiver.answers = [Answer(403, SECRET.encode())]
    found = [
        made,
        mltrack("webhooks", "deliver"),
        *(
            mltrack("webhooks", noun, "--format", form)
            for noun in ("list", "deliveries")
            for form in ("table", "json", "csv")
        ),
        mltrack("webhooks", "create", "https://ada:pass1234@a.example/"),
    ]
    told = "".join(outcome.out + outcome.err for outcome in found)
    assert receiver.received[0].path.endswith("?token=t0ken")
    assert "HTTP 403" in told
    assert not re.search(f"t0ken|pass1234|{SECRET}", told)


def test_bad_input_has_its_exit_code(mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    unsigned = mltrack("webhooks", "create", "https://a.example/")
    assert unsigned.code == ExitCode.INVALID_INPUT
    assert "MLTRACK_WEBHOOK_SECRET" in unsigned.err
    monkeypatch.setenv("MLTRACK_WEBHOOK_SECRET", SECRET)
    unknown = mltrack("webhooks", "create", "https://a.example/", "--events", "promotion")
    assert unknown.code == ExitCode.INVALID_INPUT
    assert "transition" in unknown.err
    assert mltrack("webhooks", "delete", "f" * 32).code == ExitCode.NOT_FOUND
    assert mltrack("webhooks", "deliveries", "--state", "lost").code == ExitCode.INVALID_INPUT


def test_those_of_mlflows_client_are_listed_with_name_and_format_and_tried_out(
    mltrack: CommandLine, client: TrackingClient, receiver: Receiver
) -> None:
    signing = TrackingClient(replace(client.settings, webhook_secret=SECRET))
    made = create_webhook(
        signing,
        url=receiver.url,
        events=["model_version.created"],
        name="desk",
        format=WebhookFormat.MLFLOW,
        secret="hunter2",
        actor="ada",
    )
    signing.close()
    create(mltrack, receiver, "--name", "ours")
    listed = mltrack("webhooks", "list", "--format", "json")
    assert [(row["name"], row["format"]) for row in listed.json] == [
        ("desk", "mlflow"),
        ("ours", "mltrack"),
    ]
    assert mltrack("webhooks", "test", made.webhook_id).code == 0
    [request] = receiver.received
    assert (request.json["entity"], request.json["action"]) == ("model_version", "created")
    table = mltrack("webhooks", "list").out
    assert not re.search("hunter2|sealed", table + listed.out)
    assert "mlflow" in table
