"""Clients, a store that goes away on command, and a server of its own that really stops."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.exceptions import StoreUnavailable
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction
from airflow_mltrack.tracking.client import TrackingClient


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    """Give a client of a fresh backend that does not wait long."""
    client = TrackingClient(settings, pool_size=4, patience=5)
    yield client
    client.close()


class UnsteadyStore(TrackingStore):
    """A store that raises in place of a transaction, or after its commit, on command."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, pool_size=4)
        self.error: Exception | None = None
        """Raised instead of opening a transaction."""
        self.lose_answers = 0
        """So many commits succeed but look as if they had not."""

    def go_away(self) -> None:
        """Be unreachable until :attr:`error` is None again."""
        self.error = StoreUnavailable("the test's database", "it is away.")

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction, or raise."""
        if self.error is not None:
            raise self.error
        with super().transaction() as tx:
            yield tx
        if self.lose_answers:
            self.lose_answers -= 1
            raise StoreUnavailable("the test's database", "the connection broke at the commit.")


@pytest.fixture
def unsteady(settings: Settings) -> Iterator[TrackingClient]:
    """Give a client whose ``store`` is an :class:`UnsteadyStore`."""
    client = TrackingClient(settings, patience=5)
    client.store = UnsteadyStore(settings)
    yield client
    client.store.error = None
    client.close()


class PrivateServer:
    """A Postgres server that nobody else uses, to stop and to start."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = start_embedded(directory)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")

    def start(self) -> None:
        """Start it again."""
        assert start_embedded(self._directory) == self.url

    def stop(self) -> None:
        """Stop it: connections break, new ones are refused."""
        stop_embedded(self._directory)


@pytest.fixture(scope="module")
def private_server() -> Iterator[PrivateServer]:
    """Start a server with our schema."""
    # Not below pytest's own directory, for the reason that tests/conftest.py gives.
    parent = Path(tempfile.mkdtemp(prefix="mltrack-pg-"))
    server = PrivateServer(parent / "data")
    store = TrackingStore(Settings(database_url=server.url, artifact_uri="/nowhere"))
    store.upgrade()
    store.close()
    yield server
    server.stop()
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def private_settings(private_server: PrivateServer, tmp_path: Path) -> Settings:
    """Give settings of the private server."""
    return Settings(
        database_url=private_server.url,
        artifact_uri=str(tmp_path / "artifacts"),
        spool_dir=str(tmp_path / "spool"),
    )


def history(client: TrackingClient, attempt_id: int, key: str) -> list[tuple[int, float]]:
    """Return the (step, value) pairs of a metric, with doubles if there were any."""
    with client.store.transaction() as tx:
        found = tx.connection.exec_driver_sql(
            "SELECT point.step, point.value FROM metric_chunks, "
            'unnest(steps, "values") AS point (step, value) '
            f"WHERE attempt = {attempt_id} AND key = '{key}' ORDER BY 1, 2"
        )
        return [(row.step, row.value) for row in found]


def spools(settings: Settings) -> list[Path]:
    """Return the spool files that are there."""
    return sorted(Path(settings.spool_dir or "").glob("*.spool"))
