"""The web app as Airflow's own API server mounts it: who gets in, and to what."""

from __future__ import annotations

import json
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
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.integration.conftest import Airflow

pytestmark = pytest.mark.airflow

ROLES = ("viewer", "user", "op", "admin")
ROUTES = (
    "/",
    "/experiments/{experiment_id}",
    "/runs/{run_id}",
    "/runs/{run_id}/artifacts/note.txt",
    "/models/credit",
)
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

    def get(
        self, path: str, role: str | None = None, *, method: str = "GET", accept: str = "*/*"
    ) -> httpx.Response:
        headers = {"accept": accept}
        if role is not None:
            headers["authorization"] = f"Bearer {self.tokens[role]}"
        return httpx.request(method, f"{self.url}/mltrack{path}", headers=headers, timeout=60)


@pytest.fixture(scope="module")
def logged(backend: Settings) -> dict[str, str]:
    """Runs of two Dags and of none, one with a file, and a registered model."""
    client = TrackingClient(backend)
    identity = task_identity(ti_id="1", dag_id="secret", dag_run_id="manual__1", task_id="fit")
    with client.start_run("fit", experiment="credit", identity=identity) as run:
        run.log_text("words", "note.txt")
    identity = task_identity(ti_id="2", dag_id="open", dag_run_id="manual__1", task_id="fit")
    with client.start_run("open", experiment="credit", identity=identity) as opened:
        pass
    with client.start_run("outside", experiment="credit") as outside:
        pass
    with client.store.transaction() as tx:
        tx.registry.create_model("credit")
        experiment = tx.experiments.get_by_name("credit")
    client.close()
    return {
        "run_id": run.run_id,
        "open": opened.run_id,
        "outside": outside.run_id,
        "experiment_id": str(experiment.experiment_id),
    }


@contextmanager
def _served(home: Path, **settings: str) -> Iterator[str]:
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


def _tokens(url: str, passwords: dict[str, str]) -> dict[str, str]:
    answers = {
        name: httpx.post(
            f"{url}/auth/token", json={"username": name, "password": password}, timeout=60
        )
        for name, password in passwords.items()
    }
    return {name: answer.json()["access_token"] for name, answer in answers.items()}


@pytest.fixture(scope="module")
def simple(
    airflow: Airflow, logged: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Airflow with the auth manager that it has out of the box."""
    del airflow, logged
    home = tmp_path_factory.mktemp("simple")
    passwords = {role: f"{role}-password" for role in ROLES}
    file = home / "passwords.json"
    file.write_text(json.dumps(passwords))
    with _served(
        home,
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=",".join(f"{role}:{role}" for role in ROLES),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(file),
    ) as url:
        yield Server(url, _tokens(url, passwords), home)


@pytest.fixture(scope="module")
def fab(logged: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Airflow with the auth manager of the FAB provider, in a home of its own."""
    del logged
    home = tmp_path_factory.mktemp("fab")
    passwords = {role: f"{role}-password" for role in (*ROLES, "narrow")}
    users = {name: [name.capitalize(), password] for name, password in passwords.items()}
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
        ),
        "MLTRACK_TEST_FAB_USERS": json.dumps(users),
    }
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
    )
    with _served(home, **settings) as url:
        yield Server(url, _tokens(url, passwords), home)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("route", ROUTES)
def test_who_is_logged_in_may_read_and_nobody_else(
    simple: Server, logged: dict[str, str], route: str, method: str
) -> None:
    path = route.format_map(logged)

    anonymous = simple.get(path, method=method)
    assert anonymous.status_code == 401
    assert logged["run_id"] not in anonymous.text
    for role in ROLES:
        answer = simple.get(path, role, method=method)
        assert answer.status_code == 200, (role, answer.text)
        assert answer.headers["cache-control"] == "no-store"
        assert bool(answer.content) == (method == "GET")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("route", ROUTES)
def test_nothing_can_be_changed(
    simple: Server, logged: dict[str, str], route: str, method: str
) -> None:
    for role in (None, "admin"):
        assert simple.get(route.format_map(logged), role, method=method).status_code == 405


