"""Deliver the points that dead processes left in their spools."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.tracking.spool import SUFFIX, Spool, SpoolOwner, spool_directory

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_mltrack.settings import Settings
    from airflow_mltrack.store.tracking_store import TrackingStore

logger = logging.getLogger(__name__)

_POINTS_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class SpoolDelivery:
    """What happened to the spools of a directory."""

    points: int = 0
    """Points that were delivered; a point that was in the database already counts, too."""
    delivered: tuple[Path, ...] = ()
    """Spools that are gone now."""
    foreign: tuple[Path, ...] = ()
    """Spools whose run this database does not have; they were left alone."""


def left_spools(settings: Settings) -> list[Path]:
    """Return the spool files of the directory, of living and of dead processes."""
    return sorted(spool_directory(settings).glob(f"*{SUFFIX}"))


def deliver_spools(settings: Settings, store: TrackingStore) -> SpoolDelivery:
    """Write the points of dead processes' spools to the database and delete the spools.

    Several processes may do it at once, and one that dies in the middle is no harm: a batch that
    is in the database is ignored.

    :raises StoreUnavailable: a retry may help; what was delivered until then is deleted.
    """
    points = 0
    delivered, foreign = [], []
    for path in left_spools(settings):
        adopted = Spool.adopt(path)
        if adopted is None:
            continue
        spool, owner = adopted
        try:
            if not _knows(store, owner):
                foreign.append(path)
                continue
            points += _deliver(spool, store)
            spool.remove()
            delivered.append(path)
        finally:
            spool.close()
    return SpoolDelivery(points, tuple(delivered), tuple(foreign))


def _knows(store: TrackingStore, owner: SpoolOwner) -> bool:
    """Whether this database is the one that the points were meant for."""
    with store.transaction() as tx:
        try:
            return tx.runs.attempt(owner.attempt_id).run_id == owner.run_id
        except NotFound:
            return False


def _deliver(spool: Spool, store: TrackingStore) -> int:
    points = 0
    while part := list(spool.read(_POINTS_AT_ONCE)):
        with store.transaction() as tx:
            tx.metrics.log([batch for batch, _ in part])
        spool.mark_delivered(part[-1][1])
        points += sum(len(batch.steps) for batch, _ in part)
    return points
