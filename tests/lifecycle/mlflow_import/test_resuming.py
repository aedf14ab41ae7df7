"""An import that is done again, killed, or meets what is here already."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.conftest import fresh_database
from tests.lifecycle.mlflow_import.conftest import run_import
from tests.lifecycle.mlflow_import.old_database import RUN, make_old_database
from tests.lifecycle.mlflow_import.recorded import recorded_runs

_RUNS = 120


def test_again_changes_nothing(client: TrackingClient, old_database: str) -> None:
    run_import(client, old_database)
    before = recorded_runs(client)
    again = run_import(client, old_database)
    assert again.done == {}
    assert again.known["runs"] == 2
    assert again.is_whole, again
    assert recorded_runs(client) == before


def test_killed_in_the_middle_it_ends_the_same(
    client: TrackingClient, settings: Settings, postgres_url: str, tmp_path: Path
) -> None:
    address = make_old_database(tmp_path, points=2_000, runs=_RUNS)
    _kill_in_the_middle(settings, client, address)
    begun = len(recorded_runs(client))
    assert 0 < begun < _RUNS + 2
    report = run_import(client, address)
    assert report.is_whole, report
    assert report.known["runs"] >= 1
    with fresh_database(postgres_url) as url:
        other = Settings(
            database_url=url,
            artifact_uri=str(tmp_path / "others"),
            spool_dir=str(tmp_path / "spool2"),
        )
        with TrackingClient(other) as undisturbed:
            run_import(undisturbed, address)
            assert recorded_runs(undisturbed) == recorded_runs(client)


def _kill_in_the_middle(settings: Settings, client: TrackingClient, address: str) -> None:
    """Start an import in a process of its own, and kill it once it has written some runs."""
    variables = {
        **os.environ,
        "MLTRACK_DATABASE_URL": settings.database_url,
        "MLTRACK_ARTIFACT_URI": str(settings.artifact_uri),
        "LOGNAME": "ada",
    }
    words = [
        sys.executable,
        "-m",
        "airflow_mltrack.cli.main",
        "import",
        "mlflow",
        "--from",
        address,
    ]
    process = subprocess.Popen(words, env=variables, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    try:
        while _count_runs(client) < 4:
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert process.returncode == -signal.SIGKILL


def _count_runs(client: TrackingClient) -> int:
    with client.store.transaction() as tx:
        found = [item.experiment_id for item in tx.experiments.list()]
        return len(tx.search.runs(experiment_ids=found).runs)


def test_a_run_that_went_on_there_is_completed(client: TrackingClient, old_database: str) -> None:
    run_import(client, old_database)
    engine = create_engine(old_database)
    with engine.begin() as db:
        db.execute(text(f"INSERT INTO metrics VALUES ('loss', 9, 1, '{RUN}', -1)"))
        db.execute(text(f"INSERT INTO params VALUES ('late', 'x', '{RUN}')"))
    engine.dispose()
    report = run_import(client, old_database)
    assert report.is_whole, report
    assert report.known["runs"] == 1
    data = client.run(RUN)
    assert data.params["late"] == "x"
    with client.store.transaction() as tx:
        assert [p.step for p in tx.metrics.history(data.run.attempt_id, "loss")] == [-1, 0, 1, 2]


def test_a_run_of_the_same_id_that_was_made_here_is_left_alone(
    client: TrackingClient, old_database: str
) -> None:
    with client.store.transaction() as tx:
        tx.runs.open(experiment_id=0, run_id=RUN, name="mine")
    report = run_import(client, old_database)
    assert any("was not imported" in line for line in report.problems)
    assert not report.is_whole
    data = client.run(RUN)
    assert (data.run.name, data.params) == ("mine", {})


def test_what_is_changed_here_afterwards_is_found(
    client: TrackingClient, old_database: str, settings: Settings
) -> None:
    run_import(client, old_database)
    url = settings.database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url)
    with engine.begin() as db:
        db.execute(text("UPDATE params SET value = '4' WHERE key = 'depth'"))
        db.execute(text("DELETE FROM metric_chunks WHERE key = 'loss'"))
        db.execute(text("DELETE FROM artifacts"))
    engine.dispose()
    report = run_import(client, old_database)
    found = "\n".join(report.differences)
    assert f"run {RUN}: param depth has another value here." in found
    assert f"run {RUN}: 4 points there, 1 here." in found
    assert f"run {RUN}: 1 files there, 0 here." in found


def test_a_name_taken_by_a_deleted_experiment_stops_it_before_it_writes(
    client: TrackingClient, old_database: str
) -> None:
    with client.store.transaction() as tx:
        tx.experiments.delete(tx.experiments.create("ancient").experiment_id)
    with pytest.raises(Conflict, match="taken by deleted experiment"):
        run_import(client, old_database)
    assert recorded_runs(client) == {}
