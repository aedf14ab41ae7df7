"""Messages of MLflow's format, as a server of MLflow 3.17 sends them.

The signature is ``v1,`` and the HMAC-SHA256, under the secret, of
``<delivery id>.<timestamp>.<body>``, in base64; delivery id and timestamp (in seconds since 1970)
are the headers', and the body its very bytes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping
from datetime import timezone
from typing import TYPE_CHECKING, Any

from airflow_mltrack import __version__
from airflow_mltrack.entities.webhooks import MlflowEvent, mlflow_event
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.canonical_json import canonical_json

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.history import HistoryEvent

Data = dict[str, Any]


def event_body(event: HistoryEvent) -> bytes:
    """Write the body for one event; its time is when it happened.

    :raises InvalidInput: when MLflow tells of no such event.
    """
    found = mlflow_event(event)
    if found is None:
        raise InvalidInput("event", event.kind, "MLflow's webhooks do not tell of it.")
    return _body(found, event.at, _DATA[found](event.name, event.version, event.payload))


def trial_body(event: str, sent_at: datetime) -> bytes:
    """Write the body of a test: an event of a model that nobody has.

    :raises InvalidInput: when there is no such event.
    """
    try:
        wanted = MlflowEvent(event)
    except ValueError:
        known = ", ".join(item.value for item in MlflowEvent)
        raise InvalidInput("webhook event", event, f"it is one of {known}.") from None
    return _body(wanted, sent_at, _DATA[wanted]("example_model", 1, _EXAMPLE))


def signed_headers(
    delivery_id: str, body: bytes, *, key: bytes, sent_at: datetime
) -> dict[str, str]:
    """Return the headers that go with a body."""
    timestamp, sent_id = str(int(sent_at.timestamp())), str(uuid.UUID(delivery_id))
    return {
        "Content-Type": "application/json",
        "User-Agent": f"airflow-mltrack/{__version__}",
        "X-MLflow-Delivery-Id": sent_id,
        "X-MLflow-Timestamp": timestamp,
        "X-MLflow-Signature": f"v1,{signature(key, sent_id, timestamp, body)}",
    }


def signature(key: bytes, delivery_id: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body, in base64."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _body(event: MlflowEvent, at: datetime, data: Data) -> bytes:
    entity, action = event.value.split(".")
    facts = {"entity": entity, "action": action, "data": data}
    return canonical_json({**facts, "timestamp": at.astimezone(timezone.utc).isoformat()}).encode()


def _model(name: str, version: int | None, payload: Mapping[str, Any]) -> Data:
    del version
    return {
        "name": name,
        "tags": payload.get("tags") or {},
        "description": payload.get("description") or "",
    }


def _version(name: str, version: int | None, payload: Mapping[str, Any]) -> Data:
    return {
        "name": name,
        "version": str(version),
        "source": payload.get("source") or "",
        "run_id": payload.get("run_id") or None,
        "tags": payload.get("tags") or {},
        "description": payload.get("description") or None,
    }


def _tag_set(name: str, version: int | None, payload: Mapping[str, Any]) -> Data:
    deleted = _tag_deleted(name, version, payload)
    return {**deleted, "value": payload.get("value") or ""}


def _tag_deleted(name: str, version: int | None, payload: Mapping[str, Any]) -> Data:
    return {"name": name, "version": str(version), "key": payload.get("key")}


def _alias_created(name: str, version: int | None, payload: Mapping[str, Any]) -> Data:
    return {"name": name, "alias": payload.get("alias"), "version": str(version)}


def _alias_deleted(name: str, version: int | None, payload: Mapping[str, Any]) -> Data:
    del version
    return {"name": name, "alias": payload.get("alias")}


_DATA: Mapping[MlflowEvent, Callable[[str, int | None, Mapping[str, Any]], Data]] = {
    MlflowEvent.MODEL_CREATED: _model,
    MlflowEvent.VERSION_CREATED: _version,
    MlflowEvent.TAG_SET: _tag_set,
    MlflowEvent.TAG_DELETED: _tag_deleted,
    MlflowEvent.ALIAS_CREATED: _alias_created,
    MlflowEvent.ALIAS_DELETED: _alias_deleted,
}
_EXAMPLE: Mapping[str, Any] = {
    "source": "models:/m-00000000000000000000000000000000",
    "run_id": "00000000000000000000000000000000",
    "tags": {"example_key": "example value"},
    "description": "This is a test; nothing has happened.",
    "key": "example_key",
    "value": "example value",
    "alias": "example_alias",
}
"""What a test tells, in the place of an event's facts."""
