"""What clients ask the server about itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from airflow_mltrack.settings import S3Settings, Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.announcing import to_nobody
from airflow_mltrack.web.mlflow.mounting import mount_mlflow
from airflow_mltrack.web.standalone import OpenAccess
from tests.artifacts.conftest import BUCKET, s3_settings
from tests.web.conftest import HeaderAccess
from tests.web.mlflow.conftest import serving

__all__ = ["s3_settings"]

GUARDED = [
    ("GET", "/api/3.0/mlflow/server-info"),
    ("GET", "/ajax-api/3.0/mlflow/server-info"),
    ("GET", "/version"),
    ("GET", "/health"),
    ("GET", "/get-artifact?run_id=a&path=a"),
    ("GET", "/model-versions/get-artifact?name=a&version=1&path=a"),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts?path=0/a/artifacts"),
    ("GET", "/api/2.0/mlflow-artifacts/artifacts/0/a/artifacts/a"),
    ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/a/artifacts/a"),
    ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/0/a/artifacts/a"),
    ("GET", "/api/2.0/mlflow-artifacts/presigned/0/a/artifacts/a"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/0/a/artifacts"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/complete/0/a/artifacts"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/abort/0/a/artifacts"),
    ("GET", "/ajax-api/2.0/mlflow/logged-models/m-0/artifacts/files?artifact_file_path=a"),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_id=a&path=a"),
]
PLACES = ("/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info")


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as http:
        yield http


@pytest.mark.parametrize("place", PLACES)
def test_a_local_directory_takes_no_parts(http: httpx.Client, place: str) -> None:
    answer = http.get(place)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() | {"multipart_uploads_enabled": False} == answer.json()
    assert answer.json()["store_type"] == "SqlStore"
    assert answer.json()["artifact_serving_enabled"] is True
    off = ("workspaces_enabled", "artifacts_presigned_only", "multipart_downloads_enabled")
    assert [answer.json()[name] for name in off] == [False, False, False]


def test_s3_takes_parts(settings: Settings, s3_settings: S3Settings) -> None:
    app = FastAPI()
    in_s3 = replace(settings, artifact_uri=f"s3://{BUCKET}/{uuid.uuid4().hex}", s3=s3_settings)
    with TrackingClient(in_s3, pool_size=1) as client:
        mount_mlflow(app, lambda: client, OpenAccess(), to_nobody)
        with serving(app) as url:
            assert httpx.get(url + PLACES[0]).json()["multipart_uploads_enabled"] is True


def test_the_stock_client_understands_the_answer(mlflow: Any, address: str) -> None:
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.server_info import fetch_server_info

    answer = fetch_server_info(get_default_host_creds(address))
    assert answer.status_code == 200
    assert answer.data["multipart_uploads_enabled"] is False


def test_version_and_health_are_text(http: httpx.Client) -> None:
    for place, words in (("/version", "3.17.2"), ("/health", "OK")):
        answer = http.get(place)
        assert (answer.status_code, answer.text) == (200, words)
        assert answer.headers["content-type"].startswith("text/plain")


def test_what_is_not_there_is_said_in_the_protocols_words(http: httpx.Client) -> None:
    for place in ("/api/3.0/mlflow/nothing", "/api/2.0/mlflow/server-info"):
        answer = http.get(place)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_nobody_is_told_without_a_login(tracking: TrackingClient) -> None:
    app = FastAPI()
    mount_mlflow(app, lambda: tracking, HeaderAccess(), to_nobody)
    with serving(app) as url, httpx.Client(base_url=url, headers={"x-mltrack": "1"}) as http:
        for method, place in GUARDED:
            answer = http.request(method, place, content=b"{}")
            assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
            assert http.request(method, place, headers={"x-reader": "ada"}).status_code != 401
