"""A Postgres server to stop and to kill, an S3 server, and the backend behind a connection."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.artifacts.conftest import answering, s3_settings
from tests.cli.conftest import mltrack
from tests.hooks.conftest import backend_connection, define_connection
from tests.operators.conftest import hook
from tests.tracking.conftest import PrivateServer

__all__ = [
    "answering",
    "backend_connection",
    "define_connection",
    "hook",
    "mltrack",
    "s3_settings",
]


class FragileServer(PrivateServer):
    """A Postgres server that can also be killed."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.directory = directory

    def kill(self) -> None:
        """End its first process as a power cut would; the others end by themselves."""
        first = (self.directory / "postmaster.pid").read_text().split()[0]
        os.kill(int(first), signal.SIGKILL)


@pytest.fixture
def server() -> Iterator[FragileServer]:
    """Start a server with our schema that nobody else uses."""
    # Not below pytest's own directory, for the reason that tests/conftest.py gives.
    parent = Path(tempfile.mkdtemp(prefix="mltrack-pg-"))
    server = FragileServer(parent / "data")
    store = TrackingStore(Settings(database_url=server.url, artifact_uri="/nowhere"))
    store.upgrade()
    store.close()
    yield server
    server.stop()
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def own_settings(server: FragileServer, tmp_path: Path) -> Settings:
    """Give settings of that server, which nobody starts again but the test."""
    return Settings(
        database_url=server.url,
        artifact_uri=str(tmp_path / "artifacts"),
        spool_dir=str(tmp_path / "spool"),
    )
