"""What was sent to webhooks and what is to be sent: list it, and let what failed wait anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.entities.webhooks import DeliveryState
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.entities.webhooks import WebhookDelivery
    from airflow_mltrack.tracking.client import TrackingClient

MOST_LISTED = 1_000


def list_deliveries(
    client: TrackingClient,
    *,
    webhook_id: str | None = None,
    state: DeliveryState | str | None = None,
    limit: int = 100,
) -> list[WebhookDelivery]:
    """Return deliveries, newest first.

    :param webhook_id: only those of this webhook.
    :param state: only those in this state, in any case.
    :raises NotFound: when there is no such webhook.
    :raises InvalidInput: when there is no such state, or the limit is not 1 to 1,000.
    """
    wanted = None if state is None else _state(state)
    if not 1 <= limit <= MOST_LISTED:
        raise InvalidInput("limit", limit, f"it is a number from 1 to {MOST_LISTED}.")
    with client.store.transaction() as tx:
        if webhook_id is not None:
            tx.webhooks.get(webhook_id)
        return tx.webhooks.deliveries(webhook_id=webhook_id, state=wanted, limit=limit)


def retry_failed(client: TrackingClient) -> int:
    """Let every delivery that was given up wait anew, with all its attempts.

    :return: how many they are.
    """
    with client.store.transaction() as tx:
        return tx.webhooks.retry_failed()


def _state(value: DeliveryState | str) -> DeliveryState:
    try:
        return DeliveryState(str(getattr(value, "value", value)).upper())
    except ValueError as error:
        known = ", ".join(item.value for item in DeliveryState)
        raise InvalidInput("delivery state", value, f"it is one of {known}.") from error
