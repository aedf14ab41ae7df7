"""Webhooks: addresses outside that hear of a model's history, and what was sent to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from urllib.parse import urlsplit

from airflow_mltrack.entities.history import HistoryEvent

EVERY_EVENT = "*"
"""In the place of kinds: every event."""
EVENT_KINDS = (
    "created",
    "registered",
    "policy",
    "verdict",
    "approval_requested",
    "approval",
    "transition",
    "alias",
    "tag",
    "renamed",
    "deleted",
)
"""Kinds of :class:`~airflow_mltrack.entities.history.HistoryEvent` that a webhook can ask for."""


class WebhookFormat(str, Enum):
    """How the messages to a webhook look, and which events it can ask for."""

    MLTRACK = "mltrack"
    """The history's events, with their place in the hash chain."""
    MLFLOW = "mlflow"
    """What a server of MLflow sends."""


class MlflowEvent(str, Enum):
    """What MLflow's webhooks tell of registered models: ``entity.action``."""

    MODEL_CREATED = "registered_model.created"
    VERSION_CREATED = "model_version.created"
    TAG_SET = "model_version_tag.set"
    TAG_DELETED = "model_version_tag.deleted"
    ALIAS_CREATED = "model_version_alias.created"
    ALIAS_DELETED = "model_version_alias.deleted"


def mlflow_event(event: HistoryEvent) -> MlflowEvent | None:
    """Return what MLflow calls an event of the history, None for one that it does not tell of."""
    if event.kind == "tag":
        return MlflowEvent.TAG_DELETED if event.payload.get("deleted") else MlflowEvent.TAG_SET
    if event.kind == "alias":
        taken = event.payload.get("to") is None
        return MlflowEvent.ALIAS_DELETED if taken else MlflowEvent.ALIAS_CREATED
    known = {"created": MlflowEvent.MODEL_CREATED, "registered": MlflowEvent.VERSION_CREATED}
    return known.get(event.kind)


class DeliveryState(str, Enum):
    """Where a delivery stands."""

    WAITING = "WAITING"
    """To be sent, for the first time or again."""
    DELIVERED = "DELIVERED"
    """The receiver has answered with success."""
    FAILED = "FAILED"
    """Given up; somebody has to look."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One address and what it wants to hear."""

    webhook_id: str
    """uuid, hexadecimal."""
    url: str = field(repr=False)
    """Its path or query may be a secret: show :attr:`safe_url`, log :attr:`host`."""
    events: tuple[str, ...]
    """Kinds of events, or ``*``; for MLflow's format values of :class:`MlflowEvent`."""
    models: str
    """Pattern of model names; ``*`` stands for any text."""
    description: str
    active: bool
    """False: nothing is queued for it, and what waits is kept."""
    created_by: str
    created_at: datetime
    updated_at: datetime
    name: str = ""
    """For people; not unique."""
    format: WebhookFormat = WebhookFormat.MLTRACK
    sealed_secret: str | None = field(default=None, repr=False)
    """Its own secret, encrypted; None: the site's secret signs."""

    @property
    def safe_url(self) -> str:
        """The address without its query, which often holds a token."""
        parts = urlsplit(self.url)
        return parts._replace(query="***" if parts.query else "").geturl()

    @property
    def host(self) -> str:
        """Scheme and host: all that a log needs."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class WebhookPage:
    """Some of the webhooks."""

    webhooks: tuple[Webhook, ...]
    next_page_token: str | None = None
    """None on the last page."""


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event on its way to one webhook."""

    delivery_id: str
    """uuid, hexadecimal; the same at every attempt, so that receivers can drop doubles."""
    webhook: Webhook
    event: HistoryEvent
    state: DeliveryState
    attempts: int
    """How often it was sent, or was about to be."""
    next_attempt_at: datetime
    """When it is due; while it is being sent, when it is due should the sender die."""
    delivered_at: datetime | None
    error: str | None
    """Why the last attempt failed."""
    created_at: datetime
