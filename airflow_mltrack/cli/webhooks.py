"""``mltrack webhooks``: who hears of a model's history outside Airflow, and what was delivered."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command, add_group, names, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.output import Listing, Record, joined, say, show
from airflow_mltrack.entities.webhooks import EVENT_KINDS, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.webhooks import Webhook, WebhookDelivery

_STATES = tuple(state.value.lower() for state in DeliveryState)
_WEBHOOK_COLUMNS = (
    *("webhook_id", "name", "format", "url", "events", "models", "active"),
    *("created_by", "created_at"),
)
_DELIVERY_COLUMNS = (
    *("created_at", "host", "event", "model", "version", "state", "attempts"),
    *("next_attempt_at", "error"),
)


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(
        commands,
        "webhooks",
        "tell systems outside Airflow: create, list, enable, disable, delete, test, deliver",
    )
    _register_create(group)
    add_command(group, "list", "list webhooks", _list)
    for name, help_text, run in (
        ("enable", "switch a webhook on again; what waited for it is due", _enable),
        ("disable", "switch a webhook off; what waits for it is kept", _disable),
        ("delete", "delete a webhook with everything that waits for it", _delete),
        ("test", "send a signed test event at once", _test),
    ):
        command = add_command(group, name, help_text, run, formats=())
        command.add_argument("webhook_id")
    deliver = add_command(group, "deliver", "send what is due", _deliver)
    deliver.add_argument(
        "--limit", type=positive_int, default=100, metavar="N", help="default: 100"
    )
    deliver.add_argument(
        "--retry-failed", action="store_true", help="also everything that was given up"
    )
    deliveries = add_command(group, "deliveries", "list deliveries, newest first", _deliveries)
    deliveries.add_argument("webhook_id", nargs="?", help="default: those of all webhooks")
    deliveries.add_argument("--state", choices=_STATES, help="default: all")
    deliveries.add_argument(
        "--limit", type=positive_int, default=50, metavar="N", help="default: 50"
    )


def _register_create(group: Commands) -> None:
    create = add_command(group, "create", "let an address hear of a model's history", _create)
    create.add_argument("url", help="https://... or http://..., without user and password")
    create.add_argument(
        "--events",
        type=names,
        default=("transition",),
        metavar="A,B",
        help=f"* for all, or some of: {', '.join(EVENT_KINDS)}; default: transition",
    )
    create.add_argument(
        "--models",
        default="*",
        metavar="PATTERN",
        help="of model names; * stands for any text; default: *",
    )
    create.add_argument(
        "--name", default="", metavar="NAME", help="for people: letters, digits, . _ -"
    )
    create.add_argument("--description", default="", metavar="TEXT")


def webhook_facts(webhook: Webhook) -> dict[str, object]:
    """Lay a webhook out; a token in the address's query is left out."""
    facts = asdict(webhook) | {"url": webhook.safe_url, "events": list(webhook.events)}
    return {key: facts[key] for key in (*_WEBHOOK_COLUMNS, "description", "updated_at")}


def webhook_listing(webhooks: Sequence[Webhook]) -> Listing:
    """List webhooks."""
    rows = [webhook_facts(webhook) for webhook in webhooks]
    for row, webhook in zip(rows, webhooks, strict=True):
        row["events"] = joined(webhook.events)
    return Listing(
        _WEBHOOK_COLUMNS,
        rows,
        empty="There are no webhooks. Create one: mltrack webhooks create URL",
        droppable=("created_at", "created_by", "models"),
    )


def delivery_listing(deliveries: Sequence[WebhookDelivery]) -> Listing:
    """List deliveries."""
    return Listing(
        _DELIVERY_COLUMNS,
        [_delivery_row(delivery) for delivery in deliveries],
        empty="No deliveries.",
        droppable=("next_attempt_at", "attempts", "created_at"),
    )


def _delivery_row(delivery: WebhookDelivery) -> dict[str, object]:
    waits = delivery.state is DeliveryState.WAITING
    return {
        "created_at": delivery.created_at,
        "host": delivery.webhook.host,
        "event": delivery.event.kind,
        "model": delivery.event.name,
        "version": delivery.event.version,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at if waits else None,
        "error": delivery.error,
        "delivered_at": delivery.delivered_at,
        "delivery_id": delivery.delivery_id,
        "webhook_id": delivery.webhook.webhook_id,
        "event_id": delivery.event.event_id,
    }


def _create(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.webhooks.registration import create_webhook

    with open_client(args.conn_id) as client:
        created = create_webhook(
            client,
            url=args.url,
            events=args.events,
            models=args.models,
            name=args.name,
            description=args.description,
            actor=_user(),
        )
    show(Record(webhook_facts(created)), args.format)
    say(f"Try it out: mltrack webhooks test {created.webhook_id}")


def _list(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.webhooks.registration import list_webhooks

    with open_client(args.conn_id) as client:
        show(webhook_listing(list_webhooks(client)), args.format)


def _enable(args: argparse.Namespace) -> None:
    _switch(args, active=True)


def _disable(args: argparse.Namespace) -> None:
    _switch(args, active=False)


def _switch(args: argparse.Namespace, *, active: bool) -> None:
    from airflow_mltrack.lifecycle.webhooks.registration import set_active

    with open_client(args.conn_id) as client:
        changed = set_active(client, args.webhook_id, active=active, actor=_user())
    say(f"The webhook to {changed.host} is {'on' if changed.active else 'off'}.")


def _delete(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.webhooks.registration import delete_webhook

    with open_client(args.conn_id) as client:
        delete_webhook(client, args.webhook_id, actor=_user())
    say("Deleted.")


def _test(args: argparse.Namespace) -> int | None:
    from airflow_mltrack.lifecycle.webhooks.trial import send_trial

    with open_client(args.conn_id) as client:
        reply = send_trial(client, args.webhook_id)
    if reply.is_success:
        say(f"The receiver has taken it: HTTP {reply.status}.")
        return None
    say(f"The receiver has not taken it: {reply.error}.")
    return ExitCode.FAILURE


def _deliver(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.webhooks.deliveries import retry_failed
    from airflow_mltrack.lifecycle.webhooks.outbox import deliver_due

    with open_client(args.conn_id) as client:
        if args.retry_failed:
            say(f"{retry_failed(client)} that were given up wait again.")
        report = deliver_due(client, limit=args.limit)
    show(Record(asdict(report)), args.format)


def _deliveries(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries

    with open_client(args.conn_id) as client:
        found = list_deliveries(
            client, webhook_id=args.webhook_id, state=args.state, limit=args.limit
        )
        show(delivery_listing(found), args.format)


def _user() -> str:
    from airflow_mltrack.tracking.source import current_user

    return current_user()
