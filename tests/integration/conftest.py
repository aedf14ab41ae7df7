"""A real Airflow: its own home and metadata database, Dags from bundles, tasks really run."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore
from airflow_mltrack.training.loan_portfolio import portfolio_uri
from tests.conftest import fresh_database

SMALL_TABLE = {"DATA": portfolio_uri(rows=600, seed=1, default_rate=0.3), "TARGET": "defaulted"}
"""A generated table on which a recipe is fitted in a blink."""


class Airflow:
    """Runs Dags of the bundles in this process, task by task, as ``airflow dags test`` does."""

    def run(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, at: datetime | None = None
    ) -> DagRunOutcome:
        """Run a Dag to its end.

        :param at: logical date; the same one again is the same Dag run.
        """
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.dag_processing.dagbag import BundleDagBag

        manager = DagBundlesManager()  # type: ignore[no-untyped-call]
        for bundle in manager.get_all_dag_bundles():
            bag = BundleDagBag(
                dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name
            )
            assert bag.import_errors == {}
            if dag_id in bag.dags:
                dag = bag.dags[dag_id]
                with _warnings_of_airflow():
                    return DagRunOutcome(
                        dag.test(run_conf=dict(conf or {}), logical_date=at, run_after=at)
                    )
        raise LookupError(dag_id)


@contextmanager
def _warnings_of_airflow() -> Iterator[None]:
    """Let Airflow's libraries deprecate each other; a warning about our code stays an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.filterwarnings("error", module=r"airflow_mltrack")
        yield


class DagRunOutcome:
    """How a Dag run ended."""

    def __init__(self, dag_run: Any) -> None:
        self.run_id: str = dag_run.run_id
        self.state = str(dag_run.state)
        self.tasks = {
            ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]": ti
            for ti in dag_run.get_task_instances()
        }

    @property
    def states(self) -> dict[str, str]:
        """State by task."""
        return {name: str(ti.state) for name, ti in self.tasks.items()}

    def returned(self, task_id: str) -> Any:
        """Read what a task pushed to XCom."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        with create_session() as session:
            row = session.scalars(
                XComModel.get_many(run_id=self.run_id, key="return_value", task_ids=task_id)
            ).one()
            return XComModel.deserialize_value(row)


@pytest.fixture(scope="session")
def airflow() -> Airflow:
    """Create Airflow's metadata database in the tests' own AIRFLOW_HOME."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Airflow()


@pytest.fixture(scope="module")
def backend(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Define ``mltrack_default`` for a database and an artifact directory of this module."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    with fresh_database(postgres_url) as url, pytest.MonkeyPatch.context() as patch:
        parts = urlsplit(url)
        definition = {
            "conn_type": "mltrack",
            "host": parse_qs(parts.query)["host"][0],
            "login": parts.username,
            "schema": parts.path.lstrip("/"),
            "extra": {"artifact_uri": str(artifacts)},
        }
        patch.setenv("AIRFLOW_CONN_MLTRACK_DEFAULT", json.dumps(definition))
        yield Settings(database_url=url, artifact_uri=str(artifacts))


@pytest.fixture
def tracked(backend: Settings) -> Iterator[TrackingStore]:
    """Give the store that the Dags of this module write to."""
    store = TrackingStore(backend)
    yield store
    store.close()