def test_every_mounted_route_is_guarded(simple: Server) -> None:
    """The server walks its own routes when it starts, so this sees what Airflow mounted."""
    walked = json.loads((simple.home / "routes.json").read_text())

    assert {route["path"] for route in walked} >= {"/", "/models/{name}", "/runs/{run_id}"}
    assert [route for route in walked if not route["guarded"]] == []
    assert {method for route in walked for method in route["methods"]} == {"GET", "HEAD"}
    assert len(walked) == len(ROUTES)  # a new page belongs into ROUTES


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/static/x", "/nope"])
def test_there_is_nothing_beside_the_pages(simple: Server, path: str) -> None:
    assert simple.get(path).status_code == 404


def test_forged_token_opens_nothing(simple: Server) -> None:
    head, body, _ = simple.tokens["admin"].split(".")
    headers = {"authorization": f"Bearer {head}.{body}.{'x' * 86}"}

    assert httpx.get(f"{simple.url}/mltrack/", headers=headers).status_code in (401, 403)


def test_links_lead_below_the_path_at_which_airflow_is_mounted(
    simple: Server, logged: dict[str, str]
) -> None:
    page = simple.get(f"/runs/{logged['run_id']}", "viewer").text

    assert f'href="{BASE_PATH}/mltrack/experiments/{logged["experiment_id"]}"' in page
    assert f'href="{BASE_PATH}/dags/secret/runs/manual__1/tasks/fit"' in page
    assert f'href="{BASE_PATH}/"' in page
    assert 'href="/mltrack' not in page


def test_browser_is_sent_to_log_in_and_comes_back(simple: Server, logged: dict[str, str]) -> None:
    path = f"/runs/{logged['run_id']}"
    answer = simple.get(f"{path}?page_token=a%26b", accept="text/html")

    assert answer.status_code == 302
    login = urlsplit(answer.headers["location"])
    assert login.path == f"{BASE_PATH}/auth/login"
    assert parse_qs(login.query)["next"] == [f"{BASE_PATH}/mltrack{path}?page_token=a%26b"]
    with httpx.Client(cookies={"_token": simple.tokens["viewer"]}) as browser:
        assert browser.get(f"{simple.url}/mltrack{path}").status_code == 200


def test_host_that_the_caller_names_does_not_get_into_the_way_back(simple: Server) -> None:
    answer = httpx.get(
        f"{simple.url}/mltrack/", headers={"host": "evil.example", "accept": "text/html"}
    )

    assert answer.status_code == 302
    assert "evil" not in answer.headers["location"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("route", ROUTES)
def test_fab_roles_may_read_and_nobody_else(
    fab: Server, logged: dict[str, str], route: str, method: str
) -> None:
    path = route.format_map(logged)

    assert fab.get(path, method=method).status_code == 401
    for role in ROLES:
        assert fab.get(path, role, method=method).status_code == 200, role


def test_run_of_a_dag_that_the_role_does_not_name_is_hidden(
    fab: Server, logged: dict[str, str]
) -> None:
    run_id = logged["run_id"]

    assert fab.get(f"/runs/{run_id}", "narrow").status_code == 404
    assert fab.get(f"/runs/{run_id}/artifacts/note.txt", "narrow").status_code == 404
    for path in ("/", f"/experiments/{logged['experiment_id']}"):
        assert fab.get(path, "narrow").status_code == 200
        assert run_id not in fab.get(path, "narrow").text
        assert run_id in fab.get(path, "viewer").text
    for name, status in {"open": 200, "outside": 200}.items():
        assert fab.get(f"/runs/{logged[name]}", "narrow").status_code == status


def test_fab_login_brings_the_browser_back(fab: Server, logged: dict[str, str]) -> None:
    path = f"{BASE_PATH}/mltrack/runs/{logged['run_id']}"
    with httpx.Client(
        follow_redirects=True, timeout=60, headers={"accept": "text/html"}
    ) as browser:
        form = browser.get(f"{fab.url}/mltrack/runs/{logged['run_id']}")
        assert form.url.path == f"{BASE_PATH}/auth/login/"
        token = form.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        page = browser.post(
            form.url,
            data={"username": "viewer", "password": "viewer-password", "csrf_token": token},
        )
    assert page.status_code == 200
    assert page.url.path == path
    assert "FINISHED" in page.text
