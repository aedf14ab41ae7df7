"""Empty the outbox of the webhooks: send what is due, and try again later what has failed.

A delivery is taken in a short transaction that moves its next attempt on, sent while nothing is
held open, and settled in another one. So two deliverers never send one delivery at once, and one
that is killed in the middle leaves a delivery that is due again a minute later: at least once.
What was delivered long ago is deleted on the way.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput, MltrackError
from airflow_mltrack.lifecycle.webhooks.message import event_message
from airflow_mltrack.lifecycle.webhooks.post import REQUEST_SECONDS, Reply, post
from airflow_mltrack.lifecycle.webhooks.site_secret import signing_key

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.webhooks import WebhookDelivery
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

logger = logging.getLogger(__name__)

PAUSES = (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400, 86_400)
"""Seconds before the second attempt, the third, ...; together about three days."""
MOST_ATTEMPTS = len(PAUSES) + 1
JITTER = 0.2
"""Share by which a pause may be longer, so that not everything comes at the same moment."""
LEASE = timedelta(seconds=60)
"""How long a deliverer has a delivery for itself; several times what a request may take."""
SOON_SECONDS = 4.0
"""What :func:`deliver_soon` takes at most."""
_SOON_REQUEST_SECONDS = 2.0
_LEAST_SECONDS = 1.0
"""With less time left a request is not begun: the receiver would be blamed for it."""
_SOON_LIMIT = 20
_PRUNED_AT_ONCE = 1_000
"""Deliveries that one round deletes at most: no round takes long because of it."""
_DIED = "the last attempt was not finished: whoever made it has died"


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What one round of deliveries did."""

    delivered: int = 0
    """Sent, and the receiver has answered with success."""
    postponed: int = 0
    """Not taken by the receiver; will be tried again."""
    failed: int = 0
    """Given up."""
    waiting: int = 0
    """All that waits now, due or not, of every webhook."""


def deliver_due(
    client: TrackingClient,
    *,
    limit: int = 100,
    now: datetime | None = None,
    seconds: float | None = None,
) -> DeliveryReport:
    """Send what is due, the oldest event first; delete what was delivered long ago.

    A webhook that fails is left alone for the rest of the round, so that it neither holds the
    others up nor uses up the attempts of everything that waits for it. Order is kept as far as
    nothing fails and one deliverer works at a time.

    :param limit: most deliveries of this round.
    :param now: the time that decides what is due and what the next pause begins with; None means
        the database's clock.
    :param seconds: begin nothing new after that long; None for no bound.
    :raises InvalidInput: when there are webhooks, but no secret to sign with.
    """
    if limit < 1:
        raise InvalidInput("limit", limit, "it is at least 1.")
    until = None if seconds is None else time.monotonic() + seconds
    _prune(client, now)
    return _Round(client, now=now, until=until, request_seconds=REQUEST_SECONDS).run(limit)


def deliver_soon(client: TrackingClient) -> None:
    """Try to deliver right after something has happened; what fails is left for later.

    Takes a few seconds at most, whatever database and receivers do, and raises nothing: what has
    happened has happened, and stays in the outbox. New events go before those that failed before.
    """
    try:
        # In a thread of its own: only so can a database that does not answer be bounded.
        thread = threading.Thread(
            target=_deliver_quietly, args=(client,), name="mltrack-webhooks", daemon=True
        )
        thread.start()
    except RuntimeError as error:
        logger.warning("Webhooks wait for the next round: %s.", error)
        return
    thread.join(SOON_SECONDS)
    if thread.is_alive():
        logger.warning(
            "Webhooks are not done after %g seconds; what is left is delivered later.", SOON_SECONDS
        )


def pause_before(attempt: int, delivery_id: str) -> timedelta:
    """Return how long to wait before an attempt.

    :param attempt: its number, from 2.
    :param delivery_id: spreads the deliveries that failed together.
    """
    drawn = hashlib.sha256(f"{delivery_id}/{attempt}".encode()).digest()
    share = int.from_bytes(drawn[:4], "big") / 2**32
    return timedelta(seconds=PAUSES[attempt - 2] * (1 + JITTER * share))


