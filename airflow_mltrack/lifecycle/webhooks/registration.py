"""Create, list, change and delete webhooks. Every change is logged, without address or secret."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

from airflow_mltrack.entities.webhooks import WebhookFormat
from airflow_mltrack.lifecycle.webhooks.rules import (
    check_url,
    checked_description,
    checked_events,
    checked_models,
    checked_name,
)
from airflow_mltrack.lifecycle.webhooks.site_secret import check_own_secret, seal, signing_key
from airflow_mltrack.store.key_rules import NAME_LIMIT, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.entities.webhooks import Webhook, WebhookPage
    from airflow_mltrack.tracking.client import TrackingClient

logger = logging.getLogger(__name__)


def create_webhook(
    client: TrackingClient,
    *,
    url: str,
    events: Sequence[str] = ("transition",),
    models: str = "*",
    name: str = "",
    description: str = "",
    format: WebhookFormat = WebhookFormat.MLTRACK,  # noqa: A002 - as the webhook's field
    secret: str | None = None,
    active: bool = True,
    actor: str,
) -> Webhook:
    """Let an address hear of what happens to registered models from now on.

    Whoever may do this makes this site send requests to addresses of their choice: doors ask for
    the permission to promote.

    :param url: http or https, without user and password, at most 2,000 visible ASCII characters.
    :param events: kinds of events (see :data:`~airflow_mltrack.entities.webhooks.EVENT_KINDS`), or
        ``*`` for all; for MLflow's format those of
        :class:`~airflow_mltrack.entities.webhooks.MlflowEvent`.
    :param models: pattern of model names, in which ``*`` stands for any text.
    :param name: for people, up to 63 letters, digits and ``._-``; MLflow's format needs one.
    :param secret: signs what is sent in the place of the site's secret; kept encrypted.
    :param actor: who does it.
    :raises InvalidInput: when a value breaks its rule, or the site has no secret to sign with.
    """
    key = signing_key(client.settings)
    check_url(url)
    sealed = None if secret is None else seal(check_own_secret(secret), key)
    kinds = checked_events(events, format)
    values = {
        "name": checked_name(name, required=format is WebhookFormat.MLFLOW),
        "models": checked_models(models),
        "description": checked_description(description),
        "created_by": check_text("actor", actor, NAME_LIMIT),
    }
    with client.store.transaction() as tx:
        created = tx.webhooks.add(
            uuid.uuid4().hex,
            url=url,
            events=kinds,
            format=format,
            sealed_secret=sealed,
            active=active,
            **values,
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


def get_webhook(client: TrackingClient, webhook_id: str) -> Webhook:
    """Return a webhook.

    :raises NotFound: when there is none.
    """
    with client.store.transaction() as tx:
        return tx.webhooks.get(webhook_id)


def page_of_webhooks(
    client: TrackingClient,
    *,
    format: WebhookFormat,  # noqa: A002 - as the webhook's field
    max_results: int = 100,
    page_token: str | None = None,
) -> WebhookPage:
    """Return a page of the webhooks of one format, newest first.

    :param max_results: 1 to 1,000.
    :raises InvalidInput: when the number is another one, or the token is none of ours.
    """
    with client.store.transaction() as tx:
        return tx.webhooks.page(format, max_results=max_results, page_token=page_token)


def update_webhook(
    client: TrackingClient,
    webhook_id: str,
    *,
    name: str | None = None,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    secret: str | None = None,
    active: bool | None = None,
    actor: str,
) -> Webhook:
    """Change parts of a webhook; None leaves a part as it is. What waits goes by the new values.

    :param url: the address as it is shown, without its query, is the one that is there.
    :param secret: empty: the site's secret signs from now on.
    :raises NotFound: when there is no such webhook.
    :raises InvalidInput: when a value breaks its rule.
    """
    with client.store.transaction() as tx:
        found = tx.webhooks.get(webhook_id)
        values: dict[str, object] = {}
        if name is not None:
            values["name"] = checked_name(name, required=found.format is WebhookFormat.MLFLOW)
        if url is not None and url != found.safe_url:
            check_url(url)
            values["url"] = url
        if events is not None:
            values["events"] = list(checked_events(events, found.format))
        if description is not None:
            values["description"] = checked_description(description)
        if secret is not None:
            values["sealed_secret"] = _sealed(client, secret)
        if active is not None:
            values["active"] = active
        changed = tx.webhooks.update(webhook_id, **values)
    told = ", ".join(sorted(values)) or "nothing"
    logger.info("%s changed webhook %s: %s.", actor or "Somebody", webhook_id, told)
    return changed


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
        changed = tx.webhooks.update(webhook_id, active=active)
    done = "on" if active else "off"
    logger.info("%s switched webhook %s %s.", actor or "Somebody", webhook_id, done)
    return changed


def _sealed(client: TrackingClient, secret: str) -> str | None:
    key = signing_key(client.settings)
    return seal(check_own_secret(secret), key) if secret else None
