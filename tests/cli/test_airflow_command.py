"""``mltrack airflow``: a real Airflow, on this machine only, gone when it is stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from airflow_mltrack.cli.airflow_home import AirflowHome
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.store.engine import embedded_is_running

pytestmark = pytest.mark.airflow

_READY_SECONDS = 240


@contextmanager
def _started(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Start it; whatever the test finds, it is stopped in the end."""
    said = home.with_name(f"said-{uuid.uuid4().hex[:6]}")
    environment = {key: value for key, value in os.environ.items() if key != "AIRFLOW_HOME"}
    command = [sys.executable, "-m", "airflow_mltrack.cli.main", "airflow", "--home", str(home)]
    with said.open("wb") as stderr:
        process = subprocess.Popen(command, env=environment, stderr=stderr, start_new_session=True)
    try:
        yield process, said
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_for_url(process: subprocess.Popen[bytes], said: Path) -> str:
    deadline = time.monotonic() + _READY_SECONDS
    while "ready: " not in said.read_text():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.5)
    return said.read_text().partition("ready: ")[2].split()[0]


def _processes_of(home: Path) -> list[psutil.Process]:
    """Every process that was told to work on this home."""
    return [process for process in psutil.process_iter() if str(home) in _home_of(process)]


def _home_of(process: psutil.Process) -> str:
    try:
        return process.environ().get("AIRFLOW_HOME", "")
    except psutil.Error:
        return ""


def _listening(family: list[int]) -> set[str]:
    return {
        connection.laddr.ip
        for pid in family
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def _is_alive(pid: int) -> bool:
    """Whether it still runs; in a container nobody may collect what has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_listens_on_loopback_only_and_sigterm_leaves_nothing_behind(
    home_directory: Path,
) -> None:
    with _started(home_directory) as (process, said):
        url = _wait_for_url(process, said)
        family = [process.pid, *(p.pid for p in psutil.Process(process.pid).children(True))]
        assert url.startswith("http://127.0.0.1:")
        assert len(family) >= 5
        assert _listening(family) == {"127.0.0.1"}
        with _started(home_directory) as (second, complaint):
            assert second.wait(timeout=60) == ExitCode.CONFLICT
        assert "runs on it already" in complaint.read_text()
    assert process.returncode == ExitCode.OK
    assert _processes_of(home_directory) == []
    assert [pid for pid in family if _is_alive(pid)] == []
    home = AirflowHome(home_directory, 1)
    assert not embedded_is_running(home.airflow_home / "mltrack" / "postgres")
