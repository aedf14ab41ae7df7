"""Webhooks on a fresh backend with a secret, and a receiver that hears."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.entities.webhooks import Webhook, WebhookDelivery
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.webhook_receiver import SECRET, Receiver, running_receiver

NOWHERE = TrackingClient(
    Settings(
        database_url="postgresql://127.0.0.1:1/none",
        artifact_uri="/unused",
        webhook_secret=SECRET,
    )
)
"""A client without a database: bad input is refused before anything is reached."""
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "webhooks.md"


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
