"""A download in ranges survives connections that break, and nothing else that is wrong."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from airflow_mltrack.artifacts import s3_download
from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.exceptions import ArtifactError, ArtifactUnavailable
from airflow_mltrack.settings import S3Settings

DATA = os.urandom(1_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = '"an-etag"'


class Server(BaseHTTPRequestHandler):
    """Serves ``DATA``; its class attributes say how badly."""

    protocol_version = "HTTP/1.1"
    ranges = True
    shift = 0
    """Bytes by which ranges after the first are wrong."""
    breaks = 0
    """How many of the answers end after 1,000 bytes."""
    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.seen.append((wanted, self.headers["If-Match"]))
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", wanted or "")
        start, end = (int(found[1]), int(found[2])) if found and self.ranges else (0, len(DATA))
        start += self.shift if start else 0
        data = DATA[start : end + 1]
        self.send_response(206 if self.ranges else 200)
        self.send_header("ETag", ETAG)
        self.send_header("Content-Length", str(len(data)))
        if self.ranges:
            last = start + len(data) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(DATA)}")
        self.end_headers()
        if type(self).breaks > 0:
            type(self).breaks -= 1
            self.wfile.write(data[:1_000])
            self.close_connection = True
        else:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


Serving = Callable[..., tuple[S3ArtifactStore, type[Server]]]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """Make a store whose server behaves as told, with ranges of 300,000 bytes."""
    monkeypatch.setattr(s3_download, "RANGE_BYTES", 300_000)
    servers: list[ThreadingHTTPServer] = []

    def start(**behaviour: object) -> tuple[S3ArtifactStore, type[Server]]:
        handler = type("Told", (Server,), {"seen": [], **behaviour})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        settings = S3Settings(
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region="us-east-1",
            access_key_id="an-access-key",
            secret_access_key="a-secret-key",
            path_style=True,
        )
        return S3ArtifactStore("s3://a-bucket", settings), handler

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_range_is_asked_for_once_and_of_one_version(serving: Serving, tmp_path: Path) -> None:
    store, server = serving()
    assert store.download("x", tmp_path / "x", sha256=SHA256).read_bytes() == DATA
    assert sorted(server.seen, key=str) == [
        ("bytes=0-299999", None),
        ("bytes=300000-599999", ETAG),
        ("bytes=600000-899999", ETAG),
        ("bytes=900000-999999", ETAG),
    ]


def test_a_connection_that_breaks_is_resumed_where_it_broke(
    serving: Serving, tmp_path: Path
) -> None:
    store, server = serving(breaks=3)
    assert store.download("x", tmp_path / "x", sha256=SHA256).read_bytes() == DATA
    assert len(server.seen) == 7
    assert any(wanted.split("=")[1].split("-")[0].endswith("1000") for wanted, _ in server.seen[1:])


def test_connections_that_always_break_end_in_an_error(serving: Serving, tmp_path: Path) -> None:
    store, _ = serving(breaks=1_000)
    with pytest.raises(ArtifactUnavailable):
        store.download("x", tmp_path / "x", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_ranges_is_read_in_one_piece(serving: Serving, tmp_path: Path) -> None:
    store, server = serving(ranges=False)
    assert store.download("x", tmp_path / "x", sha256=SHA256).read_bytes() == DATA
    assert len(server.seen) == 1


def test_other_bytes_than_asked_for_are_refused(serving: Serving, tmp_path: Path) -> None:
    store, _ = serving(shift=10)
    with pytest.raises(ArtifactError, match="other bytes than it was asked"):
        store.download("x", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
