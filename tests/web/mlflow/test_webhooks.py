"""Webhooks through MLflow's protocol: the stock client sets them up and changes them."""

from __future__ import annotations

import json
import logging
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook, list_webhooks
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.mlflow import webhooks
from tests.lifecycle.webhook_receiver import SECRET, Receiver
from tests.web.conftest import HeaderAccess
from tests.web.mlflow.conftest import Rest, serving_protocol, waited_for
from tests.web.mlflow.webhook_desk import EVENTS, OWN, body, client, receiver, rest, settings

__all__ = ["client", "receiver", "rest", "settings"]


def test_webhooks_are_read_changed_and_deleted(client: Any, receiver: Receiver) -> None:
    made = client.create_webhook(
        "risk.desk-1", receiver.url, ["model_version.created"], description="Tell the desk."
    )
    assert str(uuid.UUID(made.webhook_id)) == made.webhook_id
    assert (made.name, made.url, made.status) == ("risk.desk-1", receiver.url, "ACTIVE")
    assert [str(event) for event in made.events] == ["model_version.created"]
    assert made.description == "Tell the desk."
    assert made.creation_timestamp == made.last_updated_timestamp
    assert client.get_webhook(made.webhook_id.replace("-", "")).webhook_id == made.webhook_id
    changed = client.update_webhook(
        made.webhook_id,
        name="other",
        description="",
        url=f"{receiver.url}/other",
        events=["model_version_tag.set", "model_version_tag.deleted"],
        status="DISABLED",
    )
    found = client.get_webhook(made.webhook_id)
    for seen in (changed, found):
        assert (seen.name, seen.description, seen.status) == ("other", None, "DISABLED")
        assert seen.url == f"{receiver.url}/other"
        assert [str(event) for event in seen.events] == [
            "model_version_tag.set",
            "model_version_tag.deleted",
        ]
    assert found.last_updated_timestamp >= made.creation_timestamp
    client.delete_webhook(made.webhook_id)
    assert client.list_webhooks() == []
    for work in (client.get_webhook, client.delete_webhook, client.test_webhook):
        with pytest.raises(Exception, match=f"RESOURCE_DOES_NOT_EXIST.*{made.webhook_id}"):
            work(made.webhook_id)


def test_they_are_listed_newest_first_in_pages(client: Any, rest: Rest, receiver: Receiver) -> None:
    names = [f"w{number}" for number in range(5)]
    for name in names:
        client.create_webhook(name, receiver.url, ["model_version.created"])
    seen, token = [], None
    while token is None or token:
        page = client.list_webhooks(max_results=2, page_token=token)
        assert len(page) <= 2
        seen += [webhook.name for webhook in page]
        token = page.token
    assert seen == names[::-1]
    assert [webhook.name for webhook in client.list_webhooks()] == names[::-1]
    for wrong in (0, 1001, -1):
        status, words = rest.refused("GET", "/webhooks", params={"max_results": wrong})
        assert (status, "1 to 1000" in words) == (400, True)
    status, words = rest.refused("GET", "/webhooks", params={"page_token": "forged"})
    assert (status, "page_token" in words) == (400, True)


