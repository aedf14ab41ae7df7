"""A model whose files were uploaded one by one: what it tells is on record once it is READY."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
import yaml

from airflow_mltrack.entities.models import LoggedModel, LoggedModelStatus
from airflow_mltrack.exceptions import ArtifactCorrupt, ArtifactUnavailable
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_logging import complete_model

MLMODEL = yaml.safe_dump(
    {
        "flavors": {"sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.9.1"}},
        "metadata": {"threshold": 0.3, "odd": float("inf")},
    }
).encode()


OURS: dict[str, Any] = {
    "format_version": 1,
    "format": "lightgbm",
    "created_at": "2026-01-31T09:30:00+00:00",
    "model_class": "lightgbm.basic.Booster",
    "files": {"model.lgb": {"size": 4, "sha256": hashlib.sha256(b"tree").hexdigest()}},
}


def add(client: TrackingClient, model: LoggedModel, path: str, data: bytes) -> None:
    stored = client.artifact_store.put_bytes(f"{model.artifact_root}/{path}", data)
    client.transact(
        lambda tx: tx.artifacts.record(model_id=model.model_id, path=path, stored=stored)
    )


@pytest.fixture
def opened(client: TrackingClient) -> LoggedModel:
    """Give a model that mlflow's client has uploaded and not closed."""
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        model = tx.models.create(experiment_id=experiment, name="model")
    add(client, model, "MLmodel", MLMODEL)
    add(client, model, "model.pkl", b"not a pickle")
    return model


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({"metadata": {"threshold": 0.3}}, True),
        ({"metadata": {"threshold": math.nan}}, False),
        ({"metadata": {"note": "\0"}}, False),
        ({"metadata": {"note": "\ud800"}}, False),
        ({"signature": {"columns": [], "array": [[[]]]}}, False),
        ({"signature": {"columns": [], "outputs": "text"}}, False),
        ({"files": {"model.lgb": {**OURS["files"]["model.lgb"], "size": math.inf}}}, False),
    ],
)
def test_a_manifest_that_cannot_be_kept_is_not_told(
    client: TrackingClient, changes: dict[str, Any], *, is_told: bool
) -> None:
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        model = tx.models.create(experiment_id=experiment, name="model")
    add(client, model, "model.lgb", b"tree")
    add(client, model, "mltrack.json", json.dumps({**OURS, **changes}).encode())
    ready = complete_model(client, model.model_id)
    assert ready.status is LoggedModelStatus.READY
    assert ready.manifest.get("metadata") == (changes["metadata"] if is_told else None)


def test_what_it_tells_is_recorded_and_stays(client: TrackingClient, opened: LoggedModel) -> None:
    ready = complete_model(client, opened.model_id)
    assert ready.status is LoggedModelStatus.READY
    assert ready.manifest["format"] == "pickle"
    assert ready.manifest["metadata"] == {"threshold": 0.3, "odd": "inf"}
    assert set(ready.manifest["files"]) == {"MLmodel", "model.pkl"}  # type: ignore[call-overload]
    assert complete_model(client, opened.model_id) == ready


def test_it_stays_open_while_the_store_does_not_answer(
    client: TrackingClient, opened: LoggedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: object, key: str, **__: object) -> bytes:
        raise ArtifactUnavailable(key, "it is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(client.artifact_store), "read_bytes", unavailable)
        with pytest.raises(ArtifactUnavailable):
            complete_model(client, opened.model_id)
    with client.store.transaction() as tx:
        assert tx.models.get(opened.model_id).status is LoggedModelStatus.PENDING
    assert complete_model(client, opened.model_id).manifest["format"] == "pickle"


def test_nothing_is_told_of_other_files_than_those_it_was_closed_with(
    client: TrackingClient, opened: LoggedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(client.artifact_store)
    read = store.read_bytes

    def meanwhile(self: object, key: str, **more: object) -> bytes:
        add(client, opened, "late.txt", b"late")
        return read(self, key, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "read_bytes", meanwhile)
    ready = complete_model(client, opened.model_id)
    assert ready.status is LoggedModelStatus.READY
    assert ready.manifest == {}


def test_a_damaged_file_is_not_believed(
    client: TrackingClient, opened: LoggedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def corrupt(_: object, key: str, **__: object) -> bytes:
        raise ArtifactCorrupt(key, "a" * 64, "b" * 64)

    monkeypatch.setattr(type(client.artifact_store), "read_bytes", corrupt)
    assert complete_model(client, opened.model_id).manifest == {}