class _Round:
    """One round of deliveries."""

    def __init__(
        self,
        client: TrackingClient,
        *,
        now: datetime | None = None,
        until: float | None = None,
        request_seconds: float,
        new_first: bool = False,
    ) -> None:
        self._client = client
        self._now = now
        self._until = until
        self._request_seconds = request_seconds
        self._new_first = new_first
        self._outcomes: Counter[str] = Counter()
        self._failing: set[str] = set()

    def run(self, limit: int) -> DeliveryReport:
        with self._client.store.transaction() as tx:
            wanted = any(webhook.active for webhook in tx.webhooks.list())
            waiting = tx.webhooks.waiting()
        if not wanted:
            return DeliveryReport(waiting=waiting)
        key = signing_key(self._client.settings)
        self._give_up_exhausted()
        for _ in range(limit):
            if not self._deliver_one(key):
                break
        with self._client.store.transaction() as tx:
            return DeliveryReport(**self._outcomes, waiting=tx.webhooks.waiting())

    def _deliver_one(self, key: bytes) -> bool:
        """Take, send and settle one delivery; False when there is nothing to take, or no time."""
        left = self._request_seconds
        if self._until is not None:
            left = min(left, self._until - time.monotonic())
        if left < _LEAST_SECONDS:
            return False
        with self._client.store.transaction() as tx:
            now = self._moment(tx)
            claimed = tx.webhooks.claim(
                now=now, lease=LEASE, passed_over=self._failing, new_first=self._new_first
            )
        if claimed is None:
            return False
        self._settle(claimed, _send(claimed, key=key, sent_at=now, seconds=left))
        return True

    def _settle(self, claimed: WebhookDelivery, reply: Reply) -> None:
        """Record what came of an attempt, waiting for a database that has gone away."""
        if reply.is_success:
            self._outcomes["delivered"] += 1
            self._client.transact(
                lambda tx: tx.webhooks.delivered(claimed.delivery_id, at=self._moment(tx))
            )
            return
        self._failing.add(claimed.webhook.webhook_id)
        error = reply.error or ""
        if reply.is_gone:
            self._give_up(claimed, error, switch_off=True)
        elif claimed.attempts >= MOST_ATTEMPTS:
            self._give_up(claimed, error)
        else:
            self._postpone(claimed, error)

    def _postpone(self, claimed: WebhookDelivery, error: str) -> None:
        self._outcomes["postponed"] += 1
        pause = pause_before(claimed.attempts + 1, claimed.delivery_id)
        self._client.transact(
            lambda tx: tx.webhooks.postpone(claimed, until=self._moment(tx) + pause, error=error)
        )
        logger.warning(
            "Webhook %s at %s did not take delivery %s (attempt %d of %d): %s. Next in %d seconds.",
            claimed.webhook.webhook_id,
            claimed.webhook.host,
            claimed.delivery_id,
            claimed.attempts,
            MOST_ATTEMPTS,
            error,
            pause.total_seconds(),
        )

    def _give_up(self, claimed: WebhookDelivery, error: str, *, switch_off: bool = False) -> None:
        self._outcomes["failed"] += 1

        def work(tx: Transaction) -> None:
            if switch_off:  # first, in the order in which a deletion takes its locks
                tx.webhooks.update(claimed.webhook.webhook_id, active=False)
            tx.webhooks.give_up(claimed, error=error)

        self._client.transact(work)
        logger.error(
            "Webhook %s at %s: delivery %s is given up after %d attempts: %s.%s",
            claimed.webhook.webhook_id,
            claimed.webhook.host,
            claimed.delivery_id,
            claimed.attempts,
            error,
            " The webhook is switched off." if switch_off else "",
        )

    def _give_up_exhausted(self) -> None:
        with self._client.store.transaction() as tx:
            self._outcomes["failed"] += tx.webhooks.give_up_exhausted(
                now=self._moment(tx), attempts=MOST_ATTEMPTS, error=_DIED
            )

    def _moment(self, tx: Transaction) -> datetime:
        return tx.now() if self._now is None else self._now


def _deliver_quietly(client: TrackingClient) -> None:
    until = time.monotonic() + SOON_SECONDS - _LEAST_SECONDS / 2
    work = _Round(client, until=until, request_seconds=_SOON_REQUEST_SECONDS, new_first=True)
    try:
        work.run(_SOON_LIMIT)
    except MltrackError as error:
        logger.warning("Webhooks wait for the next round: %s", error)
    except Exception as error:  # noqa: BLE001 - a promotion that is done must not seem to have failed
        logger.warning("Webhooks wait for the next round: %s.", type(error).__name__)


def _send(claimed: WebhookDelivery, *, key: bytes, sent_at: datetime, seconds: float) -> Reply:
    """Make one attempt; a message that cannot be signed is a failure, too, and nobody's but its."""
    try:
        message = event_message(claimed, key=key, sent_at=sent_at)
    except InvalidInput as error:
        return Reply(None, str(error))
    return post(
        claimed.webhook.url,
        message.body,
        message.headers,
        seconds=seconds,
        secrets=message.secrets,
    )


def _prune(client: TrackingClient, now: datetime | None) -> None:
    """Delete what was delivered before the days that the site keeps; what was given up stays."""
    kept = timedelta(days=client.settings.webhook_keep_days)
    with client.store.transaction() as tx:
        before = (tx.now() if now is None else now) - kept
        tx.webhooks.prune(before, limit=_PRUNED_AT_ONCE)
