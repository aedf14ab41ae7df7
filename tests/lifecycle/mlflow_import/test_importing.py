"""What an import from the stock MLflow 3 brings."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.lifecycle.audit import verify_history
from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
from airflow_mltrack.lifecycle.registration import add_version, create_model
from airflow_mltrack.lifecycle.webhooks.deliveries import list_deliveries
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.mlflow_import.conftest import run_import
from tests.lifecycle.mlflow_import.stock_database import POINTS, StockDatabase

Imported = tuple[TrackingClient, ImportReport]


def test_both_sides_agree(imported: Imported) -> None:
    _, report = imported
    assert report.problems == []
    assert report.differences == []
    assert report.there == report.here
    assert report.there["runs"] == 5
    assert report.there["points"] == POINTS + 6
    assert report.there["versions"] == 3


def test_a_run_keeps_its_id_and_all_it_recorded(
    imported: Imported, stock_database: StockDatabase
) -> None:
    client, _ = imported
    data = client.run(stock_database.parent)
    assert data.run.name == "parent"
    assert data.run.experiment_id == 1
    assert data.run.status is RunStatus.FINISHED
    assert data.params == {"depth": "7", "rate": "0.1"}
    assert data.run.tags["stage"] == "first"
    with client.store.transaction() as tx:
        assert tx.runs.get(stock_database.child).parent_run_id == stock_database.parent
        [read] = tx.inputs.list(data.run.attempt_id)
    assert (read.dataset.name, read.context, read.tags) == ("table", "training", {"part": "train"})
    assert read.dataset.profile["num_rows"] == 4


def test_histories_come_whole_with_nan_and_infinities(
    imported: Imported, stock_database: StockDatabase
) -> None:
    client, _ = imported
    attempt = client.run(stock_database.parent).run.attempt_id
    with client.store.transaction() as tx:
        series = tx.metrics.series(attempt, "loss")
        special = {key: tx.metrics.history(attempt, key) for key in ("nan", "up", "down")}
    assert list(series.steps) == list(range(POINTS))
    assert series.values[3] == 0.25
    assert series.timestamps[3] == 1_700_000_000_003
    assert math.isnan(special["nan"][0].value)
    assert special["up"][0].value == math.inf
    assert special["down"][0].value == -math.inf
    assert special["down"][0].step == -3


def test_files_come_with_their_bytes(imported: Imported, stock_database: StockDatabase) -> None:
    client, _ = imported
    attempt = client.run(stock_database.parent).run.attempt_id
    with client.store.transaction() as tx:
        found = {file.path: file for file in tx.artifacts.walk(attempt_id=attempt)}
    assert set(found) == {"notes/a.txt", "plots/line.png"}
    place = stock_database.artifacts / "1" / stock_database.parent / "artifacts"
    for path, file in found.items():
        original = (place / path).read_bytes()
        assert file.sha256 == hashlib.sha256(original).hexdigest()
        assert client.artifact_store.read_bytes(file.key, sha256=file.sha256) == original


def test_a_logged_model_is_ready_and_its_metrics_name_the_data(
    imported: Imported, stock_database: StockDatabase
) -> None:
    client, _ = imported
    with client.store.transaction() as tx:
        [data] = tx.models.data([stock_database.model_id])
        files = {file.path for file in tx.artifacts.walk(model_id=stock_database.model_id)}
        attempt = tx.runs.get(stock_database.parent).attempt_id
        made = tx.run_models.list([attempt], direction="output")
    assert data.model.status is LoggedModelStatus.READY
    assert data.model.run_id == stock_database.parent
    assert {"MLmodel", "requirements.txt"} <= files
    assert [item.model_id for item in made[attempt]] == [stock_database.model_id]
    assert ("auc", "table") in {(item.key, item.dataset_name) for item in data.metrics}


def test_what_was_deleted_is_deleted(imported: Imported, stock_database: StockDatabase) -> None:
    client, _ = imported
    with client.store.transaction() as tx:
        assert tx.runs.get(stock_database.deleted_run).lifecycle is Lifecycle.DELETED
        assert tx.experiments.get(2).lifecycle is Lifecycle.DELETED
        assert tx.experiments.get(1).tags["team"] == "risk"
        # Whoever makes the next experiment gets a number that nobody had.
        assert tx.experiments.create("next").experiment_id == 3


def test_versions_keep_numbers_and_one_is_live(
    imported: Imported, stock_database: StockDatabase
) -> None:
    client, report = imported
    with client.store.transaction() as tx:
        model = tx.registry.get_model("Credit")
        versions = {item.version: item for item in tx.registry.list_versions("Credit")}
        # The last one was deleted there: its number is not given again.
        assert add_version(tx, "Credit", "s3://bucket/model", actor="ada").version == 6
    assert model.description == "Who pays back"
    assert model.tags["owner"] == "ada"
    assert model.aliases == {"champion": 4}
    assert {number: item.stage for number, item in versions.items()} == {
        1: "Archived",
        3: "Staging",
        4: "Production",
    }
    assert versions[1].model_id == stock_database.model_id
    assert versions[1].tags == {"k": "v"}
    assert any("Credit/1 stood in Production" in note for note in report.notes)


def test_a_version_made_of_a_runs_directory_has_a_package(
    imported: Imported, stock_database: StockDatabase
) -> None:
    client, _ = imported
    with client.store.transaction() as tx:
        version = tx.registry.get_version("Credit", 4)
        assert version.model_id is not None
        package = tx.models.get(version.model_id)
        files = {file.path for file in tx.artifacts.walk(model_id=version.model_id)}
    assert version.digest == package.digest
    assert version.run_id == stock_database.legacy_run
    assert files == {"MLmodel", "model.bin"}


def test_the_history_tells_of_the_import_and_is_whole(imported: Imported) -> None:
    client, _ = imported
    assert verify_history(client, "Credit").findings == ()
    with client.store.transaction() as tx:
        moves = tx.history.list("Credit", kinds=("transition",))
    assert {event.payload["via"] for event in moves} == {"import"}
    assert {event.actor for event in moves} == {"ada"}


def test_no_webhook_hears_of_what_happened_elsewhere(
    settings: Settings, stock_database: StockDatabase
) -> None:
    with TrackingClient(replace(settings, webhook_secret="a secret of sixteen")) as client:
        create_webhook(client, url="http://127.0.0.1:1/", events=("*",), actor="ada")
        assert run_import(client, stock_database.address, experiments=("credit",)).is_whole
        assert list_deliveries(client) == []
        create_model(client, "new", actor="ada")
        assert [sent.event.kind for sent in list_deliveries(client)] == ["created"]


def test_versions_of_a_governed_model_come_in_without_stages(
    settings: Settings, stock_database: StockDatabase
) -> None:
    governed = replace(settings, gated_models=("Cred*",))
    with TrackingClient(governed) as client:
        report = run_import(client, stock_database.address, experiments=("credit",))
        assert report.is_whole, report
        with client.store.transaction() as tx:
            assert tx.registry.get_model("Credit").is_governed
            found = {item.version: item.stage for item in tx.registry.list_versions("Credit")}
            assert {item.name for item in tx.experiments.list(view="all")} == {"Default", "credit"}
    assert found == {1: "None", 3: "None", 4: "None"}
    assert len([note for note in report.notes if "this model is governed" in note]) == 3
