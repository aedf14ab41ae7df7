"""Webhooks and their outbox: events are queued with the history, and taken by who delivers."""

from __future__ import annotations

import builtins
from collections.abc import Collection
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, text, update
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.entities.webhooks import (
    EVERY_EVENT,
    DeliveryState,
    Webhook,
    WebhookDelivery,
    WebhookFormat,
    WebhookPage,
    mlflow_event,
)
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.registry_tables import history, webhook_deliveries, webhooks
from airflow_mltrack.store.search_page import (
    Position,
    fingerprint,
    read_page_token,
    write_page_token,
)

MOST_LISTED = 1_000
_WAITING = webhook_deliveries.c.state == DeliveryState.WAITING.value

# One statement, whether there are webhooks or not. A webhook that is being deleted meanwhile is
# waited for and then left out: without the lock its foreign key would fail the whole promotion.
_QUEUE = text(
    r"""
    INSERT INTO webhook_deliveries (delivery_id, webhook, event)
    SELECT replace(gen_random_uuid()::text, '-', ''), w.id, :event
    FROM webhooks w
    WHERE w.active
      AND w.events && CAST(:names AS text[])
      AND :name LIKE replace(
            replace(replace(replace(w.models, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
    FOR KEY SHARE
    """
)

_CLAIM = text(
    """
    UPDATE webhook_deliveries
    SET attempts = attempts + 1, next_attempt_at = :now + :lease
    WHERE id = (
        SELECT d.id
        FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook
        WHERE d.state = 'WAITING' AND d.next_attempt_at <= :now
          AND w.active AND w.webhook_id != ALL(:passed_over)
        ORDER BY :new_first AND d.attempts > 0, d.id
        LIMIT 1
        FOR UPDATE OF d SKIP LOCKED
    )
    RETURNING delivery_id
    """
)


def queue_deliveries(connection: Connection, event: HistoryEvent) -> None:
    """Queue an event for every active webhook that wants it, in the event's transaction."""
    told = mlflow_event(event)
    names = [EVERY_EVENT, event.kind, *([] if told is None else [told.value])]
    connection.execute(_QUEUE, {"event": event.event_id, "names": names, "name": event.name})


