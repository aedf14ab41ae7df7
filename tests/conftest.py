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

import hypothesis
import psycopg
import pytest
from sqlalchemy import make_url

from airflow_mltrack.settings import Settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded
from airflow_mltrack.store.tracking_store import TrackingStore

# How long an example takes says nothing about a promise, least of all on a busy machine.
hypothesis.settings.register_profile(
    "mltrack", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("mltrack")

TEMPLATE = f"mltrack_template_{os.getpid()}"
"""Several sessions may share a server."""

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


@pytest.fixture(autouse=True)
def no_variables_left() -> Iterator[None]:
    """Take back what others leave in this process: Airflow a task's context, MLflow's client the
    experiment and the addresses that it was told last."""
    before = {name for name in os.environ if name.startswith("MLFLOW_")}
    yield
    for name in set(os.environ) - before:
        if name.startswith(("AIRFLOW_CTX_", "MLFLOW_")):
            del os.environ[name]


@pytest.fixture
def server_directory() -> Iterator[Path]:
    """Directory for an embedded server of the test's own; the server is stopped at the end."""
    yield from _server_directory()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a real Postgres server whose template database holds our schema.

    The embedded one, started for this session; or, to try other versions, the one that
    ``MLTRACK_TEST_POSTGRES_URL`` names (as a user who may create databases).
    """
    if given := os.environ.get("MLTRACK_TEST_POSTGRES_URL"):
        _prepare(given)
        yield given
        return
    with contextmanager(_server_directory)() as directory:
        url = start_embedded(directory)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        _prepare(url)
        yield url


def _server_directory() -> Iterator[Path]:
    # Not below pytest's own directory: under root the server runs as another user, and the next
    # pytest session that starts on this machine takes that user's right to enter away.
    parent = Path(tempfile.mkdtemp(prefix="mltrack-pg-"))
    yield parent / "data"
    stop_embedded(parent / "data")
    shutil.rmtree(parent, ignore_errors=True)


def _prepare(url: str) -> None:
    """Make a template database that holds our schema."""
    with _administrator(url) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    store = TrackingStore(Settings(database_url=_database(url, TEMPLATE), artifact_uri="/unused"))
    store.upgrade()
    store.close()


def _administrator(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(_database(url, "postgres"), autocommit=True)


def _database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """URL of a fresh database with the current schema."""
    with fresh_database(postgres_url) as url:
        yield url


@contextmanager
def fresh_database(postgres_url: str, *, template: str = TEMPLATE) -> Iterator[str]:
    """Make a database with the current schema; it is dropped at the end.

    :param template: name of a database to copy, to which nobody is connected.
    """
    name = f"test_{uuid.uuid4().hex[:12]}"
    with _administrator(postgres_url) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _database(postgres_url, name)
    with _administrator(postgres_url) as connection:
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