def everything(url: str) -> str:
    """Read all rows of all tables, as a dump does."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [sql.Identifier(name) for (name,) in found]
        return "\n".join(
            row
            for table in tables
            for (row,) in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(table))
        )


def test_no_secret_leaves_the_database_in_clear(
    client: Any,
    rest: Rest,
    tracking: TrackingClient,
    receiver: Receiver,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{receiver.url}?token=t0ken"
    made = client.create_webhook("desk", url, EVENTS, secret=OWN)
    assert made.url == f"{receiver.url}?***"
    rows = everything(settings.database_url)
    other = "another secret of its own"
    answers = [
        rest.ask("GET", "/webhooks").text,
        rest.ask("GET", f"/webhooks/{made.webhook_id}").text,
        rest.ask("PATCH", f"/webhooks/{made.webhook_id}", {"secret": other}).text,
        rest.ask("POST", f"/webhooks/{made.webhook_id}/test", {}).text,
        rest.refused("POST", "/webhooks", body(receiver, secret=[OWN], url=url))[1],
        rest.refused("POST", "/webhooks", body(receiver, secret="s" * 1_001, url=url))[1],
        rest.refused("POST", "/webhooks", body(receiver, url={"t0ken": OWN}))[1],
        rest.refused("POST", "/webhooks", body(receiver, url="ftp://t0ken"))[1],
    ]
    assert receiver.received[0].path == "/hook?token=t0ken"
    client.create_registered_model("credit")
    receiver.wait()
    told = "".join([*answers, caplog.text, *map(repr, list_webhooks(tracking))])
    rows += everything(settings.database_url)
    assert made.webhook_id.replace("-", "") in rows
    for secret in (OWN, other, SECRET, "s" * 1_001):
        assert secret not in told
        assert secret not in rows
    assert "t0ken" not in told


def test_an_address_that_was_read_is_written_back_unchanged(
    client: Any, tracking: TrackingClient, receiver: Receiver
) -> None:
    url = f"{receiver.url}?token=t0ken"
    made = client.create_webhook("desk", url, ["model_version.created"])
    client.update_webhook(made.webhook_id, url=made.url, name="renamed")
    [kept] = list_webhooks(tracking)
    assert (kept.url, kept.name) == (url, "renamed")


@pytest.mark.parametrize("event", ["prompt.created", "prompt_tag.set", "budget_policy.exceeded"])
def test_events_of_other_parts_of_mlflow_are_refused_by_name(
    client: Any, tracking: TrackingClient, receiver: Receiver, event: str
) -> None:
    made = client.create_webhook("desk", receiver.url, ["model_version.created"])
    works: tuple[Callable[[], object], ...] = (
        lambda: client.create_webhook("x", receiver.url, ["model_version.created", event]),
        lambda: client.update_webhook(made.webhook_id, events=[event]),
        lambda: client.test_webhook(made.webhook_id, event=event),
    )
    for work in works:
        with pytest.raises(Exception, match=event) as caught:
            work()
        assert getattr(caught.value, "error_code", "") == "NOT_IMPLEMENTED"
    [kept] = list_webhooks(tracking)
    assert kept.events == ("model_version.created",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 64}, "1 to 63"),
        ({"name": "-a"}, "begins"),
        ({"name": "a b"}, "letters"),
        ({"name": "a\n"}, "letters"),
        ({"url": ""}, "url"),
        ({"url": "https://user:pass1234@a.example/"}, "no user and no password"),
        ({"events": []}, "events"),
        ({"events": "MODEL_VERSION"}, "events"),
        ({"events": [{"entity": "MODEL_VERSION"}]}, r"events\[0\].action"),
        ({"events": [{"entity": "TRACE", "action": "CREATED"}]}, "TRACE"),
        ({"events": [{"entity": "MODEL_VERSION", "action": "SET"}]}, "Invalid action 'set'"),
        ({"status": "SLEEPING"}, "SLEEPING"),
        ({"description": "x" * 1_001}, "at most 1000"),
        ({"secret": "a\x00"}, "secret"),
    ],
)
def test_what_breaks_a_rule_is_refused(
    rest: Rest, tracking: TrackingClient, receiver: Receiver, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        rest.post("/webhooks", body(receiver, **changes))
    status, told = rest.refused("POST", "/webhooks", body(receiver, **changes))
    assert (status, told.partition(":")[0]) == (400, "INVALID_PARAMETER_VALUE")
    assert "pass1234" not in told
    assert list_webhooks(tracking) == []


def test_names_and_events_that_mlflow_takes_are_taken(rest: Rest, receiver: Receiver) -> None:
    events = [{"entity": 2, "action": "1"}, {"entity": "MODEL_VERSION", "action": "CREATED"}]
    for name in ("a", "A" * 63, "a..b", "0._-9"):
        made = rest.post("/webhooks", body(receiver, name=name, events=events, status=2))["webhook"]
        assert made["name"] == name
        assert made["events"] == [{"entity": "MODEL_VERSION", "action": "CREATED"}]
        assert made["status"] == "DISABLED"
    for unknown in ("x", str(uuid.uuid4()), "{}", "a-b-c"):
        status, told = rest.refused("GET", f"/webhooks/{unknown}")
        assert (status, told.partition(":")[0]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_none_is_made_while_the_site_has_no_secret(
    tracking: TrackingClient, receiver: Receiver, settings: Settings
) -> None:
    del tracking
    with (
        TrackingClient(replace(settings, webhook_secret=None)) as bare,
        serving_protocol(bare, HeaderAccess()) as uri,
    ):
        rest = Rest(uri, **{"x-reader": "olga", "x-role": "promoter"})
        status, told = rest.refused("POST", "/webhooks", body(receiver))
        rest.close()
    assert (status, "MLTRACK_WEBHOOK_SECRET" in told) == (400, True)


def test_only_who_may_promote_sees_and_changes_them(
    tracking: TrackingClient, receiver: Receiver
) -> None:
    with serving_protocol(tracking, HeaderAccess()) as uri:
        olga = Rest(uri, **{"x-reader": "olga", "x-role": "promoter"})
        made = olga.post("/webhooks", body(receiver))["webhook"]["webhook_id"]
        for role in ("reader", "writer"):
            other = Rest(uri, **{"x-reader": "eve", "x-role": role})
            for method, path in (
                ("POST", "/webhooks"),
                ("GET", "/webhooks"),
                *((method, f"/webhooks/{made}") for method in ("GET", "PATCH", "DELETE")),
                ("POST", f"/webhooks/{made}/test"),
            ):
                status, told = other.refused(method, path, None if method == "GET" else {})
                assert (status, told.partition(":")[0]) == (403, "PERMISSION_DENIED")
            other.close()
        assert olga.get(f"/webhooks/{made}")["webhook"]["name"] == "desk"
        olga.close()
    assert receiver.received == []
    assert [webhook.created_by for webhook in list_webhooks(tracking)] == ["olga"]


def test_those_of_our_own_format_are_not_found(
    client: Any, rest: Rest, tracking: TrackingClient, receiver: Receiver
) -> None:
    ours = create_webhook(tracking, url=receiver.url, events=["*"], actor="ada", name="ours")
    client.create_webhook("theirs", receiver.url, ["model_version.created"])
    assert [webhook.name for webhook in client.list_webhooks()] == ["theirs"]
    for method, path in (
        *((method, "") for method in ("GET", "PATCH", "DELETE")),
        ("POST", "/test"),
    ):
        given: object = None if method == "GET" else {}
        status, _ = rest.refused(method, f"/webhooks/{ours.webhook_id}{path}", given)
        assert status == 404
    found = {webhook.name: webhook.format.value for webhook in list_webhooks(tracking)}
    assert found == {"ours": "mltrack", "theirs": "mlflow"}


def test_requests_that_come_twice_change_nothing(
    rest: Rest, client: Any, tracking: TrackingClient, receiver: Receiver
) -> None:
    made = rest.post("/webhooks", body(receiver))["webhook"]["webhook_id"]
    client.create_registered_model("credit")
    client.create_model_version("credit", "s3://elsewhere/m")
    tag = {"name": "credit", "version": "1", "key": "k", "value": "v"}
    for _ in range(2):
        assert rest.post("/model-versions/set-tag", tag) == {}
        changed = rest.ask("PATCH", f"/webhooks/{made}", {"name": "again"})
        assert changed.json()["webhook"]["name"] == "again"
    for _ in range(2):
        assert rest.ask("DELETE", "/model-versions/delete-tag", tag).status_code == 200
    tags = [event for event in list_history(tracking, "credit") if event.kind == "tag"]
    assert [dict(event.payload) for event in tags] == [
        {"key": "k", "value": "v", "details": {"door": "mlflow"}},
        {"key": "k", "deleted": True, "details": {"door": "mlflow"}},
    ]
    waited_for(lambda: receiver.received)
    assert [request.json["data"]["value"] for request in receiver.received] == ["v"]
    assert rest.ask("DELETE", f"/webhooks/{made}").status_code == 200
    assert rest.refused("DELETE", f"/webhooks/{made}")[0] == 404


def test_one_whose_caller_has_gone_is_taken_back(
    tracking: TrackingClient,
    address: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone, made = threading.Event(), threading.Event()
    write: Callable[..., Any] = webhooks.webhook_out

    def slowly(*given: Any) -> Any:
        made.set()
        gone.wait(10)
        return write(*given)

    monkeypatch.setattr(webhooks, "webhook_out", slowly)
    where, sent = urlsplit(address), json.dumps(body(receiver)).encode()
    with socket.create_connection((where.hostname or "", where.port or 0)) as caller:
        caller.sendall(
            f"POST {where.path}/api/2.0/mlflow/webhooks HTTP/1.1\r\nHost: {where.netloc}\r\n"
            "Authorization: Bearer local\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(sent)}\r\n\r\n".encode()
            + sent
        )
        assert made.wait(20)
        assert len(list_webhooks(tracking)) == 1
    gone.set()
    waited_for(lambda: not list_webhooks(tracking))
