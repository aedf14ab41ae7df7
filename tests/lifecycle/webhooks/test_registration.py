"""Who hears of what; what a webhook may be; no secret gets out."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.entities.webhooks import EVENT_KINDS, WebhookFormat
from airflow_mltrack.exceptions import InvalidInput, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries
from airflow_mltrack.lifecycle.webhooks.outbox import (
    DeliveryReport,
    deliver_due,
)
from airflow_mltrack.lifecycle.webhooks.registration import (
    create_webhook,
    delete_webhook,
    list_webhooks,
    set_active,
    update_webhook,
)
from airflow_mltrack.lifecycle.webhooks.trial import send_trial
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion
from tests.lifecycle.webhook_receiver import SECRET, Answer, Receiver
from tests.lifecycle.webhooks.conftest import (
    NOWHERE,
    documented_check,
    happen,
    hook,
    only,
    promote_and_fail,
)


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
    package = Path(__file__).parents[3] / "airflow_mltrack" / "lifecycle"
    source = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    calls = re.findall(r"history\.append\((.*?)payload=", source, re.DOTALL)
    written = {kind for call in calls for kind in re.findall(r'kind="(\w+)"', call)}
    assert {"transition", "verdict"} <= written
    assert written - set(EVENT_KINDS) == set()


def test_parts_of_a_webhook_are_changed_and_the_others_stay(
    client: TrackingClient, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made = hook(client, receiver, url=f"{receiver.url}?token=t0ken", name="desk")
    changed = update_webhook(client, made.webhook_id, events=["*"], url=made.safe_url, actor="bob")
    assert replace(changed, events=made.events, updated_at=made.updated_at) == made
    assert changed.updated_at > made.updated_at
    sealed = update_webhook(
        client, made.webhook_id, secret="hush", active=False, name="", actor="bob"
    )
    assert (sealed.active, sealed.name) == (False, "")
    assert sealed.sealed_secret is not None
    assert "bob changed webhook" in caplog.text
    assert not re.search("hush|t0ken", caplog.text + repr(sealed) + sealed.sealed_secret)
    assert update_webhook(client, made.webhook_id, secret="", actor="bob").sealed_secret is None
    with pytest.raises(InvalidInput, match="Known are created"):
        update_webhook(client, made.webhook_id, events=["model_version.created"], actor="bob")
    with pytest.raises(NotFound, match="mltrack webhooks list"):
        update_webhook(client, "f" * 32, name="x", actor="bob")


def test_a_webhook_of_ours_may_have_a_secret_of_its_own(
    client: TrackingClient, receiver: Receiver
) -> None:
    webhook = hook(client, receiver, secret="only this receiver knows it")
    happen(client)
    deliver_due(client)
    send_trial(client, webhook.webhook_id)
    for request in receiver.received:
        assert documented_check()(request.headers, request.body, "only this receiver knows it")
        assert not documented_check()(request.headers, request.body, SECRET)


def test_one_of_mlflows_format_needs_a_name_and_mlflows_events() -> None:
    wanted: dict[str, Any] = {"url": "https://a.example", "format": WebhookFormat.MLFLOW}
    for changes, match in (
        ({"events": ["model_version.created"]}, "1 to 63"),
        ({"events": ["transition"], "name": "desk"}, "Known are registered_model.created"),
        ({"events": ["*"], "name": "desk"}, "no such kind"),
    ):
        with pytest.raises(InvalidInput, match=match):
            create_webhook(NOWHERE, **wanted, **changes, actor="ada")
