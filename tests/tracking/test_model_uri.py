"""A model is stored whole or not at all, and a URI brings back exactly its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.entities.lineage import LineageNode
from airflow_mltrack.entities.models import LoggedModel, LoggedModelStatus
from airflow_mltrack.entities.stages import StageEdge, StageGraph
from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    Conflict,
    InvalidInput,
    NotFound,
    StoreError,
    UnsupportedModel,
)
from airflow_mltrack.store.models import Models
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_uri import (
    ModelUri,
    ModelUriKind,
    download_model,
    load_model,
    parse_model_uri,
    resolve,
    resolve_version,
)

FEATURES = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 7})
MODEL_ID = "m-" + "0" * 32


@pytest.fixture(scope="module")
def fitted() -> LogisticRegression:
    return LogisticRegression().fit(FEATURES, (FEATURES["a"] > 20).astype(int))


@pytest.fixture
def logged(client: TrackingClient, fitted: LogisticRegression) -> LoggedModel:
    with client.start_run() as run:
        return run.log_model(fitted, "clf", training_data=FEATURES, seeds={"split": 42})


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("models:/credit/7", ModelUri(ModelUriKind.VERSION, "credit", "7")),
        ("models:/a b/Production", ModelUri(ModelUriKind.STAGE, "a b", "Production")),
        ("models:/credit/latest", ModelUri(ModelUriKind.LATEST, "credit")),
        ("models:/credit@champion", ModelUri(ModelUriKind.ALIAS, "credit", "champion")),
        (f"models:/{MODEL_ID}", ModelUri(ModelUriKind.LOGGED_MODEL, MODEL_ID)),
        ("runs:/abc/model", ModelUri(ModelUriKind.RUN_MODEL, "model", "abc")),
    ],
)
def test_every_form_is_read(uri: str, expected: ModelUri) -> None:
    assert parse_model_uri(uri) == expected


@pytest.mark.parametrize(
    "uri",
    ["", "credit/7", "models:/", "models:/credit", "models://credit/1", "models:/a/1/x", "runs:/x"],
)
def test_anything_else_is_refused_with_the_forms(uri: str) -> None:
    with pytest.raises(InvalidInput, match="Use models:/"):
        parse_model_uri(uri)


def test_a_logged_model_is_ready_and_complete(client: TrackingClient, logged: LoggedModel) -> None:
    assert logged.status is LoggedModelStatus.READY
    with client.store.transaction() as tx:
        files = tx.artifacts.walk(model_id=logged.model_id)
        edges = tx.lineage.upstream(LineageNode("model", logged.model_id))
    assert {"MLmodel", "mltrack.json", "model.skops"} <= {file.path for file in files}
    assert sum(file.size for file in files) == logged.size
    assert [edge.relation for edge in edges] == ["produced"]


def test_every_form_finds_the_model(
    client: TrackingClient, logged: LoggedModel, tmp_path: Path
) -> None:
    with client.store.transaction() as tx:
        tx.registry.create_model("credit")
        version = tx.registry.create_version(
            "credit",
            source=f"models:/{logged.model_id}",
            model_id=logged.model_id,
            digest=logged.digest,
        )
        tx.registry.set_alias("credit", "champion", version.version)
        tx.registry.move("credit", version.version, "Staging")
        tx.history.append(
            name="credit", version=1, kind="transition", actor="ada", payload={"to": "Staging"}
        )
    for uri in (
        f"models:/{logged.model_id}",
        f"runs:/{logged.run_id}/clf",
        "models:/credit/1",
        "models:/credit/latest",
        "models:/credit/Staging",
        "models:/credit@champion",
    ):
        assert resolve(client, uri).model_id == logged.model_id
    assert resolve_version(client, "models:/credit@champion").version == 1
    with pytest.raises(InvalidInput):
        resolve_version(client, f"models:/{logged.model_id}")
    for uri in (
        f"models:/{MODEL_ID}",
        f"runs:/{logged.run_id}/other",
        "runs:/nothing/clf",
        "models:/credit/2",
        "models:/credit/Production",
        "models:/other/latest",
        "models:/credit@other",
    ):
        with pytest.raises(NotFound):
            resolve(client, uri)


def test_a_models_own_stages_are_named_in_any_case(
    client: TrackingClient, logged: LoggedModel
) -> None:
    graph = StageGraph(
        stages=("New", "Pre Prod", "Champion-1"),
        exclusive="Champion-1",
        displaced_to="New",
        edges=(StageEdge("New", "Champion-1"),),
    )
    with client.store.transaction() as tx:
        tx.registry.create_model("credit", stages=graph)
        for stage in ("Champion-1", "Pre Prod", "Pre Prod"):
            version = tx.registry.create_version(
                "credit", source="x", model_id=logged.model_id, reuse=False
            ).version
            tx.registry.move("credit", version, stage)
            tx.history.append(
                name="credit", version=version, kind="transition", actor="", payload={"to": stage}
            )
    for uri, number in (
        ("models:/credit/Champion-1", 1),
        ("models:/credit/champion-1", 1),
        ("models:/credit/PRE PROD", 3),
    ):
        assert resolve_version(client, uri).version == number
        assert resolve(client, uri) == logged
    with pytest.raises(NotFound):
        resolve_version(client, "models:/credit/New")
    for uri in ("models:/credit/Production", "models:/credit/None"):
        with pytest.raises(InvalidInput, match="it is one of New, Pre Prod, Champion-1"):
            resolve_version(client, uri)


def test_a_loaded_model_predicts_as_the_original(
    client: TrackingClient, logged: LoggedModel, fitted: LogisticRegression
) -> None:
    loaded = load_model(client, f"models:/{logged.model_id}")
    assert list(loaded.predict(FEATURES)) == list(fitted.predict(FEATURES))


def test_a_changed_byte_is_found_and_nothing_stays(
    client: TrackingClient, logged: LoggedModel, tmp_path: Path
) -> None:
    with client.store.transaction() as tx:
        file = tx.artifacts.get(model_id=logged.model_id, path="requirements.txt")
    client.artifact_store.put_bytes(file.key, b"something-else==1.0\n")
    for call in (
        lambda: download_model(client, f"models:/{logged.model_id}", tmp_path / "new"),
        lambda: load_model(client, f"models:/{logged.model_id}"),
    ):
        with pytest.raises(ArtifactCorrupt):
            call()
    assert not (tmp_path / "new").exists()


def test_a_directory_with_something_in_it_is_refused(
    client: TrackingClient, logged: LoggedModel, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(InvalidInput, match="empty directory"):
        download_model(client, f"models:/{logged.model_id}", tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_model_that_cannot_be_packaged_leaves_nothing(client: TrackingClient) -> None:
    with client.start_run() as run:
        with pytest.raises(UnsupportedModel):
            run.log_model(object(), "clf", example=FEATURES.head(2))
        with pytest.raises(InvalidInput):
            run.log_model(object(), "a/b")
    with client.store.transaction() as tx:
        assert tx.models.list(run_id=run.run_id) == []
    assert list(client.artifact_store.list()) == []


def test_a_failed_upload_is_marked_and_its_bytes_removed(
    client: TrackingClient, fitted: LogisticRegression, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Models, *_: object, **__: object) -> LoggedModel:
        raise StoreError("not today")

    monkeypatch.setattr(Models, "finalize", refuse)
    with client.start_run() as run, pytest.raises(StoreError, match="not today"):
        run.log_model(fitted, "clf", training_data=FEATURES)
    with client.store.transaction() as tx:
        (failed,) = tx.models.list(run_id=run.run_id)
        assert tx.artifacts.walk(model_id=failed.model_id) == []
    assert failed.status is LoggedModelStatus.FAILED
    assert failed.status_message == "StoreError: not today"
    assert list(client.artifact_store.list()) == []
    with pytest.raises(Conflict, match="FAILED"):
        resolve(client, f"models:/{failed.model_id}")
