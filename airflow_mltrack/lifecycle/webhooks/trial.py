"""Try a webhook out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.webhooks.message import trial_message
from airflow_mltrack.lifecycle.webhooks.post import Reply, post
from airflow_mltrack.lifecycle.webhooks.site_secret import signing_key

if TYPE_CHECKING:
    from airflow_mltrack.tracking.client import TrackingClient


def send_trial(client: TrackingClient, webhook_id: str, *, event: str | None = None) -> Reply:
    """Send a signed test at once, also to one that is off; nothing is recorded or tried again.

    :param event: of a webhook of MLflow's format, which event to show; None means its first.
    :return: what the receiver said.
    :raises NotFound: when there is no such webhook.
    :raises InvalidInput: when there is no secret to sign with.
    """
    key = signing_key(client.settings)
    with client.store.transaction() as tx:
        found, now = tx.webhooks.get(webhook_id), tx.now()
    try:
        message = trial_message(found, key=key, sent_at=now, event=event)
    except InvalidInput as error:
        return Reply(None, str(error))
    return post(found.url, message.body, message.headers, secrets=message.secrets)
