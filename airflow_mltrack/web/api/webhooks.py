"""Webhooks: who outside hears of what happens, and what was sent to them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path

from airflow_mltrack.lifecycle.webhooks import deliveries, registration
from airflow_mltrack.web.api.calls import CallDep, Limit
from airflow_mltrack.web.bodies.webhooks import (
    DeliveryListResponse,
    DeliveryResponse,
    SwitchWebhookBody,
    WebhookBody,
    WebhookListResponse,
    WebhookResponse,
)

reading = APIRouter(tags=["webhooks"])
changing = APIRouter(tags=["webhooks"])
_Id = Annotated[str, Path(max_length=100)]


@reading.get("/webhooks")
def list_webhooks(call: CallDep) -> WebhookListResponse:
    """List the webhooks, oldest first."""
    found = registration.list_webhooks(call.client)
    return WebhookListResponse(webhooks=[WebhookResponse.of(webhook) for webhook in found])


@reading.get("/webhooks/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: _Id,
    call: CallDep,
    state: Literal["WAITING", "DELIVERED", "FAILED"] | None = None,
    limit: Limit = 100,
) -> DeliveryListResponse:
    """List what was sent, or is to be sent, to a webhook, newest first."""
    found = deliveries.list_deliveries(call.client, webhook_id=webhook_id, state=state, limit=limit)
    return DeliveryListResponse(deliveries=[DeliveryResponse.of(delivery) for delivery in found])


@changing.post("/webhooks", status_code=HTTPStatus.CREATED)
def create_webhook(body: WebhookBody, call: CallDep) -> WebhookResponse:
    """Let an address hear of what happens to registered models from now on."""
    made = registration.create_webhook(
        call.client,
        url=body.url,
        events=body.events,
        models=body.models,
        name=body.name,
        description=body.description,
        actor=call.actor,
    )
    return WebhookResponse.of(made)


@changing.patch("/webhooks/{webhook_id}")
def switch_webhook(webhook_id: _Id, body: SwitchWebhookBody, call: CallDep) -> WebhookResponse:
    """Switch a webhook on or off; while it is off nothing is queued for it."""
    changed = registration.set_active(call.client, webhook_id, active=body.active, actor=call.actor)
    return WebhookResponse.of(changed)


@changing.delete("/webhooks/{webhook_id}", status_code=HTTPStatus.NO_CONTENT)
def delete_webhook(webhook_id: _Id, call: CallDep) -> None:
    """Delete a webhook, with the record of what was delivered and what still waits."""
    registration.delete_webhook(call.client, webhook_id, actor=call.actor)
