"""Fixtures that every test may use: a real Postgres, an empty tracking database, an artifact store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.settings import Settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded
from airflow_mltrack.store.tracking_store import TrackingStore

TEMPLATE = "mltrack_template"


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Postgres server, started for this session; its database holds our schema."""
    directory = tmp_path_factory.mktemp("pg") / "data"
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
    yield url
    stop_embedded(directory)


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
