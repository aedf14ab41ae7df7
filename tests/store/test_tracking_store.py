"""Transactions of the store's front."""

from __future__ import annotations

import pytest

from airflow_mltrack.exceptions import StoreError
from airflow_mltrack.store.tracking_store import TrackingStore


def test_a_frozen_transaction_sees_one_state(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.freeze()
        before = tx.experiments.list()
        with store.transaction() as other:
            other.experiments.ensure("made meanwhile")
        assert tx.experiments.list() == before
    with store.transaction() as tx:
        assert len(tx.experiments.list()) == len(before) + 1


def test_a_frozen_transaction_writes_nothing(store: TrackingStore) -> None:
    def write() -> None:
        with store.transaction() as tx:
            tx.freeze()
            tx.experiments.ensure("new")

    with pytest.raises(StoreError, match="read-only"):
        write()


def test_only_one_transaction_is_frozen(store: TrackingStore) -> None:
    for _ in range(8):  # connections of the pool are used again
        with store.transaction() as tx:
            tx.freeze()
        with store.transaction() as tx:
            tx.experiments.ensure("new")
