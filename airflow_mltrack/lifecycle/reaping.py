"""Close attempts whose process died without saying so, and give their trials back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_mltrack.entities.runs import Attempt, RunStatus
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

IsAlive = Callable[[Attempt], bool | None]


def reap(
    client: TrackingClient, *, silent_for: timedelta, is_alive: IsAlive | None = None
) -> list[Attempt]:
    """Close RUNNING attempts that have given no sign of life.

    Their RUNNING trials go back to WAITING, so that the sweep runs them again. Each attempt is
    closed in a transaction of its own: what was done stays done when a later one fails.

    :param silent_for: how long an attempt may be silent; several times the heartbeat's interval.
    :param is_alive: asked about every silent attempt: True leaves it alone, False says that its
        task is over (closed FAILED), None that nobody knows (closed KILLED).
    :return: the attempts that were closed, as they stand now.
    :raises InvalidInput: when ``silent_for`` is not positive.
    """
    if silent_for <= timedelta(0):
        raise InvalidInput("silent_for", str(silent_for), "it is longer than nothing.")
    silent = client.transact(lambda tx: tx.runs.stale(silent_for=silent_for))
    closed = (_reap_one(client, attempt, silent_for, is_alive) for attempt in silent)
    return [attempt for attempt in closed if attempt is not None]


def _reap_one(
    client: TrackingClient, attempt: Attempt, silent_for: timedelta, is_alive: IsAlive | None
) -> Attempt | None:
    """Close one attempt; None when it lives, spoke up meanwhile, or somebody else closed it."""
    alive = None if is_alive is None else is_alive(attempt)
    if alive:
        return None
    status = RunStatus.KILLED if alive is None else RunStatus.FAILED
    reason = _reason(attempt, alive)

    def work(tx: Transaction) -> Attempt | None:
        if not tx.runs.close_silent(
            attempt.attempt_id, status, silent_for=silent_for, error=reason
        ):
            return None
        _release_trial(tx, attempt, reason)
        return tx.runs.attempt(attempt.attempt_id)

    return client.transact(work)


def _reason(attempt: Attempt, alive: bool | None) -> str:
    last = attempt.heartbeat_at or attempt.started_at
    what = "its task is over" if alive is False else "no sign of life"
    return f"closed by the reaper: {what}, last heard of at {last:%Y-%m-%d %H:%M:%S} UTC"


def _release_trial(tx: Transaction, attempt: Attempt, reason: str) -> None:
    """Give back the trial that the attempt was running, if it was one."""
    run = tx.runs.get(attempt.run_id)
    if run.parent_run_id is None:
        return
    trial = tx.sweeps.running(run.parent_run_id, run.run_id)
    # Another worker may have taken it over; only the attempt's own one gives it back.
    if (
        trial is not None
        and trial.claimed_by is not None
        and (attempt.attempt_key or "").startswith(f"{trial.claimed_by}:")
    ):
        tx.sweeps.release(run.parent_run_id, trial.number, reason, claimed_by=trial.claimed_by)
