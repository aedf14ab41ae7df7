"""Messages of our own format: the history's event, in canonical JSON.

The signature is the HMAC-SHA256, under the secret, of ``<timestamp>.<body>``, in hexadecimal; the
timestamp is the header's, in seconds since 1970, and the body its very bytes.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from airflow_mltrack import __version__
from airflow_mltrack.store.canonical_json import canonical_json
from airflow_mltrack.store.row_digest import utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_mltrack.entities.webhooks import WebhookDelivery

TEST_EVENT = "test"
"""Kind of what is sent to try a webhook out; nothing has happened."""


def event_body(delivery: WebhookDelivery, sent_at: datetime) -> bytes:
    """Write the body for one event; all but ``delivery_id`` and ``sent_at`` is the history's."""
    event = delivery.event
    return _body(
        {
            "delivery_id": delivery.delivery_id,
            "sent_at": utc_text(sent_at),
            "id": event.event_id,
            "event": event.kind,
            "model": event.name,
            "version": event.version,
            "at": utc_text(event.at),
            "actor": event.actor,
            "payload": event.payload,
            "previous_hash": event.previous_hash,
            "hash": event.hash,
        }
    )


def trial_body(delivery_id: str, sent_at: datetime) -> bytes:
    """Write the body of a test."""
    return _body({"delivery_id": delivery_id, "sent_at": utc_text(sent_at), "event": TEST_EVENT})


def signed_headers(
    kind: str, delivery_id: str, body: bytes, *, key: bytes, sent_at: datetime
) -> dict[str, str]:
    """Return the headers that go with a body."""
    timestamp = str(int(sent_at.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": f"airflow-mltrack/{__version__}",
        "X-MLTrack-Event": kind,
        "X-MLTrack-Delivery": delivery_id,
        "X-MLTrack-Timestamp": timestamp,
        "X-MLTrack-Signature": f"sha256={signature(key, timestamp, body)}",
    }


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature of a body, hexadecimal."""
    return hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _body(facts: Mapping[str, object]) -> bytes:
    return canonical_json(facts).encode()
