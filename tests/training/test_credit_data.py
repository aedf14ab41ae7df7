from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.credit_data import (
    COLUMNS,
    FILE_NAME,
    UCI_SHA256,
    canonical_csv,
    fetch_credit_data,
)
from airflow_mltrack.training.dataset import load_dataset

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that serves bytes over real HTTP."""
    servers: list[ThreadingHTTPServer] = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/data.csv"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def archive_csv(data_dir: Path) -> bytes:
    """Give the table as the archive serves it: columns ID, X1 to X23, Y."""
    table = gzip.decompress((data_dir / f"{FILE_NAME}.gz").read_bytes())
    header = ",".join(["ID", *(f"X{number}" for number in range(1, 24)), "Y"])
    return header.encode() + b"\n" + table.partition(b"\n")[2]


@pytest.mark.data
def test_a_download_is_verified_kept_and_not_loaded_again(
    archive_csv: bytes, serve: Serve, tmp_path: Path
) -> None:
    first = fetch_credit_data(tmp_path / "cache", url=serve(archive_csv))
    assert (first.origin, first.synthetic) == ("download", False)
    kept = Path(first.spec.uri)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == UCI_SHA256
    second = fetch_credit_data(tmp_path / "cache", url="http://127.0.0.1:9/")
    assert (second.origin, second.spec) == ("cache", first.spec)
    dataset = load_dataset(second.spec)
    assert dataset.record.digest == UCI_SHA256
    assert (dataset.record.profile["rows"], dataset.record.profile["positives"]) == (30_000, 6_636)
    assert "ID" not in dataset.features.columns


@pytest.mark.data
def test_a_damaged_copy_in_the_cache_is_not_used(
    archive_csv: bytes, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / FILE_NAME).write_text("ID\n1\n")
    assert fetch_credit_data(tmp_path, url=serve(archive_csv)).origin == "download"


@pytest.mark.data
@pytest.mark.parametrize("style", ["floats", "carriage returns", "column order", "real names"])
def test_ways_to_write_the_same_table_are_the_same(archive_csv: bytes, style: str) -> None:
    lines = archive_csv.decode().splitlines()
    if style == "floats":
        lines = [lines[0], *(f"{line}.0" for line in lines[1:])]
    if style == "column order":
        lines = [",".join(reversed(line.split(","))) for line in lines]
    if style == "real names":
        lines[0] = ",".join(COLUMNS)
    end = "\r\n" if style == "carriage returns" else "\n"
    table = canonical_csv(end.join(lines).encode())
    assert hashlib.sha256(table).hexdigest() == UCI_SHA256


@pytest.mark.data
def test_one_changed_cell_is_refused(archive_csv: bytes) -> None:
    with pytest.raises(InvalidInput, match="not the pinned data set"):
        canonical_csv(archive_csv.replace(b"\n1,20000,", b"\n1,20001,"))


@pytest.mark.parametrize("body", [b"<html>please log in</html>", b"", b"ID,X1\n1,2\n", b"\xff\xfe"])
def test_another_answer_is_not_used_and_said(body: bytes, serve: Serve, tmp_path: Path) -> None:
    found = fetch_credit_data(tmp_path, url=serve(body), rows=500)
    assert found.origin == "generated"
    assert "is not used" in found.message
    assert "GENERATED" in found.message
    assert not (tmp_path / FILE_NAME).exists()


def test_an_archive_that_refuses_leads_to_marked_data_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    found = fetch_credit_data(tmp_path, url="http://127.0.0.1:9/data.csv", rows=500, seed=3)
    assert time.monotonic() - start < 5
    assert found.synthetic
    assert "cannot be reached" in found.message
    assert "127.0.0.1:9" in found.message
    assert load_dataset(found.spec).synthetic


def test_an_archive_that_never_answers_is_given_up_within_the_timeout(tmp_path: Path) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/data.csv"
        start = time.monotonic()
        found = fetch_credit_data(tmp_path, url=url, rows=500, timeout=0.5)
    assert time.monotonic() - start < 3
    assert found.origin == "generated"
    assert "cannot be reached" in found.message
