"""A site with a webhook secret, a receiver, and how MLflow's receivers check what comes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_mltrack.entities.webhooks import MlflowEvent
from airflow_mltrack.settings import Settings
from tests.lifecycle.webhook_receiver import SECRET, Received, Receiver, running_receiver
from tests.web.mlflow.conftest import Rest

OWN = "only this webhook's own secret é"
EVENTS = [event.value for event in MlflowEvent]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a secret to sign with."""
    return replace(settings, webhook_secret=SECRET)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def rest(address: str) -> Iterator[Rest]:
    """Send plain requests to this test's own server: webhooks hear of all that happens on it."""
    rest = Rest(address)
    yield rest
    rest.close()


@pytest.fixture
def client(mlflow: Any) -> Any:
    """Give the stock client."""
    return mlflow.MlflowClient()


def body(receiver: Receiver, **changes: object) -> dict[str, object]:
    event = {"entity": "MODEL_VERSION_TAG", "action": "SET"}
    return {"name": "desk", "url": receiver.url, "events": [event], **changes}


def is_genuine(request: Received, secret: str) -> bool:
    """Check a request as MLflow's documentation tells receivers to."""
    delivery_id = request.headers["X-MLflow-Delivery-Id"]
    timestamp = request.headers["X-MLflow-Timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        return False
    signed = f"{delivery_id}.{timestamp}.{request.body.decode()}"
    digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    return hmac.compare_digest(expected, request.headers["X-MLflow-Signature"])
