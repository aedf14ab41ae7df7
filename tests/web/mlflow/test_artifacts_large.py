"""Large files, full disks and stores that are away, with a server in a process of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.settings import S3Settings, Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.artifacts.conftest import BUCKET, s3_settings
from tests.web.mlflow.conftest import waited_for

__all__ = ["s3_settings"]

FILES = "/api/2.0/mlflow-artifacts/artifacts"
MIB = 1024 * 1024
SERVER = """
import resource, sys
from fastapi import FastAPI
import uvicorn
from airflow_mltrack.settings import environment_settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.announcing import to_nobody
from airflow_mltrack.web.mlflow.mounting import mount_mlflow
from airflow_mltrack.web.standalone import OpenAccess

app, client = FastAPI(), TrackingClient(environment_settings(), pool_size=4, patience=1)
mount_mlflow(app, lambda: client, OpenAccess(), to_nobody)

@app.get("/peak")
def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

@app.get("/limit")
def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_level="info")
"""
ServeProcess = Callable[..., httpx.Client]


@pytest.fixture
def serve_process(settings: Settings, tmp_path: Path) -> Iterator[ServeProcess]:
    """Give a function that starts a server on an artifact store and gives an HTTP client of it."""
    opened: list[Any] = []

    def start(artifact_uri: str = settings.artifact_uri, **environment: str) -> httpx.Client:
        port = free_port()
        known = {
            **os.environ,
            "MLTRACK_DATABASE_URL": settings.database_url,
            "MLTRACK_ARTIFACT_URI": artifact_uri,
            **environment,
        }
        log = (tmp_path / "server.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port)], env=known, stdout=log, stderr=log
        )
        url = f"http://127.0.0.1:{port}"
        http = httpx.Client(base_url=url, headers={"x-mltrack": "1"}, timeout=300)
        opened.extend((process, log, http))

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            try:
                return http.get("/health").is_success
            except httpx.ConnectError:
                return False

        waited_for(answers, seconds=60)
        return http

    yield start
    for thing in reversed(opened):
        if isinstance(thing, subprocess.Popen):
            thing.kill()
            thing.wait()
        else:
            thing.close()


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def environment_of(s3: S3Settings) -> dict[str, str]:
    return {
        "MLTRACK_S3_ENDPOINT_URL": s3.endpoint_url or "",
        "MLTRACK_S3_REGION": s3.region or "",
        "MLTRACK_S3_ACCESS_KEY_ID": s3.access_key_id or "",
        "MLTRACK_S3_SECRET_ACCESS_KEY": s3.secret_access_key or "",
        "MLTRACK_S3_PATH_STYLE": "true",
    }


def new_files(http: httpx.Client) -> str:
    made = http.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()
    return f"{FILES}/0/{made['run']['info']['run_id']}/artifacts"


def send_and_fetch(http: httpx.Client, place: str, size: int, *, chunked: bool) -> None:
    """Send a file of ``size`` MiB and read it again, keeping none of it."""
    block = os.urandom(MIB)
    sent, got = hashlib.sha256(), hashlib.sha256()

    def body() -> Iterator[bytes]:
        for _ in range(size):
            sent.update(block)
            yield block

    headers = {} if chunked else {"content-length": str(size * MIB)}
    assert http.put(place, content=body(), headers=headers).status_code == 200
    with http.stream("GET", place) as answer:
        assert answer.headers["content-length"] == str(size * MIB)
        for part in answer.iter_bytes():
            got.update(part)
    assert got.digest() == sent.digest()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_file_passes_through_little_memory(
    serve_process: ServeProcess, chunked: bool
) -> None:
    http = serve_process()
    files = new_files(http)
    send_and_fetch(http, f"{files}/small", 1, chunked=chunked)
    before = http.get("/peak").json()
    send_and_fetch(http, f"{files}/large", 300, chunked=chunked)
    assert http.get("/peak").json() - before < 40 * MIB


def test_a_large_file_for_s3_passes_through_little_memory(
    serve_process: ServeProcess, s3_settings: S3Settings
) -> None:
    http = serve_process(f"s3://{BUCKET}/large", **environment_of(s3_settings))
    files = new_files(http)
    send_and_fetch(http, f"{files}/small", 12, chunked=False)
    before = http.get("/peak").json()
    send_and_fetch(http, f"{files}/large", 150, chunked=False)
    assert http.get("/peak").json() - before < 60 * MIB
    http.delete(files)


def test_a_disk_that_fills_up_is_a_clean_error(
    serve_process: ServeProcess, tracking: TrackingClient
) -> None:
    http = serve_process()
    files = new_files(http)
    assert http.put(f"{files}/small", content=b"a").status_code == 200
    http.get("/limit", params={"size": 2 * MIB})
    answer = http.put(f"{files}/large", content=bytes(5 * MIB))
    assert answer.status_code == 503
    assert answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert tracking.settings.artifact_uri not in answer.text
    assert http.get(f"{files}/large").status_code == 404
    assert len(list(tracking.artifact_store.list())) == 1
    assert http.get(f"{files}/small").content == b"a"
    assert http.put(f"{files}/fits", content=bytes(MIB)).status_code == 200


def test_s3_that_is_away_is_a_clean_error(
    serve_process: ServeProcess, s3_settings: S3Settings, tmp_path: Path
) -> None:
    away = {
        **environment_of(s3_settings),
        "MLTRACK_S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
    }
    http = serve_process(f"s3://{BUCKET}/away", **away)
    files = new_files(http)
    location = files.removeprefix(f"{FILES}/")
    for answer in (
        http.put(f"{files}/small", content=b"a"),
        http.put(f"{files}/large", content=bytes(12 * MIB)),
        http.post(f"/api/2.0/mlflow-artifacts/mpu/create/{location}", json={"path": "a"}),
    ):
        assert answer.status_code == 503, answer.text
        assert answer.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert BUCKET not in answer.text
        assert "127.0.0.1" not in answer.text
    assert http.get(FILES, params={"path": location}).json() == {"files": []}
    log = (tmp_path / "server.log").read_text()
    assert "cannot be reached" in log
    assert str(s3_settings.secret_access_key) not in log


def test_parts_go_past_the_server(
    serve_process: ServeProcess, s3_settings: S3Settings, tmp_path: Path
) -> None:
    """The stock client sends them to S3; the server reads the file once, in little memory."""
    http = serve_process(f"s3://{BUCKET}/parts", **environment_of(s3_settings))
    file = tmp_path / "model.bin"
    data = os.urandom(MIB) * 64
    file.write_bytes(data)
    before = http.get("/peak").json()
    script = (
        "import mlflow, sys\n"
        "with mlflow.start_run() as run:\n"
        "    mlflow.log_artifact(sys.argv[1], 'dir')\n"
        "print(run.info.run_id)\n"
    )
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": str(http.base_url),
        "MLFLOW_TRACKING_TOKEN": "local",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000",
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(8 * MIB),
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.split()[-1]
    assert http.get("/peak").json() - before < 30 * MIB
    log = (tmp_path / "server.log").read_text()
    assert "POST /api/2.0/mlflow-artifacts/mpu/complete/" in log
    assert "PUT /api/2.0/mlflow-artifacts" not in log
    assert "X-Amz-Signature" not in log
    assert http.get(f"{FILES}/0/{run_id}/artifacts/dir/model.bin").content == data
    store = S3ArtifactStore(f"s3://{BUCKET}/parts", s3_settings)
    assert len(list(store.list())) == 1
