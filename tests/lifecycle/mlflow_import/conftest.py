"""MLflow's own databases, made once, and imports from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_mltrack.lifecycle.mlflow_import.importing import import_records
from airflow_mltrack.lifecycle.mlflow_import.opening import open_source
from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.conftest import fresh_database
from tests.lifecycle.mlflow_import.old_database import make_old_database
from tests.lifecycle.mlflow_import.stock_database import StockDatabase, make_stock_database

Import = Callable[..., ImportReport]


@pytest.fixture(scope="session")
def stock_database(tmp_path_factory: pytest.TempPathFactory) -> StockDatabase:
    """Give a database of the stock MLflow 3; nobody changes it."""
    return make_stock_database(tmp_path_factory.mktemp("stock"))


@pytest.fixture
def old_database(tmp_path: Path) -> str:
    """Give the address of a database of MLflow 1.2."""
    return make_old_database(tmp_path)


def run_import(
    client: TrackingClient,
    address: str,
    *,
    experiments: tuple[str, ...] = (),
    artifacts_from: Path | None = None,
) -> ImportReport:
    """Import from an address."""
    source = open_source(address, artifacts_from=artifacts_from)
    try:
        return import_records(client, source, actor="ada", experiments=experiments)
    finally:
        source.close()


@pytest.fixture(scope="module")
def imported(
    stock_database: StockDatabase, postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TrackingClient, ImportReport]]:
    """Give a backend into which the stock database was imported; nobody changes it."""
    directory = tmp_path_factory.mktemp("imported")
    with fresh_database(postgres_url) as url:
        settings = Settings(
            database_url=url,
            artifact_uri=str(directory / "artifacts"),
            spool_dir=str(directory / "spool"),
        )
        with TrackingClient(settings, pool_size=2) as client:
            yield client, run_import(client, stock_database.address)
