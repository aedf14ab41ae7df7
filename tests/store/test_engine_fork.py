from __future__ import annotations

import os

import pytest

from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore


def _backend(store: TrackingStore) -> int:
    with store.transaction() as tx:
        return int(tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


# Python 3.12 warns of forks in processes with threads, which a test runner is.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_use_the_connection_of_its_parent(settings: Settings) -> None:
    store = TrackingStore(settings, pool_size=1)
    before = _backend(store)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(_backend(store)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert int(answer.read()) != before
    assert _backend(store) == before, "the parent keeps its connection"
    store.close()
