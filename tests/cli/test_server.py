"""``mltrack server`` in a process of its own, used by the stock client."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.tokens import create_token
from tests.cli.conftest import CommandLine

stock = pytest.mark.filterwarnings("ignore", "error::Warning:airflow_mltrack")
"""The stock client warns about itself; a warning about our code stays an error."""


@dataclass
class Running:
    """A server."""

    uri: str
    process: subprocess.Popen[str]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it; return its exit code and what it has said since."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


@contextmanager
def running(settings: Settings, *words: str) -> Iterator[Running]:
    """Run ``mltrack server`` on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "airflow_mltrack.cli.main", "server", "--port", "0", *words],
        env={
            **os.environ,
            "MLTRACK_DATABASE_URL": settings.database_url,
            "MLTRACK_ARTIFACT_URI": settings.artifact_uri,
            "LOGNAME": "grace",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        found = re.fullmatch(r"Tracking URI: (http://\S+)  \(Ctrl-C stops it\)\n", first)
        assert found, first + process.stderr.read()
        yield Running(found[1], process)
    finally:
        process.kill()
        process.communicate()


def log_a_run(uri: str, monkeypatch: pytest.MonkeyPatch, **login: str) -> str:
    """Log a run with the stock client and read it again; return its id."""
    for name, value in {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", **login}.items():
        monkeypatch.setenv(name, value)
    import mlflow

    mlflow.set_tracking_uri(uri)
    try:
        mlflow.set_experiment("credit")
        with mlflow.start_run() as run:
            mlflow.log_metric("auc", 0.7)
            mlflow.log_text("words", "note.txt")
        client: Any = mlflow.MlflowClient()
        run_id = str(run.info.run_id)
        assert client.get_run(run_id).data.metrics == {"auc": 0.7}
        assert [file.path for file in client.list_artifacts(run_id)] == ["note.txt"]
    finally:
        mlflow.set_tracking_uri(None)
    return run_id


@stock
def test_stock_client_logs_without_a_login_on_loopback(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(settings) as server:
        for uri in (server.uri, f"{server.uri}/mltrack"):
            run_id = log_a_run(uri, monkeypatch)
            with TrackingClient(settings) as client, client.store.transaction() as tx:
                assert tx.runs.get(run_id).name
            page = httpx.get(f"{uri}/runs/{run_id}")
            assert page.status_code == 200, server.stop()


@stock
def test_stock_client_logs_with_a_token_in_either_place(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = create_token(tmp_path / "tokens", "ada", "user")
    viewer = create_token(tmp_path / "tokens", "vera", "viewer")
    with running(settings, "--tokens", str(tmp_path / "tokens")) as server:
        log_a_run(server.uri, monkeypatch, MLFLOW_TRACKING_TOKEN=token)
        monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
        login = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": token}
        log_a_run(server.uri, monkeypatch, **login)
        for name in login:
            monkeypatch.delenv(name)
        from mlflow.exceptions import MlflowException

        with pytest.raises(MlflowException, match="Send a token"):
            log_a_run(server.uri, monkeypatch)
        with pytest.raises(MlflowException, match="vera is a viewer"):
            log_a_run(server.uri, monkeypatch, MLFLOW_TRACKING_TOKEN=viewer)
        code, said = server.stop()
    assert (code, said) == (0, "SIGTERM: the server is stopped.\n")  # and no secret


def test_ctrl_c_stops_it(settings: Settings) -> None:
    with running(settings, "--host", "::1") as server:
        assert server.uri.startswith("http://[::1]:")
        with httpx.Client(base_url=server.uri) as waiting:  # keeps its connection open
            assert waiting.get("/health").text == "OK"
            assert server.stop(signal.SIGINT) == (0, "SIGINT: the server is stopped.\n")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org"])  # noqa: S104 - it is refused
def test_nothing_is_served_to_a_network_without_tokens(mltrack: CommandLine, host: str) -> None:
    done = mltrack("server", "--host", host)

    assert done.code == ExitCode.INVALID_INPUT
    assert f"host '{host}' is not valid" in done.err
    assert "Add --tokens FILE" in done.err


def test_token_file_that_others_may_write_is_refused(mltrack: CommandLine, tmp_path: Path) -> None:
    create_token(tmp_path / "tokens", "ada", "user")
    (tmp_path / "tokens").chmod(0o666)

    done = mltrack("server", "--tokens", str(tmp_path / "tokens"))

    assert done.code == ExitCode.INVALID_INPUT
    assert "chmod go-w" in done.err


def test_missing_token_file_is_not_taken_for_none(mltrack: CommandLine, tmp_path: Path) -> None:
    done = mltrack("server", "--host", "::", "--tokens", str(tmp_path / "gone"))

    assert done.code == ExitCode.NOT_FOUND
    assert "mltrack token create" in done.err


def test_port_that_is_taken_is_named(mltrack: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = mltrack("server", "--port", str(port))

    assert done.code == ExitCode.CONFLICT
    assert f"port {str(port)!r}: another program listens on it." in done.err
    assert "--port" in done.err


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_port_that_is_none_is_refused(mltrack: CommandLine, port: str) -> None:
    assert mltrack("server", f"--port={port}").code == ExitCode.INVALID_INPUT


def test_host_that_this_machine_does_not_have_is_named(
    mltrack: CommandLine, tmp_path: Path
) -> None:
    create_token(tmp_path / "tokens", "ada", "user")

    done = mltrack("server", "--host", "192.0.2.1", "--tokens", str(tmp_path / "tokens"))

    assert done.code == ExitCode.INVALID_INPUT
    assert "192.0.2.1:5000" in done.err


def test_database_that_is_away_is_told_before_anybody_calls(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MLTRACK_DATABASE_URL", f"postgresql://u:hidden@127.0.0.1:{port}/x")

    done = mltrack("server", "--port", "0")

    assert done.code == ExitCode.UNAVAILABLE
    assert "hidden" not in done.err
