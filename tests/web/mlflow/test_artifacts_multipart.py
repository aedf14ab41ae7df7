"""Files that clients send in parts to S3, and addresses to read from there."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.exceptions import ArtifactUnavailable
from airflow_mltrack.settings import S3Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_logging import complete_model
from airflow_mltrack.tracking.run_files import find_file, walk_files
from tests.artifacts.conftest import s3_settings
from tests.web.mlflow.artifact_requests import API, files, http, run_id
from tests.web.mlflow.part_uploads import (
    PART,
    Uploading,
    location,
    objects,
    open_uploads,
    run_of,
    tracking,
    uploading,
)

__all__ = ["files", "http", "location", "run_id", "s3_settings", "tracking", "uploading"]


def test_the_stock_client_sends_parts_to_s3(
    mlflow: Any,
    tracking: TrackingClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(PART))
    data = os.urandom(2 * PART + 1_000)
    (tmp_path / "large ü.bin").write_bytes(data)
    (tmp_path / "small.bin").write_bytes(b"small")
    sent: list[str] = []
    send = S3ArtifactStore.complete_multipart

    def noted(
        store: S3ArtifactStore, key: str, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> None:
        sent.append(f"{key} in {len(parts)}")
        send(store, key, upload_id, parts)

    monkeypatch.setattr(S3ArtifactStore, "complete_multipart", noted)
    with caplog.at_level(logging.INFO), mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path), "dir")
    run_id = run.info.run_id
    files = {file.path: file for file in walk_files(tracking, run_id)}
    large = files["dir/large ü.bin"]
    assert sent == [f"{large.key} in 3"]
    assert (large.size, large.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert files["dir/small.bin"].size == 5
    assert open_uploads(tracking) == []
    # werkzeug's lines are those of the S3 server in this process.
    logged = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]
    assert not [line for line in logged if "X-Amz-" in line or "uploadId" in line]
    fetched = mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(tmp_path / "target"))
    assert (Path(fetched) / "dir" / "large ü.bin").read_bytes() == data


def test_a_model_whose_files_come_in_parts_is_loaded(
    mlflow: Any, tracking: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "0")
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]})
    fitted = LogisticRegression().fit(table, [0, 0, 1, 1])
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(fitted, name="model")
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    assert list(loaded.predict(table)) == list(fitted.predict(table))


def test_nothing_is_seen_before_the_upload_is_complete(
    http: httpx.Client, uploading: Uploading, location: str, tracking: TrackingClient
) -> None:
    data = os.urandom(PART + 1)
    upload_id, parts = uploading.send(data)
    assert walk_files(tracking, run_of(location)) == []
    assert objects(tracking) == []
    for _ in range(2):  # a client that has not heard the answer asks again
        answer = uploading.complete(upload_id, list(reversed(parts)))
        assert (answer.status_code, answer.json()) == (200, {})
    found = find_file(tracking, run_of(location), "dir/a.bin")
    assert (found.size, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert objects(tracking) == [found.key]
    place = f"{API}/mlflow-artifacts/artifacts/{location}/dir/a.bin"
    assert http.get(place).content == data


def test_an_upload_is_aborted(uploading: Uploading, tracking: TrackingClient) -> None:
    upload_id, parts = uploading.send(b"a" * 100)
    assert len(open_uploads(tracking)) == 1
    assert uploading.abort(upload_id).json() == {}
    assert open_uploads(tracking) == []
    assert objects(tracking) == []
    assert uploading.complete(upload_id, parts).status_code == 404


def test_aborting_what_is_complete_changes_nothing(
    uploading: Uploading, location: str, tracking: TrackingClient
) -> None:
    upload_id, parts = uploading.send(b"a" * 100)
    assert uploading.complete(upload_id, parts).status_code == 200
    assert uploading.abort(upload_id).status_code == 200
    found = find_file(tracking, run_of(location), "dir/a.bin")
    assert tracking.artifact_store.read_bytes(found.key, sha256=found.sha256) == b"a" * 100


def test_a_file_that_is_sent_again_replaces_the_old_bytes(
    uploading: Uploading, location: str, tracking: TrackingClient
) -> None:
    for data in (b"old" * 10, b"new"):
        assert uploading.complete(*uploading.send(data)).status_code == 200
    found = find_file(tracking, run_of(location), "dir/a.bin")
    assert tracking.artifact_store.read_bytes(found.key) == b"new"
    assert objects(tracking) == [found.key]


def test_an_upload_that_was_cut_off_before_its_row_goes_on(
    uploading: Uploading,
    location: str,
    tracking: TrackingClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload_id, parts = uploading.send(b"a" * 100)

    def away(_store: object, key: str) -> StoredObject:
        raise ArtifactUnavailable(key, "it is away.")

    with monkeypatch.context() as patched:
        patched.setattr(S3ArtifactStore, "measure", away)
        answer = uploading.complete(upload_id, parts)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert walk_files(tracking, run_of(location)) == []
    assert uploading.complete(upload_id, parts).status_code == 200
    assert find_file(tracking, run_of(location), "dir/a.bin").size == 100


def test_two_clients_that_complete_at_once_make_one_file(
    uploading: Uploading, location: str, tracking: TrackingClient
) -> None:
    upload_id, parts = uploading.send(b"a" * 100)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: uploading.complete(upload_id, parts), range(6)))
    assert {answer.status_code for answer in answers} == {200}
    found = find_file(tracking, run_of(location), "dir/a.bin")
    assert objects(tracking) == [found.key]
    assert tracking.artifact_store.read_bytes(found.key, sha256=found.sha256) == b"a" * 100


def test_a_ready_model_takes_no_parts(
    http: httpx.Client, location: str, tracking: TrackingClient
) -> None:
    fields = {"experiment_id": "0", "name": "m", "source_run_id": run_of(location)}
    made = http.post(f"{API}/mlflow/logged-models", json=fields).json()["model"]["info"]
    model = f"0/models/{made['model_id']}/artifacts"
    early, late = Uploading(http, model, "MLmodel"), Uploading(http, model, "late.bin")
    completing, waiting = early.send(b"a: 1"), late.send(b"late")
    assert early.complete(*completing).status_code == 200
    complete_model(tracking, made["model_id"])
    assert early.complete(*completing).status_code == 200  # a replay
    for answer in (late.complete(*waiting), late.post("create", num_parts=1)):
        assert answer.status_code == 400
        assert "the model is READY" in answer.json()["message"]
    assert late.abort(waiting[0]).status_code == 200
    assert [key.rpartition("/")[2] for key in objects(tracking)] == ["MLmodel"]
    assert open_uploads(tracking) == []


def test_a_model_that_becomes_ready_while_the_file_is_read_refuses_it(
    http: httpx.Client,
    location: str,
    tracking: TrackingClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields = {"experiment_id": "0", "name": "m", "source_run_id": run_of(location)}
    made = http.post(f"{API}/mlflow/logged-models", json=fields).json()["model"]["info"]
    uploading = Uploading(http, f"0/models/{made['model_id']}/artifacts", "late.bin")
    upload_id, parts = uploading.send(b"late")
    measure = S3ArtifactStore.measure

    def slow(store: S3ArtifactStore, key: str) -> StoredObject:
        complete_model(tracking, made["model_id"])
        return measure(store, key)

    monkeypatch.setattr(S3ArtifactStore, "measure", slow)
    answer = uploading.complete(upload_id, parts)
    assert answer.status_code == 400
    assert "READY" in answer.json()["message"]
    assert objects(tracking) == []


def test_a_file_is_read_at_an_address_of_s3(
    mlflow: Any, tracking: TrackingClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", "100000")
    source = tmp_path / "source"
    source.mkdir()
    data = os.urandom(250_001)
    (source / "large ü.bin").write_bytes(data)
    (source / "empty").write_bytes(b"")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(source))
    opened: list[str] = []
    read = S3ArtifactStore.open

    def noted(store: S3ArtifactStore, key: str, *, sha256: str | None = None) -> BinaryIO:
        opened.append(key)
        return read(store, key, sha256=sha256)

    monkeypatch.setattr(S3ArtifactStore, "open", noted)
    fetched = Path(
        mlflow.artifacts.download_artifacts(
            run_id=run.info.run_id, dst_path=str(tmp_path / "target")
        )
    )
    assert (fetched / "large ü.bin").read_bytes() == data
    assert (fetched / "empty").read_bytes() == b""
    assert opened == []  # not through the server


def test_the_address_of_a_file_ends(
    http: httpx.Client, location: str, s3_settings: S3Settings
) -> None:
    http.put(f"{API}/mlflow-artifacts/artifacts/{location}/dir/a.txt", content=b"hello")
    found = http.get(f"{API}/mlflow-artifacts/presigned/{location}/dir/a.txt").json()
    by_run = {"run_id": run_of(location), "path": "dir/a.txt", "presigned": "true"}
    for answer in (found, http.get("/get-artifact", params=by_run).json()):
        assert (answer["headers"], answer["file_size"]) == ({}, 5)
        query = parse_qs(urlsplit(answer["url"]).query)
        assert 0 < int(query["X-Amz-Expires"][0]) <= 300
        assert s3_settings.secret_access_key not in answer["url"]
        ranged = httpx.get(answer["url"], headers={"Range": "bytes=1-2"})
        assert (ranged.status_code, ranged.content) == (206, b"el")
    assert http.get(f"{API}/mlflow-artifacts/presigned/{location}/dir").status_code == 404


def test_a_plugin_chooses_how_long_an_address_lives(http: httpx.Client, location: str) -> None:
    http.put(f"{API}/mlflow-artifacts/artifacts/{location}/dir/a.txt", content=b"hello")
    path = f"{API}/mlflow/artifacts/presigned-download-url"
    body = {"run_id": run_of(location), "path": "dir/a.txt", "expiration": "60"}
    found = http.post(path, json=body).json()
    assert (found["headers"], found["file_size"]) == ({}, 5)
    assert parse_qs(urlsplit(found["presigned_url"]).query)["X-Amz-Expires"] == ["60"]
    assert httpx.get(found["presigned_url"]).content == b"hello"
    for wrong, status in (
        ({"expiration": 0}, 400),
        ({"expiration": 604_801}, 400),
        ({"path": "../a"}, 400),
        ({"path": "dir/none"}, 404),
        ({"run_id": "nothing"}, 404),
    ):
        assert http.post(path, json=body | wrong).status_code == status, wrong


def test_nobody_uploads_past_the_digest(http: httpx.Client, location: str) -> None:
    body = {"run_id": run_of(location), "path": "a.txt"}
    answer = http.post(f"{API}/mlflow/artifacts/presigned-upload-url", json=body)
    assert answer.status_code == 400
    assert "mpu/create" in answer.json()["message"]


def test_a_file_that_is_being_read_for_its_digest_keeps_nobody_waiting(
    http: httpx.Client, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, measure = threading.Event(), S3ArtifactStore.measure

    def slow(store: S3ArtifactStore, key: str) -> StoredObject:
        release.wait(60)
        return measure(store, key)

    monkeypatch.setattr(S3ArtifactStore, "measure", slow)
    with ThreadPoolExecutor(50) as pool:
        uploads = [Uploading(http, location, f"{number}.bin") for number in range(50)]
        begun = [uploading.send(b"a") for uploading in uploads]
        waiting = [
            pool.submit(uploading.complete, *sent)
            for uploading, sent in zip(uploads, begun, strict=True)
        ]
        try:
            run = {"run_id": run_of(location)}
            assert http.get(f"{API}/mlflow/runs/get", params=run, timeout=20).is_success
        finally:
            release.set()
        assert {answer.result().status_code for answer in waiting} == {200}
