"""Waits until one transaction is held up by another."""

from __future__ import annotations

import time

from sqlalchemy import text

from airflow_mltrack.store.tracking_store import TrackingStore


def wait_until_somebody_waits(store: TrackingStore) -> None:
    """Wait until a connection waits for a lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 20
    while True:
        with store.transaction() as tx:
            if tx.connection.scalar(query):
                return
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.02)
