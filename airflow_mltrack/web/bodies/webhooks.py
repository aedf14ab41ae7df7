"""Webhooks and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from airflow_mltrack.lifecycle.webhooks.rules import (
    DESCRIPTION_LIMIT,
    NAME_LIMIT,
    PATTERN_LIMIT,
    URL_LIMIT,
)
from airflow_mltrack.web.bodies.history import HistoryEventResponse
from airflow_mltrack.web.bodies.shapes import ApiBody, ApiResponse, PlainText

if TYPE_CHECKING:
    from airflow_mltrack.entities.webhooks import Webhook, WebhookDelivery


class WebhookBody(ApiBody):
    """An address that is to hear of what happens from now on."""

    url: Annotated[
        PlainText,
        Field(max_length=URL_LIMIT, description="http or https, without user and password."),
    ]
    events: Annotated[
        list[PlainText],
        Field(
            default_factory=lambda: ["transition"],
            max_length=50,
            description="Kinds of events of the history, `*` for all; by default `transition`.",
        ),
    ]
    models: Annotated[
        PlainText,
        Field(max_length=PATTERN_LIMIT, description="Model names; `*` stands for any text."),
    ] = "*"
    name: Annotated[PlainText, Field(max_length=NAME_LIMIT, description="For people.")] = ""
    description: Annotated[PlainText, Field(max_length=DESCRIPTION_LIMIT)] = ""


class SwitchWebhookBody(ApiBody):
    """Switch a webhook on or off."""

    active: bool


class WebhookResponse(ApiResponse):
    """One address and what it wants to hear."""

    webhook_id: str
    url: str = Field(description="Without its query, which may hold a token.")
    events: list[str]
    models: str
    description: str
    active: bool
    created_by: str
    created_at: datetime
    updated_at: datetime
    name: str
    format: Literal["mltrack", "mlflow"] = Field(
        description="How its messages look: the history's events, or as MLflow's webhooks."
    )

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookResponse:
        """Write a webhook down."""
        return cls(
            webhook_id=webhook.webhook_id,
            url=webhook.safe_url,
            events=list(webhook.events),
            models=webhook.models,
            description=webhook.description,
            active=webhook.active,
            created_by=webhook.created_by,
            created_at=webhook.created_at,
            updated_at=webhook.updated_at,
            name=webhook.name,
            format=webhook.format.value,
        )


class WebhookListResponse(ApiResponse):
    """Every webhook, oldest first."""

    webhooks: list[WebhookResponse]


class DeliveryResponse(ApiResponse):
    """One event on its way to one webhook."""

    delivery_id: str
    webhook_id: str
    event: HistoryEventResponse
    state: Literal["WAITING", "DELIVERED", "FAILED"]
    attempts: int
    next_attempt_at: datetime
    delivered_at: datetime | None
    error: str | None
    created_at: datetime

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> DeliveryResponse:
        """Write a delivery down."""
        return cls(
            delivery_id=delivery.delivery_id,
            webhook_id=delivery.webhook.webhook_id,
            event=HistoryEventResponse.of(delivery.event),
            state=delivery.state.value,
            attempts=delivery.attempts,
            next_attempt_at=delivery.next_attempt_at,
            delivered_at=delivery.delivered_at,
            error=delivery.error,
            created_at=delivery.created_at,
        )


class DeliveryListResponse(ApiResponse):
    """Deliveries, newest first."""

    deliveries: list[DeliveryResponse]
