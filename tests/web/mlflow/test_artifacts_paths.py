"""No path reads or writes anything outside of its run or model, however it is written."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.run_files import walk_files
from tests.web.mlflow.artifact_requests import API, FILES, files, http, run_id

__all__ = ["files", "http", "run_id"]

Send = Callable[[str, str], int]


@pytest.fixture
def raw(http: httpx.Client) -> Send:
    """Give a function that sends a request line as it is: clients put paths in order first."""
    place = urlsplit(str(http.base_url))

    def send(method: str, target: str) -> int:
        with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
            connection.settimeout(30)
            head = f"{method} {place.path.rstrip('/')}{target} HTTP/1.1\r\nHost: x\r\n"
            fields = "X-MLTrack: 1\r\nConnection: close\r\nContent-Length: 6\r\n\r\nstolen"
            connection.sendall(f"{head}{fields}".encode("utf-8", "surrogateescape"))
            answer = b""
            while part := connection.recv(65_536):
                answer += part
        assert b"root:" not in answer
        assert b"not for you" not in answer
        return int(answer.split(b" ", 2)[1])

    return send


CLIMBS = [
    "../secret",
    "../../../../../../../../etc/passwd",
    "a/../../secret",
    "..",
    ".",
    "a/./b",
    "/etc/passwd",
    "//etc/passwd",
    "%2e%2e/secret",
    "%2e%2e%2fsecret",
    "..%2fsecret",
    "%2Fetc%2Fpasswd",
    "%252e%252e%252fsecret",
    "%25252e%25252e%25252fsecret",
    "..%5csecret",
    "%2e%2e%5csecret",
    "..\\secret",
    "..%255csecret",
    "C:%5cwindows%5cwin.ini",
    "a%00.txt",
    "%00",
    "a%2500.txt",
    "a%0d%0ab",
    "a%7fb",
    "%c0%ae%c0%ae/secret",
    "%c0%af..%c0%afsecret",
    "%ed%a0%80",
    "%ff",
    "%ef%bc%8e%ef%bc%8e/secret",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8fsecret",
    "%e2%80%a5/secret",
    "..%ef%bc%8fsecret",
    "%ef%bc%85%32e%ef%bc%85%32e/secret",
    "a%23b",
    "x" * 256,
    "/".join(["y" * 200] * 6),
    "/".join("z" * 3_000),
    "%252525252525252525252e",
]


def test_no_path_leaves_the_files_of_its_run(
    raw: Send, files: str, tracking: TrackingClient, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("not for you")
    root = Path(tracking.settings.artifact_uri)
    root.mkdir(parents=True, exist_ok=True)
    (root / "secret").write_text("not for you")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for path in CLIMBS:
        for method, target in requests_for(path, files):
            assert raw(method, target) in (400, 404), (method, target)
    after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert after == before


def requests_for(path: str, files: str) -> Iterator[tuple[str, str]]:
    """Give every request in which a path can stand."""
    run_id, place = files.split("/")[-2], files.removeprefix(f"{FILES}/")
    quoted = quote(path, safe="%/")
    for method in ("GET", "PUT", "DELETE"):
        yield method, f"{files}/{path}"
        yield method, f"{FILES}/{path}"
    yield "GET", f"{FILES}?path={place}/{quoted}"
    yield "GET", f"{API}/mlflow-artifacts/presigned/{place}/{path}"
    yield "GET", f"{API}/mlflow/artifacts/list?run_id={run_id}&path={quoted}"
    yield "GET", f"/get-artifact?run_id={run_id}&path={quoted}"
    yield "PUT", f"{FILES}/0/{path}/artifacts/secret"
    yield "PUT", f"{FILES}/{path}/{run_id}/artifacts/secret"
    yield "POST", f"{API}/mlflow/upload-artifact?run_id={run_id}&path={quoted}"


PIECES = (
    *("..", ".", "/", "//", "%2e", "%2F", "%5c", "\\", "%00", "%25", "%23", "?", "#", ";", "%0a"),
    *("%c0%ae", "%ef%bc%8e", "%ef%bc%8f", "%e2%80%a5", "%ff", "secret", "etc/passwd", "a", "~"),
    *("artifacts", "models", "mlflow-artifacts:", "0", "C:", ".incoming", "experiments"),
)


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(parts=st.lists(st.sampled_from(PIECES), max_size=10))
def test_whatever_is_written_lies_below_its_run(
    raw: Send, files: str, tracking: TrackingClient, tmp_path: Path, parts: list[str]
) -> None:
    (tmp_path / "secret").write_text("not for you")
    path, run_id = "".join(parts), files.split("/")[-2]
    for method, target in (
        ("PUT", f"{files}/{path}"),
        ("PUT", f"{FILES}/{path}"),
        ("GET", f"{files}/{path}"),
        ("GET", f"{FILES}/{path}"),
        ("GET", f"{FILES}?path={files.removeprefix(f'{FILES}/')}/{path}"),
        ("DELETE", f"{FILES}/{path}"),
    ):
        # Found under a name that is no climb, or refused; a # ends what is sent before the name.
        # 307 is the answer of the app around ours to a line end before the last slash.
        assert raw(method, target) in (200, 307, 400, 404), (method, target)
    assert (tmp_path / "secret").read_text() == "not for you"
    stored = {item.key for item in tracking.artifact_store.list()}
    assert stored == {file.key for file in walk_files(tracking, run_id)}
    assert all(f"/{run_id}/" in key for key in stored)
