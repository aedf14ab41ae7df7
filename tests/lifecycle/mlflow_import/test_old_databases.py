"""Databases of MLflow's first versions, in SQLite and in Postgres."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.mlflow_import.opening import open_source
from airflow_mltrack.tracking.client import TrackingClient
from tests.conftest import fresh_database
from tests.lifecycle.mlflow_import.conftest import run_import
from tests.lifecycle.mlflow_import.old_database import CHILD, RUN, make_old_database
from tests.lifecycle.mlflow_import.recorded import recorded_runs


def test_what_an_old_database_lacks_is_not_missed(
    client: TrackingClient, old_database: str
) -> None:
    report = run_import(client, old_database)
    assert report.is_whole, report
    data = client.run(RUN)
    assert data.run.experiment_id == 3
    assert (data.run.name, data.run.user, data.run.status) == ("train", "bob", RunStatus.FINISHED)
    assert data.run.tags["mlflow.source.name"] == "train.py"
    assert data.run.tags["mlflow.source.git.commit"] == "abc123"
    assert data.params == {"depth": "3"}
    assert data.metrics == {"auc": 0.5, "loss": 1 / 3}


def test_a_child_that_began_before_its_parent_finds_it(
    client: TrackingClient, old_database: str
) -> None:
    run_import(client, old_database)
    assert client.run(CHILD).run.parent_run_id == RUN
    assert client.run(CHILD).run.name  # it had none


def test_postgres_gives_what_sqlite_gives(
    client: TrackingClient, postgres_url: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_url) as address:
        with psycopg.connect(address, autocommit=True) as db:
            db.execute("DROP SCHEMA public CASCADE")
            db.execute("CREATE SCHEMA public")
        make_old_database(tmp_path, points=5_000, postgres=address)
        report = run_import(client, address)
        assert report.is_whole, report
        assert report.here["points"] == 5_002
        again = run_import(client, address)
        assert again.done == {}
    assert set(recorded_runs(client)) == {RUN, CHILD}


def test_a_number_that_is_taken_becomes_another_and_is_remembered(
    client: TrackingClient, old_database: str
) -> None:
    with client.store.transaction() as tx:
        for name in ("one", "two", "three"):
            tx.experiments.create(name)
    report = run_import(client, old_database)
    assert report.is_whole, report
    with client.store.transaction() as tx:
        found = tx.experiments.get_by_name("ancient")
    assert found.experiment_id == 4
    assert found.tags["mltrack.imported.experiment_id"] == "3"
    assert "experiment ancient had number 3, and has 4 here." in report.notes


def test_files_that_are_elsewhere_come_from_a_copy_later(
    client: TrackingClient, old_database: str, tmp_path: Path
) -> None:
    moved = tmp_path / "copy"
    (tmp_path / "mlruns").rename(moved)
    first = run_import(client, old_database)
    # The root that the server made is not there, so nobody knows whether there were files.
    assert len([line for line in first.problems if "--artifacts-from" in line]) == 2
    assert not first.is_whole
    second = run_import(client, old_database, artifacts_from=moved)
    assert second.is_whole, second
    assert second.done["files"] == 2
    assert second.done["points"] == 0


def test_a_location_that_mlflow_did_not_make_is_not_read(
    client: TrackingClient, old_database: str, tmp_path: Path
) -> None:
    import sqlite3

    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("hidden")
    db = sqlite3.connect(old_database.removeprefix("sqlite:///"))
    with db:
        db.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", [str(secret), RUN])
    db.close()
    place = tmp_path / "mlruns" / "3" / CHILD / "artifacts"
    (place / "link.txt").symlink_to(secret / "key.txt")
    report = run_import(client, old_database)
    [problem] = report.problems
    assert RUN in problem
    found = recorded_runs(client)
    assert found[RUN]["files"] == {}
    assert set(found[CHILD]["files"]) == {"note.txt"}


def test_something_else_is_no_mlflow_database(tmp_path: Path) -> None:
    import sqlite3

    db = sqlite3.connect(tmp_path / "other.db")
    db.execute("CREATE TABLE runs (x int)")
    db.close()
    with pytest.raises(InvalidInput, match="it lacks the tables experiments, metrics"):
        open_source(f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(InvalidInput, match="no such file"):
        open_source(f"sqlite:///{tmp_path / 'missing.db'}")
    assert not (tmp_path / "missing.db").exists()
    with pytest.raises(InvalidInput, match="mlflow server"):
        open_source("mysql://user:hunter2@host/db")
