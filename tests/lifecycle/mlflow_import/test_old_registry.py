"""The registry of MLflow 1.4 to 2: versions that are directories of runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.mlflow_import.conftest import run_import
from tests.lifecycle.mlflow_import.old_database import RUN

_SCHEMA = (
    "CREATE TABLE registered_models (name VARCHAR(256) PRIMARY KEY, creation_time BIGINT, "
    "last_updated_time BIGINT)",
    "CREATE TABLE model_versions (name VARCHAR(256), version INTEGER, creation_time BIGINT, "
    "last_updated_time BIGINT, description VARCHAR(5000), user_id VARCHAR(256), "
    "current_stage VARCHAR(20), source VARCHAR(500), run_id VARCHAR(32), status VARCHAR(20), "
    "status_message VARCHAR(500), PRIMARY KEY (name, version))",
)


@pytest.fixture
def old_registry(old_database: str, tmp_path: Path) -> str:
    """Give an old database with a version in Production, and one that is kept elsewhere."""
    place = tmp_path / "mlruns" / "3" / RUN / "artifacts"
    (place / "model").mkdir()
    (place / "model" / "MLmodel").write_text("flavors: {}\n")
    engine = create_engine(old_database)
    with engine.begin() as db:
        for statement in _SCHEMA:
            db.execute(text(statement))
        db.execute(text("INSERT INTO registered_models VALUES ('loan', 1000, 1000)"))
        versions = text(
            "INSERT INTO model_versions VALUES ('loan', :number, 5, 6, 'words', 'bob', :stage, "
            ":source, :run, 'READY', NULL)"
        )
        mine = {"number": 1, "stage": "Production", "source": f"{place}/model", "run": RUN}
        other = {"number": 2, "stage": "None", "source": "s3://elsewhere/model", "run": None}
        db.execute(versions, [mine, other])
    engine.dispose()
    return old_database


def test_a_directory_of_a_run_becomes_a_package_of_its_own(
    client: TrackingClient, old_registry: str
) -> None:
    report = run_import(client, old_registry)
    assert report.is_whole, report
    with client.store.transaction() as tx:
        version = tx.registry.get_version("loan", 1)
        assert version.model_id is not None
        assert [file.path for file in tx.artifacts.walk(model_id=version.model_id)] == ["MLmodel"]
    assert (version.stage, version.user, version.description) == ("Production", "bob", "words")
    again = run_import(client, old_registry)
    assert again.done == {}
    with client.store.transaction() as tx:
        assert len(tx.models.list(run_id=RUN)) == 1


def test_a_package_that_is_kept_elsewhere_keeps_its_address(
    client: TrackingClient, old_registry: str
) -> None:
    report = run_import(client, old_registry)
    with client.store.transaction() as tx:
        version = tx.registry.get_version("loan", 2)
    assert (version.source, version.model_id) == ("s3://elsewhere/model", None)
    assert any("kept at s3://elsewhere/model" in note for note in report.notes)


def test_a_version_without_its_bytes_is_never_called_whole(
    client: TrackingClient, old_registry: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    (tmp_path / "mlruns").rename(copy)
    first = run_import(client, old_registry)
    assert any("loan/1 has no package here" in line for line in first.problems)
    second = run_import(client, old_registry, artifacts_from=copy)
    [problem] = second.problems
    assert "register models:/m-" in problem
    assert not second.is_whole


def test_a_move_that_was_made_here_is_not_undone(client: TrackingClient, old_registry: str) -> None:
    from airflow_mltrack.lifecycle.promotion import promote

    run_import(client, old_registry)
    promote(client, "loan", 1, "Archived", actor="bob")
    report = run_import(client, old_registry)
    assert report.is_whole, report
    with client.store.transaction() as tx:
        assert tx.registry.get_version("loan", 1).stage == "Archived"


def test_a_model_of_that_name_that_was_made_here_is_left_alone(
    client: TrackingClient, old_registry: str
) -> None:
    with client.store.transaction() as tx:
        tx.registry.create_model("loan", description="mine")
    report = run_import(client, old_registry)
    assert any("registered model loan" in line for line in report.problems)
    with client.store.transaction() as tx:
        assert tx.registry.list_versions("loan") == []
