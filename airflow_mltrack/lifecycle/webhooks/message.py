"""What a webhook receives: a body and the headers that prove who has sent it, in its format."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltrack.entities.webhooks import WebhookFormat
from airflow_mltrack.lifecycle.webhooks import mlflow_message, mltrack_message
from airflow_mltrack.lifecycle.webhooks.site_secret import unseal

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.webhooks import Webhook, WebhookDelivery


@dataclass(frozen=True, slots=True)
class Message:
    """One request, ready to be sent."""

    body: bytes
    headers: Mapping[str, str]
    secrets: tuple[bytes, ...] = field(repr=False)
    """What the receiver knows, too, and no record may hold."""


def event_message(delivery: WebhookDelivery, *, key: bytes, sent_at: datetime) -> Message:
    """Write the message for one event.

    :param key: the site's secret, see :mod:`airflow_mltrack.lifecycle.webhooks.site_secret`.
    :raises InvalidInput: when the webhook's own secret cannot be read any more.
    """
    own = _own_secret(delivery.webhook, key)
    event, delivery_id = delivery.event, delivery.delivery_id
    if delivery.webhook.format is WebhookFormat.MLFLOW:
        body = mlflow_message.event_body(event)
        headers = mlflow_message.signed_headers(delivery_id, body, key=own, sent_at=sent_at)
    else:
        body = mltrack_message.event_body(delivery, sent_at)
        headers = mltrack_message.signed_headers(
            event.kind, delivery_id, body, key=own, sent_at=sent_at
        )
    return Message(body, headers, (key, own))


def trial_message(
    webhook: Webhook, *, key: bytes, sent_at: datetime, event: str | None = None
) -> Message:
    """Write the message that tries a webhook out; nothing has happened.

    :param event: of a webhook of MLflow's format, which event to show; None means its first.
    :raises InvalidInput: when the webhook's own secret cannot be read any more.
    """
    own = _own_secret(webhook, key)
    delivery_id = uuid.uuid4().hex
    if webhook.format is WebhookFormat.MLFLOW:
        body = mlflow_message.trial_body(event or webhook.events[0], sent_at)
        headers = mlflow_message.signed_headers(delivery_id, body, key=own, sent_at=sent_at)
    else:
        body = mltrack_message.trial_body(delivery_id, sent_at)
        headers = mltrack_message.signed_headers(
            mltrack_message.TEST_EVENT, delivery_id, body, key=own, sent_at=sent_at
        )
    return Message(body, headers, (key, own))


def _own_secret(webhook: Webhook, key: bytes) -> bytes:
    """Return what signs: the webhook's own secret, or the site's where it has none."""
    return key if webhook.sealed_secret is None else unseal(webhook.sealed_secret, key)
