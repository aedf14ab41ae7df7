"""Uploads in parts that are refused, and a store that takes no parts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from boto3.s3.transfer import TransferConfig

from airflow_mltrack.artifacts import s3
from airflow_mltrack.settings import S3Settings, Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.run_files import find_file, walk_files
from tests.artifacts.conftest import BUCKET, s3_settings
from tests.web.mlflow.artifact_requests import API, files, http, run_id
from tests.web.mlflow.conftest import waited_for
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

UNSUPPORTED = "Multipart upload is not supported for the current artifact repository"
FORGED = [
    "",
    "nonsense",
    "0" * 12,
    f"{'0' * 12}-",
    f"{'0' * 12}-nobody",
    f"{'0' * 12}-a/../b?c#d",
    f"{'0' * 12}-\x00",
    f"../../../{'0' * 12}-a",
    f"{'0' * 12}-{'a' * 2000}",
    f"{'g' * 12}-a",
    "ü" * 20,
]


def test_upload_ids_that_were_made_up_lead_to_nothing(
    uploading: Uploading, tracking: TrackingClient
) -> None:
    for step in ("complete", "abort"):
        for forged in FORGED:
            fields = {"upload_id": forged, "parts": [{"part_number": 1, "etag": "a"}]}
            answer = uploading.post(step, **fields)
            assert answer.status_code in (400, 404), (step, forged, answer.text)
            assert BUCKET not in answer.text
    assert objects(tracking) == []


def test_an_upload_belongs_to_its_file_and_its_owner(
    http: httpx.Client, uploading: Uploading, tracking: TrackingClient
) -> None:
    upload_id, parts = uploading.send(b"a" * 100)
    made = http.post(f"{API}/mlflow/runs/create", json={"experiment_id": "0"}).json()
    other = f"0/{made['run']['info']['run_id']}/artifacts/dir"
    for stranger in (
        Uploading(http, other),
        Uploading(http, uploading.location, "b.bin"),
        Uploading(http, f"{uploading.location}/sub"),
    ):
        assert stranger.complete(upload_id, parts).status_code == 404
    assert walk_files(tracking, run_of(other)) == []


WRONG_PARTS: list[Any] = [
    [],
    [{"part_number": 1}],
    [{"etag": "a"}],
    [{"part_number": 0, "etag": "a"}],
    [{"part_number": 7, "etag": '"d41d8cd98f00b204e9800998ecf8427e"'}],
    [{"part_number": 1, "etag": "wrong"}],
    [{"part_number": 1, "etag": ""}],
    [{"part_number": 1, "etag": "<&>"}],
    [{"part_number": 2**63, "etag": "a"}],
    "parts",
    [[]],
]


def test_parts_that_were_not_sent_are_refused(
    uploading: Uploading, tracking: TrackingClient
) -> None:
    upload_id, _ = uploading.send(b"a" * 100)
    for parts in WRONG_PARTS:
        answer = uploading.complete(upload_id, parts)
        assert answer.status_code == 400, (parts, answer.text)
        assert BUCKET not in answer.text
    assert objects(tracking) == []
    assert uploading.abort(upload_id).status_code == 200


def test_a_part_is_given_once(uploading: Uploading) -> None:
    upload_id, parts = uploading.send(b"a" * 100)
    answer = uploading.complete(upload_id, parts * 2)
    assert (answer.status_code, answer.json()["message"]) == (400, "Part 1 is given twice.")


def test_parts_that_are_too_small_are_explained(
    uploading: Uploading, tracking: TrackingClient
) -> None:
    begun = uploading.begin(2)
    parts = [
        {
            "part_number": credential["part_number"],
            "etag": httpx.put(credential["url"], content=b"few").headers["etag"],
        }
        for credential in begun["credentials"]
    ]
    answer = uploading.complete(begun["upload_id"], parts)
    assert answer.status_code == 400
    assert "5 MiB" in answer.json()["message"]


def test_a_file_has_up_to_ten_thousand_parts(
    uploading: Uploading, tracking: TrackingClient
) -> None:
    for number in (0, -1, 10_001, 2**62):
        answer = uploading.post("create", num_parts=number)
        assert answer.status_code == 400
        assert "1 to 10000" in answer.json()["message"]
    assert open_uploads(tracking) == []
    assert len(uploading.begin(10_000)["credentials"]) == 10_000


def test_the_last_name_of_the_clients_path_counts(
    http: httpx.Client, location: str, tracking: TrackingClient
) -> None:
    for path, name in (
        ("a.bin", "a.bin"),
        ("/home/me/b.bin", "b.bin"),
        ("C:\\Users\\me\\c.bin", "c.bin"),
        ("../../d e ü.bin", "d e ü.bin"),
    ):
        uploading = Uploading(http, location, path)
        assert uploading.complete(*uploading.send(b"a")).status_code == 200
        assert find_file(tracking, run_of(location), name).size == 1


def test_a_path_without_a_last_name_is_refused(
    http: httpx.Client, location: str, tracking: TrackingClient
) -> None:
    fields = {"upload_id": f"{'0' * 12}-a", "parts": [{"part_number": 1, "etag": "a"}]}
    names = ("", "/", "dir/", "..", "a/..", "%2e%2e", "a\x00", "a\\..", "\uff0e\uff0e", "a#b")
    for path in names:
        for step in ("create", "complete", "abort"):
            answer = Uploading(http, location, path).post(step, **fields)
            assert answer.status_code == 400, (path, step, answer.text)
    assert open_uploads(tracking) == []


def test_a_path_that_is_too_long_with_its_owners_is_refused(
    http: httpx.Client, location: str
) -> None:
    fields = {"upload_id": f"{'0' * 12}-a", "parts": [{"part_number": 1, "etag": "a"}]}
    for step in ("create", "complete", "abort"):
        place = f"{location}/{'/'.join(['x' * 200] * 5)}"
        answer = Uploading(http, place).post(step, **fields)
        assert answer.status_code == 400, step
        assert "1024 bytes" in answer.json()["message"]
        assert "experiments/" not in answer.text


def test_an_upload_needs_a_run_or_a_model(
    http: httpx.Client, location: str, tracking: TrackingClient
) -> None:
    for place in ("", "0", "../0", "7/{run}/artifacts", "0/nobody/artifacts"):
        uploading = Uploading(http, place.format(run=run_of(location)))
        assert uploading.post("create", num_parts=1).status_code in (400, 404), place
    assert open_uploads(tracking) == []


def test_the_address_of_a_part_ends_and_writes_nothing_else(
    uploading: Uploading, s3_settings: S3Settings, location: str
) -> None:
    [credential] = uploading.begin(1)["credentials"]
    parts = urlsplit(credential["url"])
    query = {name: value[0] for name, value in parse_qs(parts.query).items()}
    assert query["partNumber"] == "1"
    assert "uploadId" in query
    assert 0 < int(query["X-Amz-Expires"]) <= 6 * 3600
    assert f"/{run_of(location)}/" in parts.path
    assert s3_settings.secret_access_key not in credential["url"]


def test_a_client_that_announces_too_much_takes_no_memory(
    http: httpx.Client, files: str, tracking: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    configure = s3._transfer_config

    def noted(size: int) -> TransferConfig:
        config = configure(size)
        sizes.append(config.multipart_chunksize)
        return config

    monkeypatch.setattr(s3, "_transfer_config", noted)
    place = urlsplit(str(http.base_url))
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        head = f"PUT {place.path.rstrip('/')}{files}/a HTTP/1.1\r\nHost: x\r\nX-MLTrack: 1"
        connection.sendall(f"{head}\r\nContent-Length: {10**17}\r\n\r\n".encode())
        connection.sendall(bytes(PART + 1))
        waited_for(lambda: sizes)
    assert sizes == [50_000_000]
    waited_for(lambda: not open_uploads(tracking))
    assert objects(tracking) == []


class TestLocalDirectory:
    """A store that takes no parts."""

    @pytest.fixture
    def tracking(self, settings: Settings) -> Iterator[TrackingClient]:
        with TrackingClient(settings, pool_size=4) as client:
            yield client

    def test_says_so_in_the_words_that_clients_look_for(self, uploading: Uploading) -> None:
        answer = uploading.post("create", num_parts=2)
        assert answer.status_code == 501
        assert answer.json() == {"error_code": "NOT_IMPLEMENTED", "message": UNSUPPORTED}
        forged = f"{'0' * 12}-a"
        assert uploading.complete(forged, [{"part_number": 1, "etag": "a"}]).status_code == 404
        assert uploading.abort(forged).status_code == 404

    def test_takes_the_file_whole_from_a_client_that_wants_to_send_parts(
        self, mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
        monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1")
        (tmp_path / "a.txt").write_text("hello")
        with mlflow.start_run() as run:
            mlflow.log_artifact(str(tmp_path / "a.txt"))
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "hello"