class Webhooks:
    """Addresses outside, and the outbox of what they are to hear."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        webhook_id: str,
        *,
        url: str,
        events: Collection[str],
        models: str,
        name: str = "",
        description: str = "",
        format: WebhookFormat = WebhookFormat.MLTRACK,  # noqa: A002 - as the column
        sealed_secret: str | None = None,
        active: bool = True,
        created_by: str = "",
    ) -> Webhook:
        """Write a webhook; its values were checked by the caller."""
        self._connection.execute(
            insert(webhooks).values(
                webhook_id=webhook_id,
                url=url,
                events=list(events),
                models=models,
                name=name,
                description=description,
                format=format.value,
                sealed_secret=sealed_secret,
                active=active,
                created_by=created_by,
            )
        )
        return self.get(webhook_id)

    def get(self, webhook_id: str) -> Webhook:
        """Return a webhook.

        :raises NotFound: when there is none.
        """
        query = select(webhooks).where(webhooks.c.webhook_id == webhook_id)
        row = self._connection.execute(query).first()
        if row is None:
            raise _unknown(webhook_id)
        return _webhook(row)

    def list(self) -> list[Webhook]:
        """Return every webhook, oldest first."""
        query = select(webhooks).order_by(webhooks.c.id)
        return [_webhook(row) for row in self._connection.execute(query)]

    def page(
        self,
        format: WebhookFormat,  # noqa: A002 - as the column
        *,
        max_results: int = 100,
        page_token: str | None = None,
    ) -> WebhookPage:
        """Return a page of the webhooks of one format, newest first.

        :param max_results: 1 to 1,000.
        :raises InvalidInput: when the number is another one, or the token is of another list.
        """
        if not 1 <= max_results <= MOST_LISTED:
            rule = f"it is a number from 1 to {MOST_LISTED}."
            raise InvalidInput("max_results", max_results, rule)
        listed = fingerprint("webhooks", format.value)
        query = select(webhooks).where(webhooks.c.format == format.value)
        if page_token:
            (before,) = read_page_token(page_token, listed, [[int]]).values
            query = query.where(webhooks.c.id < before)
        query = query.order_by(webhooks.c.id.desc()).limit(max_results + 1)
        rows = self._connection.execute(query).all()
        shown = rows[:max_results]
        token = write_page_token(listed, Position(0, (shown[-1].id,))) if rows != shown else None
        return WebhookPage(tuple(map(_webhook, shown)), token)

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook with its deliveries.

        :raises NotFound: when there is none.
        """
        statement = delete(webhooks).where(webhooks.c.webhook_id == webhook_id)
        if not self._connection.execute(statement).rowcount:
            raise _unknown(webhook_id)

    def update(self, webhook_id: str, **values: object) -> Webhook:
        """Change columns of a webhook; what waits for it is kept. They were checked by the caller.

        :raises NotFound: when there is none.
        """
        self._connection.execute(
            update(webhooks)
            .where(webhooks.c.webhook_id == webhook_id)
            .values(**values, updated_at=func.clock_timestamp())
        )
        return self.get(webhook_id)

    def deliveries(
        self,
        *,
        webhook_id: str | None = None,
        state: DeliveryState | None = None,
        limit: int = 100,
    ) -> builtins.list[WebhookDelivery]:
        """Return deliveries, newest first.

        :param webhook_id: only those of this webhook.
        :param state: only those in this state.
        """
        query = _select_deliveries().order_by(webhook_deliveries.c.id.desc()).limit(limit)
        if webhook_id is not None:
            query = query.where(webhooks.c.webhook_id == webhook_id)
        if state is not None:
            query = query.where(webhook_deliveries.c.state == state.value)
        return [_delivery(row) for row in self._connection.execute(query)]

    def waiting(self) -> int:
        """Return how many deliveries wait, due or not."""
        query = select(func.count()).select_from(webhook_deliveries).where(_WAITING)
        return self._connection.scalar(query) or 0

    def claim(
        self,
        *,
        now: datetime,
        lease: timedelta,
        passed_over: Collection[str] = (),
        new_first: bool = False,
    ) -> WebhookDelivery | None:
        """Take the oldest delivery that is due; never one that another deliverer has taken.

        It counts as an attempt, and is due again when the lease is over: should the deliverer die,
        another one takes it then.

        :param passed_over: ids of webhooks to leave alone.
        :param new_first: take what was never sent before what is to be sent again.
        :return: None when nothing is due.
        """
        parameters = {
            "now": now,
            "lease": lease,
            "passed_over": list(passed_over),
            "new_first": new_first,
        }
        claimed = self._connection.scalar(_CLAIM, parameters)
        if claimed is None:
            return None
        query = _select_deliveries().where(webhook_deliveries.c.delivery_id == claimed)
        return _delivery(self._connection.execute(query).one())

    def delivered(self, delivery_id: str, *, at: datetime) -> None:
        """Note that the receiver has it, whoever has sent it and whatever came of other tries."""
        self._connection.execute(
            update(webhook_deliveries)
            .where(webhook_deliveries.c.delivery_id == delivery_id)
            .values(state=DeliveryState.DELIVERED.value, delivered_at=at, error=None)
        )

    def postpone(self, claimed: WebhookDelivery, *, until: datetime, error: str) -> None:
        """Note that an attempt failed and when the next one is due.

        :param claimed: as :meth:`claim` gave it; when another deliverer has taken it since, nothing
            is changed.
        """
        self._settle(claimed, next_attempt_at=until, error=error)

    def give_up(self, claimed: WebhookDelivery, *, error: str) -> None:
        """Note that the last attempt failed; see :meth:`postpone`."""
        self._settle(claimed, state=DeliveryState.FAILED.value, error=error)

    def give_up_exhausted(self, *, now: datetime, attempts: int, error: str) -> int:
        """Give up what is due after its last attempt: whoever made that one did not live to tell.

        :param attempts: how many there may be.
        :return: how many were given up.
        """
        return self._connection.execute(
            update(webhook_deliveries)
            .where(
                _WAITING,
                webhook_deliveries.c.next_attempt_at <= now,
                webhook_deliveries.c.attempts >= attempts,
            )
            .values(
                state=DeliveryState.FAILED.value,
                error=func.coalesce(webhook_deliveries.c.error, error),
            )
        ).rowcount

    def retry_failed(self) -> int:
        """Let everything that was given up wait anew; return how many they are."""
        return self._connection.execute(
            update(webhook_deliveries)
            .where(webhook_deliveries.c.state == DeliveryState.FAILED.value)
            .values(
                state=DeliveryState.WAITING.value,
                attempts=0,
                next_attempt_at=func.clock_timestamp(),
            )
        ).rowcount

    def prune(self, before: datetime, *, limit: int) -> int:
        """Delete the oldest deliveries that arrived before a time; return how many they were.

        Rows that somebody else has locked are left for the next time.
        """
        d = webhook_deliveries.c
        old = (
            select(d.id)
            .where(d.state == DeliveryState.DELIVERED.value, d.delivered_at < before)
            .order_by(d.delivered_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        statement = delete(webhook_deliveries).where(d.id.in_(old.scalar_subquery()))
        return self._connection.execute(statement).rowcount

    def _settle(self, claimed: WebhookDelivery, **values: object) -> None:
        self._connection.execute(
            update(webhook_deliveries)
            .where(
                webhook_deliveries.c.delivery_id == claimed.delivery_id,
                webhook_deliveries.c.attempts == claimed.attempts,
                _WAITING,
            )
            .values(**values)
        )


def _unknown(webhook_id: str) -> NotFound:
    return NotFound("webhook", webhook_id, "See them all: mltrack webhooks list")


_WEBHOOK = tuple(spec.name for spec in fields(Webhook))
_EVENT = tuple(spec.name for spec in fields(HistoryEvent) if spec.name != "event_id")
_DELIVERY = ("delivery_id", "attempts", "next_attempt_at", "delivered_at", "error", "created_at")


def _select_deliveries() -> Select[Any]:
    """Select deliveries with their webhook (``w_...``) and their event (``e_...``)."""
    columns: list[Any] = [
        webhook_deliveries,
        history.c.id.label("e_event_id"),
        *(history.c[name].label(f"e_{name}") for name in _EVENT),
        *(webhooks.c[name].label(f"w_{name}") for name in _WEBHOOK),
    ]
    return (
        select(*columns)
        .select_from(webhook_deliveries)
        .join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook)
        .join(history, history.c.id == webhook_deliveries.c.event)
    )


def _webhook(row: Row[Any], prefix: str = "") -> Webhook:
    values = {name: getattr(row, prefix + name) for name in _WEBHOOK}
    read = {"events": tuple(values["events"]), "format": WebhookFormat(values["format"])}
    return Webhook(**values | read)


def _delivery(row: Row[Any]) -> WebhookDelivery:
    event = {name: getattr(row, f"e_{name}") for name in ("event_id", *_EVENT)}
    return WebhookDelivery(
        webhook=_webhook(row, "w_"),
        event=HistoryEvent(**event),
        state=DeliveryState(row.state),
        **{name: getattr(row, name) for name in _DELIVERY},
    )
