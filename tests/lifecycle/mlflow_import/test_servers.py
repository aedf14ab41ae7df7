"""Imports over HTTP: from the stock `mlflow server`, and from our own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mltrack.exceptions import DataUnavailable, InvalidInput
from airflow_mltrack.lifecycle.mlflow_import.opening import open_source
from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.standalone import OpenAccess
from tests.conftest import fresh_database
from tests.lifecycle.mlflow_import.conftest import run_import
from tests.lifecycle.mlflow_import.recorded import recorded_models, recorded_runs
from tests.lifecycle.mlflow_import.stock_database import StockDatabase
from tests.web.mlflow.conftest import serving_protocol


@pytest.fixture
def stock_server(stock_database: StockDatabase, tmp_path: Path) -> Iterator[str]:
    """Give the address of a stock server on a copy of the database."""
    shutil.copy(stock_database.file, tmp_path / "served.db")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{tmp_path / 'served.db'}", "--workers", "1"]
    words += ["--artifacts-destination", str(tmp_path / "kept")]
    log = (tmp_path / "server.log").open("w")
    # Its web server starts processes of its own: they are a group that is ended together.
    process = subprocess.Popen(
        words, stdout=log, stderr=log, start_new_session=True, env={**os.environ}
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(process, f"{address}/health")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        log.close()


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _log_to(address: str) -> str:
    """Log a run whose files the server keeps; returns its id."""

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{address}/api/2.0/mlflow{path}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    number = post("/experiments/create", {"name": "served"})["experiment_id"]
    made = post("/runs/create", {"experiment_id": number, "start_time": 5})["run"]["info"]
    place = made["artifact_uri"].removeprefix("mlflow-artifacts:")
    for path in ("top.txt", "deep/er/ä b.txt"):
        url = f"{address}/api/2.0/mlflow-artifacts/artifacts{place}/{path}"
        assert httpx.put(url, content=path.encode()).status_code == 200
    post("/runs/update", {"run_id": made["run_id"], "status": "FINISHED", "end_time": 9})
    return str(made["run_id"])


def test_a_stock_server_gives_what_its_database_gives(
    imported: tuple[TrackingClient, ImportReport], stock_server: str, client: TrackingClient
) -> None:
    served = _log_to(stock_server)
    report = run_import(client, stock_server)
    assert report.problems == []
    assert report.differences == []
    found, expected = recorded_runs(client), recorded_runs(imported[0])
    assert set(found.pop(served)["files"]) == {"top.txt", "deep/er/ä b.txt"}
    assert found == expected
    versions = recorded_models(client, "Credit")
    assert versions == {
        number: version
        for number, version in recorded_models(imported[0], "Credit").items()
        if number in (1, 3, 4)
    }
    again = run_import(client, stock_server)
    assert again.done == {}


def test_our_own_server_is_a_source(
    client: TrackingClient, postgres_url: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_url) as url:
        settings = Settings(
            database_url=url, artifact_uri=str(tmp_path / "a"), spool_dir=str(tmp_path / "s")
        )
        with TrackingClient(settings, pool_size=4) as other:
            with other.start_run("here", experiment="ours") as run:
                for step in range(25_000):
                    run.log_metric("loss", 1 / (1 + step), step)
                run.log_metric("odd", float("inf"))
                run.log_text("words", "notes/a.txt")
            with serving_protocol(other, OpenAccess()) as address:
                report = run_import(client, address)
            assert report.is_whole, report
            assert report.here["points"] == 25_001
            found, expected = recorded_runs(client), recorded_runs(other)
            assert found[run.run_id]["points"] == expected[run.run_id]["points"]
            assert found[run.run_id]["files"] == expected[run.run_id]["files"]


def test_a_server_that_is_not_there_is_named_without_its_password(
    client: TrackingClient, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(DataUnavailable) as caught:
        run_import(client, f"http://ada:hunter2@127.0.0.1:{port}/x?token=hunter3")
    assert f"127.0.0.1:{port}/x" in str(caught.value)
    assert "hunter" not in str(caught.value)
    with pytest.raises(InvalidInput, match="gives its files itself"):
        open_source("http://127.0.0.1:1", artifacts_from=tmp_path)
