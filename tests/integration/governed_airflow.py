"""A real Airflow (API server, scheduler, Dag processor) with users who have passwords."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from airflow_mltrack.cli import airflow_home, airflow_processes
from airflow_mltrack.cli.airflow_api import AirflowApi
from airflow_mltrack.cli.airflow_home import AirflowHome, prepare_home
from airflow_mltrack.cli.airflow_processes import (
    Component,
    run_airflow,
    running_components,
    wait_until,
)

READY_SECONDS = 240.0
TASK_SECONDS = 240.0
"""Longest wait for a task: machines that run everything else at the same time are slow."""


@dataclass(frozen=True)
class User:
    """One who is logged in."""

    name: str
    url: str
    token: str = field(repr=False)

    def send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Send a request to Airflow's public API, whatever it answers."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.request(
            method, f"{self.url}/api/v2{path}", json=body, headers=headers, timeout=60
        )

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that must succeed.

        Airflow's SQLite answers 500 now and then while a task writes: what only reads asks again.
        """
        answer = self.send(method, path, body)
        for pause in (1, 2, 4, 8) if method == "GET" else ():
            if answer.status_code < 500:
                break
            time.sleep(pause)
            answer = self.send(method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


@dataclass(frozen=True)
class RunningAirflow:
    """An Airflow that runs Dags, and who can log in."""

    home: AirflowHome
    components: Sequence[Component]
    passwords: dict[str, str] = field(repr=False)

    def login(self, name: str) -> User:
        """Log a user in with name and password."""
        answer = httpx.post(
            f"{self.home.url}/auth/token",
            json={"username": name, "password": self.passwords[name]},
            timeout=60,
        )
        assert answer.status_code == 201, answer.text
        return User(name, self.home.url, answer.json()["access_token"])

    def wait(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so."""
        wait_until(is_so, self.components, seconds=TASK_SECONDS)


@contextmanager
def governed_airflow(
    passwords: dict[str, str], dags: Sequence[Path], environment: dict[str, str]
) -> Iterator[RunningAirflow]:
    """Run Airflow on a new home, with ordinary users instead of administrators only.

    :param passwords: by user name.
    :param dags: files with the Dags to run.
    :param environment: of all its processes, beside what they need.
    """
    directory = Path(tempfile.mkdtemp(prefix="mltrack-governed-"))
    home = prepare_home(directory / "home", port=airflow_home._any_port())
    folder = directory / "dags"
    folder.mkdir()
    for file in dags:
        shutil.copy(file, folder)
    known = directory / "passwords.json"
    known.write_text(json.dumps(passwords))
    known.chmod(0o600)
    settings = airflow_home.airflow_environment(home) | {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:user" for name in passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(known),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        **environment,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(airflow_processes, "airflow_environment", lambda _home: settings)
        try:
            run_airflow(home, "db-migrate", ("db", "migrate"))
            # The first one's log is shown where something does not happen.
            names = ("scheduler", "api-server", "dag-processor")
            with running_components(home, names) as components:
                wait_until(AirflowApi(home.url).is_ready, components, seconds=READY_SECONDS)
                yield RunningAirflow(home, components, passwords)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
