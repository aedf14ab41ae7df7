"""Webhooks: who hears of a model's history outside Airflow. Creating and deleting is logged."""

from __future__ import annotations

import logging
import re
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_mltrack.entities.webhooks import EVENT_KINDS, EVERY_EVENT, DeliveryState
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.webhook_delivery import deliver_due, deliver_soon
from airflow_mltrack.lifecycle.webhook_message import (
    TEST_EVENT,
    signed_headers,
    signing_key,
    trial_body,
)
from airflow_mltrack.lifecycle.webhook_post import post
from airflow_mltrack.store.key_rules import NAME_LIMIT, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.entities.webhooks import Webhook, WebhookDelivery
    from airflow_mltrack.lifecycle.webhook_post import Reply
    from airflow_mltrack.tracking.client import TrackingClient

__all__ = [
    "create_webhook",
    "delete_webhook",
    "deliver_due",
    "deliver_soon",
    "list_deliveries",
    "list_webhooks",
    "retry_failed",
    "send_trial",
    "set_active",
]

logger = logging.getLogger(__name__)

URL_LIMIT = 2_000
DESCRIPTION_LIMIT = 1_000
PATTERN_LIMIT = 250
MOST_LISTED = 1_000
_VISIBLE_ASCII = re.compile(r"[!-~]+")


def create_webhook(
    client: TrackingClient,
    *,
    url: str,
    events: Sequence[str] = ("transition",),
    models: str = "*",
    description: str = "",
    actor: str,
) -> Webhook:
    """Let an address hear of what happens to registered models from now on.

    Whoever may do this makes this site send requests to addresses of their choice: doors ask for
    the permission to promote.

    :param url: http or https, without user and password, at most 2,000 visible ASCII characters.
    :param events: kinds of events (see :data:`~airflow_mltrack.entities.webhooks.EVENT_KINDS`), or
        ``*`` for all.
    :param models: pattern of model names, in which ``*`` stands for any text.
    :param actor: who does it.
    :raises InvalidInput: when a value breaks its rule, or there is no secret to sign with.
    """
    signing_key(client.settings)
    _check_url(url)
    kinds = _checked_kinds(events)
    check_text("webhook models", models, PATTERN_LIMIT, at_least=1)
    check_text("webhook description", description, DESCRIPTION_LIMIT)
    check_text("actor", actor, NAME_LIMIT)
    with client.store.transaction() as tx:
        created = tx.webhooks.add(
            uuid.uuid4().hex,
            url=url,
            events=kinds,
            models=models,
            description=description,
            created_by=actor,
        )
    logger.info(
        "%s created webhook %s to %s: %s of %s.",
        actor or "Somebody",
        created.webhook_id,
        created.host,
        ", ".join(kinds),
        models,
    )
    return created


def list_webhooks(client: TrackingClient) -> list[Webhook]:
    """Return every webhook, oldest first. Show their ``safe_url``: a query may hold a token."""
    with client.store.transaction() as tx:
        return tx.webhooks.list()


def delete_webhook(client: TrackingClient, webhook_id: str, *, actor: str) -> None:
    """Delete a webhook, with the record of what was delivered and what still waits.

    :raises NotFound: when there is none.
    """
    with client.store.transaction() as tx:
        found = tx.webhooks.get(webhook_id)
        tx.webhooks.delete(webhook_id)
    logger.info("%s deleted webhook %s to %s.", actor or "Somebody", webhook_id, found.host)


def set_active(client: TrackingClient, webhook_id: str, *, active: bool, actor: str) -> Webhook:
    """Switch a webhook on or off.

    While it is off nothing is queued for it; what waited before waits on.

    :raises NotFound: when there is none.
    """
    with client.store.transaction() as tx:
        changed = tx.webhooks.set_active(webhook_id, active=active)
    done = "on" if active else "off"
    logger.info("%s switched webhook %s %s.", actor or "Somebody", webhook_id, done)
    return changed


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


def send_trial(client: TrackingClient, webhook_id: str) -> Reply:
    """Send a signed event of kind ``test`` at once; nothing is recorded or tried again.

    :return: what the receiver said.
    :raises NotFound: when there is no such webhook.
    :raises InvalidInput: when there is no secret to sign with.
    """
    key = signing_key(client.settings)
    with client.store.transaction() as tx:
        found, now = tx.webhooks.get(webhook_id), tx.now()
    delivery_id = uuid.uuid4().hex
    body = trial_body(delivery_id, now)
    headers = signed_headers(TEST_EVENT, delivery_id, body, key=key, sent_at=now)
    return post(found.url, body, headers)


def _check_url(url: object) -> None:
    """Refuse what cannot be sent to, and what would put a password into the database.

    No message shows the address: its path or query may be a secret.
    """
    if not isinstance(url, str) or not 1 <= len(url) <= URL_LIMIT:
        raise _bad_url(f"it is text of 1 to {URL_LIMIT:,} characters.")
    if not _VISIBLE_ASCII.fullmatch(url):
        raise _bad_url("it holds visible ASCII characters only.", "Write others as %XX.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad_url("it cannot be read as a URL.") from None
    if parts.scheme not in ("http", "https"):
        raise _bad_url("it begins with https:// or http://.")
    if "@" in parts.netloc:
        raise _bad_url(
            "it holds no user and no password.",
            "The receiver knows us by the signature in the header X-MLTrack-Signature.",
        )
    if not host or port == 0:
        raise _bad_url("it names a host, and a port that is not 0.")
    if "#" in url:
        raise _bad_url("it has no part after #, which would not be sent.")


def _bad_url(rule: str, hint: str = "") -> InvalidInput:
    return InvalidInput("webhook URL", "(hidden)", rule, hint)


def _checked_kinds(events: Sequence[str]) -> tuple[str, ...]:
    if isinstance(events, str) or not events:
        raise InvalidInput("webhook events", events, "it is a list of kinds of events.", _KINDS)
    for kind in events:
        if kind not in (*EVENT_KINDS, EVERY_EVENT):
            raise InvalidInput("webhook event", kind, "there is no such kind of event.", _KINDS)
    return tuple(dict.fromkeys(events))


_KINDS = f"Known are {', '.join(EVENT_KINDS)}, and {EVERY_EVENT} for all."


def _state(value: DeliveryState | str) -> DeliveryState:
    try:
        return DeliveryState(str(getattr(value, "value", value)).upper())
    except ValueError as error:
        known = ", ".join(item.value for item in DeliveryState)
        raise InvalidInput("delivery state", value, f"it is one of {known}.") from error
