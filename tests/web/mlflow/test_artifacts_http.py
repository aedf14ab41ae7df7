"""Files over plain HTTP: what R, Java, browsers and broken clients send."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_logging import complete_model
from airflow_mltrack.web.mlflow import bodies
from tests.web.mlflow.artifact_requests import (
    API,
    FILES,
    call,
    files,
    http,
    model_id_of,
    model_of,
    run_id,
)
from tests.web.mlflow.conftest import waited_for

__all__ = ["files", "http", "run_id"]


def test_a_download_names_the_file_and_its_size_and_runs_nothing(
    http: httpx.Client, files: str
) -> None:
    assert http.put(f"{files}/pages/größe 1.html", content=b"<script>").json() == {}
    answer = http.get(f"{files}/pages/größe 1.html")
    assert answer.content == b"<script>"
    assert answer.headers["content-length"] == "8"
    named = "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.html"
    assert answer.headers["content-disposition"] == named
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")


def test_a_file_is_not_compressed_by_the_app_around_it(tracking: TrackingClient) -> None:
    from fastapi import FastAPI
    from fastapi.middleware.gzip import GZipMiddleware

    from airflow_mltrack.web.announcing import to_nobody
    from airflow_mltrack.web.mlflow.mounting import mount_mlflow
    from airflow_mltrack.web.standalone import OpenAccess
    from tests.web.mlflow.conftest import serving

    host, mounted = FastAPI(), FastAPI()
    host.add_middleware(GZipMiddleware, minimum_size=1024)
    mount_mlflow(mounted, lambda: tracking, OpenAccess(), to_nobody)
    host.mount("/mltrack", mounted)
    with (
        serving(host) as url,
        httpx.Client(base_url=f"{url}/mltrack", headers={"x-mltrack": "1"}) as http,
    ):
        run_id = call(http, "runs/create", experiment_id="0")["run"]["info"]["run_id"]
        file = f"{FILES}/0/{run_id}/artifacts/a.bin"
        assert http.put(file, content=bytes(100_000)).status_code == 200
        answer = http.get(file, headers={"accept-encoding": "gzip"})
        assert answer.headers["content-length"] == "100000"
        assert answer.content == bytes(100_000)


def test_a_body_without_a_length_is_taken(
    http: httpx.Client, files: str, tracking: TrackingClient
) -> None:
    for name, parts in (("empty", []), ("parts", [b"ab", b"", b"cd"])):
        answer = http.put(f"{files}/{name}", content=iter(parts))
        assert "content-length" not in answer.request.headers
        assert answer.status_code == 200
        assert http.get(f"{files}/{name}").content == b"".join(parts)


@pytest.mark.parametrize("path", ["", "/"])
def test_a_file_needs_a_name(http: httpx.Client, files: str, path: str) -> None:
    answer = http.put(f"{files}{path}", content=b"a")
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_a_path_that_is_too_long_with_its_owners_is_refused(http: httpx.Client, files: str) -> None:
    longest = "/".join(["x" * 200] * 5)
    answer = http.put(f"{files}/{longest}", content=b"a")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Invalid path: it is longer than 1024 bytes."


def test_what_is_not_there_is_404(http: httpx.Client, files: str, run_id: str) -> None:
    http.put(f"{files}/dir/a", content=b"a")
    for path in (f"{files}/b", f"{files}/dir", f"{FILES}/0/{'0' * 32}/artifacts/a", f"{FILES}/0"):
        answer = http.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (
            404,
            "RESOURCE_DOES_NOT_EXIST",
        )
    assert http.get(f"{FILES}/7/{run_id}/artifacts/dir/a").status_code == 404
    assert http.put(f"{FILES}/7/{run_id}/artifacts/a", content=b"a").status_code == 404
    assert http.delete(f"{files}/b").json() == {}


def test_a_ready_model_never_changes(
    http: httpx.Client, run_id: str, tracking: TrackingClient
) -> None:
    files = model_of(http, run_id)
    assert http.put(f"{files}/MLmodel", content=b"a: 1").status_code == 200
    assert http.put(f"{files}/extra", content=b"1").status_code == 200
    assert http.delete(f"{files}/extra").status_code == 200
    complete_model(tracking, model_id_of(files))
    before = list(tracking.artifact_store.list())
    for answer in (
        http.put(f"{files}/MLmodel", content=b"a: 2"),
        http.put(f"{files}/large", content=os.urandom(30_000_000)),
        http.put(f"{files}/new", content=b""),
        http.delete(f"{files}/MLmodel"),
        http.delete(files),
    ):
        assert answer.status_code == 400, answer.text
        assert "the model is READY, and a package never changes" in answer.json()["message"]
    assert http.get(f"{files}/MLmodel").content == b"a: 1"
    assert list(tracking.artifact_store.list()) == before


def test_a_file_that_is_still_coming_when_its_model_is_closed_is_refused(
    http: httpx.Client, run_id: str, tracking: TrackingClient
) -> None:
    files = model_of(http, run_id)
    http.put(f"{files}/MLmodel", content=b"a: 1")
    before = list(tracking.artifact_store.list())

    def body() -> Iterator[bytes]:
        yield bytes(2_000_000)
        waited_for(lambda: incoming(tracking))
        complete_model(tracking, model_id_of(files))
        yield b"the end"

    answer = http.put(f"{files}/late", content=body())
    assert answer.status_code == 400
    assert "READY" in answer.json()["message"]
    assert list(tracking.artifact_store.list()) == before
    assert http.get(f"{files}/late").status_code == 404


def test_closing_a_model_waits_for_a_file_that_is_being_recorded(
    http: httpx.Client, run_id: str, tracking: TrackingClient
) -> None:
    files = model_of(http, run_id)
    http.put(f"{files}/MLmodel", content=b"a: 1")
    model_id = model_id_of(files)

    def waits() -> bool:
        with tracking.store.transaction() as tx:
            blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return bool(tx.connection.exec_driver_sql(blocked).scalar())

    with ThreadPoolExecutor(1) as pool:
        with tracking.store.transaction() as tx:
            tx.models.hold(model_id)
            stored = tracking.artifact_store.put_bytes("late", b"late")
            tx.artifacts.record(path="late", stored=stored, model_id=model_id)
            closing = pool.submit(complete_model, tracking, model_id)
            waited_for(waits)
        assert closing.result(20).size == len(b"a: 1late")


def test_files_of_a_deleted_run_do_not_change(http: httpx.Client, files: str, run_id: str) -> None:
    http.put(f"{files}/a", content=b"a")
    call(http, "runs/delete", run_id=run_id)
    for answer in (http.put(f"{files}/a", content=b"b"), http.delete(f"{files}/a")):
        assert answer.status_code == 400
        assert "the run was deleted" in answer.json()["message"]
    assert http.get(f"{files}/a").content == b"a"


def incoming(tracking: TrackingClient) -> list[Path]:
    """Return the files that grow in the local artifact store."""
    directory = Path(urlsplit(tracking.artifact_store.uri).path, ".incoming")
    return list(directory.glob("*")) if directory.exists() else []


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1_000, 3_000_000])
def test_a_client_that_goes_away_leaves_neither_row_nor_bytes(
    http: httpx.Client,
    files: str,
    tracking: TrackingClient,
    caplog: pytest.LogCaptureFixture,
    size: int,
    chunked: bool,
) -> None:
    place = urlsplit(str(http.base_url))
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size + 10}"
    body = b"%x\r\n%b\r\n" % (size, bytes(size)) if chunked else bytes(size)
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        head = f"PUT {place.path.rstrip('/')}{files}/half HTTP/1.1\r\nHost: x\r\nX-MLTrack: 1\r\n"
        connection.sendall(f"{head}{framing}\r\n\r\n".encode() + body)
        if size > 2_000_000:
            waited_for(lambda: incoming(tracking))
    waited_for(lambda: not incoming(tracking))
    assert http.get(f"{files}/half").status_code == 404
    assert list(tracking.artifact_store.list()) == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("size", [100, 5_000_000])
def test_changed_bytes_never_arrive_whole(
    http: httpx.Client, files: str, tracking: TrackingClient, size: int
) -> None:
    http.put(f"{files}/a.bin", content=bytes(size))
    [stored] = tracking.artifact_store.list()
    file = Path(urlsplit(tracking.artifact_store.uri).path, stored.key)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    got = bytearray()

    def fetch() -> None:
        with http.stream("GET", f"{files}/a.bin") as answer:
            for part in answer.iter_bytes():
                got.extend(part)

    with pytest.raises(httpx.RemoteProtocolError):
        fetch()
    assert len(got) < size


def test_bytes_that_are_gone_are_named_without_their_place(
    http: httpx.Client, files: str, tracking: TrackingClient
) -> None:
    http.put(f"{files}/a.bin", content=b"a")
    [stored] = tracking.artifact_store.list()
    tracking.artifact_store.delete(stored.key)
    answer = http.get(f"{files}/a.bin")
    assert answer.status_code == 404
    assert "a.bin" in answer.json()["message"]
    assert stored.key not in answer.text
    assert urlsplit(tracking.artifact_store.uri).path not in answer.text


def test_files_are_listed_by_run_and_by_model(http: httpx.Client, files: str, run_id: str) -> None:
    http.put(f"{files}/dir/a.txt", content=b"four")
    model = model_of(http, run_id)
    http.put(f"{model}/data/b.txt", content=b"five5")
    listed = http.get(f"{API}/mlflow/artifacts/list", params={"run_uuid": run_id, "path": "dir"})
    assert listed.json() == {
        "root_uri": f"mlflow-artifacts:/0/{run_id}/artifacts",
        "files": [{"path": "dir/a.txt", "is_dir": False, "file_size": 4}],
    }
    model_id = model_id_of(model)
    listed = http.get(f"{API}/mlflow/logged-models/{model_id}/artifacts/directories")
    assert listed.json()["files"] == [{"path": "data", "is_dir": True}]


def test_single_files_are_sent_by_run_model_and_version(
    http: httpx.Client, files: str, run_id: str, tracking: TrackingClient
) -> None:
    http.put(f"{files}/dir/a b.txt", content=b"of the run")
    model = model_of(http, run_id)
    http.put(f"{model}/MLmodel", content=b"of: the model")
    model_id = model_id_of(model)
    complete_model(tracking, model_id)
    register_model(tracking, "credit", f"models:/{model_id}", actor="ada")
    for name in ("run_id", "run_uuid"):
        answer = http.get("/get-artifact", params={name: run_id, "path": "dir/a b.txt"})
        assert answer.content == b"of the run"
        assert "attachment" in answer.headers["content-disposition"]
    of_model = f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"
    assert http.get(of_model, params={"artifact_file_path": "MLmodel"}).text == "of: the model"
    version = {"name": "credit", "version": "1", "path": "MLmodel"}
    assert http.get("/model-versions/get-artifact", params=version).text == "of: the model"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/get-artifact", "path=a", 400),
        ("/get-artifact", "run_id=RUN", 400),
        ("/get-artifact", "run_id=RUN&path=", 400),
        ("/get-artifact", "run_id=RUN&path=/", 400),
        ("/get-artifact", "run_id=RUN&path=../a", 400),
        ("/get-artifact", "run_id=RUN&path=b", 404),
        ("/get-artifact", "run_id=nobody&path=a", 404),
        ("/get-artifact", "run_id=%00&path=a", 400),
        ("/get-artifact", "run_id=RUN&path=a&presigned=true", 501),
        ("/model-versions/get-artifact", "name=m&version=1&path=a", 404),
        ("/model-versions/get-artifact", "name=m&version=x&path=a", 400),
        ("/model-versions/get-artifact", "version=1&path=a", 400),
        ("/ajax-api/2.0/mlflow/logged-models/m-0/artifacts/files", "artifact_file_path=a", 404),
        ("/ajax-api/2.0/mlflow/logged-models/m-0/artifacts/files", "", 400),
    ],
)
def test_a_single_file_that_is_asked_for_wrongly_is_refused(
    http: httpx.Client, files: str, run_id: str, path: str, query: str, status: int
) -> None:
    http.put(f"{files}/a", content=b"a")
    answer = http.get(f"{path}?{query.replace('RUN', run_id)}")
    assert (answer.status_code, bool(answer.json()["error_code"])) == (status, True)


def test_a_small_file_is_uploaded_by_run(http: httpx.Client, run_id: str, files: str) -> None:
    place = "/ajax-api/2.0/mlflow/upload-artifact"
    chosen = {"run_uuid": run_id, "path": "dir/a.txt"}
    assert http.post(place, params=chosen, content=b"hello").status_code == 200
    assert http.get(f"{files}/dir/a.txt").content == b"hello"
    for params, content in (
        ({"run_uuid": run_id}, b"a"),
        ({"path": "a"}, b"a"),
        ({"run_uuid": run_id, "path": "../a"}, b"a"),
        (chosen, b""),
        (chosen, bytes(10 * 1024 * 1024 + 1)),
    ):
        assert http.post(place, params=params, content=content).status_code == 400
    assert http.get(f"{files}/dir/a.txt").content == b"hello"


def test_many_slow_uploads_keep_nobody_else_waiting(
    http: httpx.Client, files: str, tracking: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them, large and small ones, than there are threads of any kind."""
    monkeypatch.setattr(bodies, "TRANSFERS", 4)
    place = urlsplit(str(http.base_url))
    slow = []
    for number in range(100):
        connection = socket.create_connection((place.hostname or "", place.port or 0))
        head = f"PUT {place.path.rstrip('/')}{files}/{number} HTTP/1.1\r\nHost: x\r\nX-MLTrack: 1"
        connection.sendall(f"{head}\r\nContent-Length: 3000000\r\n\r\n".encode())
        connection.sendall(bytes(1_200_000 if number % 2 else 1_000))
        slow.append(connection)
    try:
        waited_for(lambda: len(incoming(tracking)) == 4)
        assert http.put(f"{files}/quick", content=b"a", timeout=20).status_code == 200
        assert http.get(f"{files}/quick", timeout=20).content == b"a"
        assert len(incoming(tracking)) == 4
    finally:
        for connection in slow:
            connection.close()
    waited_for(lambda: not incoming(tracking))


def test_a_client_that_falls_silent_is_given_up(
    http: httpx.Client, files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SILENCE_SECONDS", 0.2)
    place = urlsplit(str(http.base_url))
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        head = f"PUT {place.path.rstrip('/')}{files}/a HTTP/1.1\r\nHost: x\r\nX-MLTrack: 1"
        connection.sendall(f"{head}\r\nContent-Length: 5\r\n\r\na".encode())
        connection.settimeout(20)
        assert b"HTTP/1.1 400" in connection.recv(1_000)
    assert http.get(f"{files}/a").status_code == 404
