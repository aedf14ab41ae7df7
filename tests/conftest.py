"""Fixtures for every test: a real Postgres, an empty tracking database, an artifact store."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.settings import Settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded
from airflow_mltrack.store.tracking_store import TrackingStore

TEMPLATE = "mltrack_template"

# Before anything imports Airflow: tests must never touch the Airflow of whoever runs them.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="mltrack-test-airflow-"))
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
_BUNDLES = {
    "examples": Path(__file__).parents[1] / "example_dags",
    "tests": Path(__file__).parent / "integration" / "dags",
}
os.environ.update(
    AIRFLOW_HOME=str(AIRFLOW_HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps(
        [
            {
                "name": name,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(path)},
            }
            for name, path in _BUNDLES.items()
        ]
    ),
)
for _name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "MLTRACK_"))]:
    if _name != "MLTRACK_DATA_DIR" and not _name.startswith("MLTRACK_TEST_"):
        del os.environ[_name]


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """Directory for an embedded server of the test's own; the server is stopped at the end."""
    yield from _server_directory()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a real Postgres server, started for this session; its database holds our schema."""
    with contextmanager(_server_directory)() as directory:
        yield _prepared(directory)


def _server_directory() -> Iterator[Path]:
    # Not below pytest's own directory: under root the server runs as another user, and the next
    # pytest session that starts on this machine takes that user's right to enter away.
    parent = Path(tempfile.mkdtemp(prefix="mltrack-pg-"))
    yield parent / "data"
    stop_embedded(parent / "data")
    shutil.rmtree(parent, ignore_errors=True)


def _prepared(directory: Path) -> str:
    """Start a server whose template database holds our schema."""
    url = start_embedded(directory)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    settings = Settings(database_url=url, artifact_uri=str(directory.parent / "artifacts"))
    store = TrackingStore(settings)
    store.upgrade()
    store.close()
    with psycopg.connect(url.replace("/mltrack?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE mltrack RENAME TO {TEMPLATE}")
    return url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of a fresh database with the current schema."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = postgres_url.replace("/mltrack?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield postgres_url.replace("/mltrack?", f"/{name}?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of a fresh, empty backend: real Postgres, local artifact directory."""
    return Settings(
        database_url=database_url,
        artifact_uri=str(tmp_path / "artifacts"),
        spool_dir=str(tmp_path / "spool"),
    )


@pytest.fixture
def store(settings: Settings) -> Iterator[TrackingStore]:
    """Give a tracking store on a fresh database."""
    store = TrackingStore(settings, pool_size=4)
    yield store
    store.close()
