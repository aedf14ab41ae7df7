"""A served Airflow: started in a process of its own, asked over HTTP by users of every role."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

OUR_API = "/mltrack/api/v1"
BASE_PATH = "/team-a"
"""Airflow is mounted below a path of its host, as behind a shared proxy."""
SERVER = Path(__file__).parent / "web_server.py"


@dataclass(frozen=True)
class Server:
    """A served Airflow, and who can log in."""

    url: str
    tokens: dict[str, str]
    """By role."""
    home: Path
    """Of Airflow."""

    def ask(
        self, method: str, path: str, role: str, *, api: str = OUR_API, body: object = None
    ) -> httpx.Response:
        """Ask the JSON API, or with ``api`` Airflow's own."""
        headers = {"authorization": f"Bearer {self.tokens[role]}"}
        return httpx.request(
            method, f"{self.url}{api}{path}", headers=headers, json=body, timeout=60
        )

    def get(
        self, path: str, role: str | None = None, *, method: str = "GET", accept: str = "*/*"
    ) -> httpx.Response:
        headers = {"accept": accept}
        if role is not None:
            headers["authorization"] = f"Bearer {self.tokens[role]}"
        return httpx.request(method, f"{self.url}/mltrack{path}", headers=headers, timeout=60)


@contextmanager
def served(home: Path, **settings: str) -> Iterator[str]:
    """Serve Airflow in a process of its own, whose configuration does not touch this one's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}{BASE_PATH}"
    environment = {
        **os.environ,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": "k" * 32,
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "_AIRFLOW_PROCESS_CONTEXT": "server",
        "MLTRACK_TEST_ROUTES": str(home / "routes.json"),
        **settings,
    }
    log = home / f"web-{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(url):
            return
        time.sleep(0.2)
    pytest.fail(log.read_text()[-4000:])


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/mltrack/", timeout=60).status_code == 401
    except httpx.TransportError:
        return False


def tokens(url: str, passwords: dict[str, str]) -> dict[str, str]:
    answers = {
        name: httpx.post(
            f"{url}/auth/token", json={"username": name, "password": password}, timeout=60
        )
        for name, password in passwords.items()
    }
    return {name: answer.json()["access_token"] for name, answer in answers.items()}
