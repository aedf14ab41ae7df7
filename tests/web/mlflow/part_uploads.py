"""Uploads in parts, step by step, and a backend with its files in S3."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.settings import S3Settings, Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.artifacts.conftest import BUCKET
from tests.web.mlflow.artifact_requests import API, FILES

PART = 5 * 1024 * 1024


@pytest.fixture
def tracking(settings: Settings, s3_settings: S3Settings) -> Iterator[TrackingClient]:
    """Give our own client on the backend that the server has, with its files in S3."""
    uri = f"s3://{BUCKET}/{uuid.uuid4().hex}"
    with TrackingClient(
        replace(settings, artifact_uri=uri, s3=s3_settings), pool_size=4, patience=1
    ) as client:
        yield client


class Uploading:
    """One upload of one file, step by step."""

    def __init__(self, http: httpx.Client, location: str, path: str = "/home/me/a.bin") -> None:
        self.http, self.location, self.path = http, location, path

    def post(self, step: str, **fields: object) -> httpx.Response:
        place = f"{API}/mlflow-artifacts/mpu/{step}/{self.location}"
        return self.http.post(place, json={"path": self.path, **fields})

    def begin(self, parts: int) -> Any:
        answer = self.post("create", num_parts=parts)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, data: bytes) -> tuple[str, list[dict[str, object]]]:
        """Begin, and send all parts; return the id and what completes the upload."""
        pieces = [data[at : at + PART] for at in range(0, len(data), PART)] or [b""]
        begun = self.begin(len(pieces))
        parts = []
        for piece, credential in zip(pieces, begun["credentials"], strict=True):
            answer = httpx.put(credential["url"], content=piece, headers=credential["headers"])
            parts.append(
                {
                    "part_number": credential["part_number"],
                    "etag": answer.headers["etag"],
                    "url": credential["url"],
                }
            )
        return begun["upload_id"], parts

    def complete(self, upload_id: str, parts: list[dict[str, object]]) -> httpx.Response:
        return self.post("complete", upload_id=upload_id, parts=parts)

    def abort(self, upload_id: str) -> httpx.Response:
        return self.post("abort", upload_id=upload_id)


@pytest.fixture
def location(files: str) -> str:
    """Give the place of the run's files, as it stands in addresses of uploads."""
    return files.removeprefix(f"{FILES}/")


@pytest.fixture
def uploading(http: httpx.Client, location: str) -> Uploading:
    return Uploading(http, f"{location}/dir")


def run_of(location: str) -> str:
    return location.split("/")[1]


def open_uploads(tracking: TrackingClient) -> list[str]:
    store = tracking.artifact_store
    assert isinstance(store, S3ArtifactStore)
    found = store._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    return [item["Key"] for item in found if item["Key"].startswith(store._prefix)]


def objects(tracking: TrackingClient) -> list[str]:
    return [stored.key for stored in tracking.artifact_store.list()]
