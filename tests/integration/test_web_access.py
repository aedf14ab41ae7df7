"""The web app as Airflow's own API server mounts it: who gets in, and to what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.lifecycle.registration import create_model, set_policy
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.mlflow.routes import ROOT_ROUTES
from tests.integration.conftest import Airflow
from tests.integration.served_airflow import BASE_PATH, OUR_API, Server, served, tokens

pytestmark = pytest.mark.airflow

ROLES = ("viewer", "user", "op", "admin")
ROUTES = (
    "/",
    "/experiments/{experiment_id}",
    "/runs/{run_id}",
    "/runs/{run_id}/artifacts/note.txt",
    "/models/credit",
)
CHANGING = ("POST", "PUT", "PATCH", "DELETE")


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
    create_model(client, "credit", actor="dag:train")
    create_model(client, "unheard", actor="dag:train")
    with client.store.transaction() as tx:
        for name in ("credit", "unheard"):
            tx.registry.create_version(name, source="models:/none", user="dag:train")
        experiment = tx.experiments.get_by_name("credit")
    client.close()
    return {
        "run_id": run.run_id,
        "open": opened.run_id,
        "outside": outside.run_id,
        "experiment_id": str(experiment.experiment_id),
    }


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
    with served(
        home,
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=",".join(f"{role}:{role}" for role in ROLES),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(file),
    ) as url:
        yield Server(url, tokens(url, passwords), home)


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
    with served(home, **settings) as url:
        yield Server(url, tokens(url, passwords), home)


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
    walked = _walked(simple)

    assert {route["path"] for route in walked} >= {"/", "/models/{name}", "/runs/{run_id}"}
    assert [route for route in walked if not route["guarded"]] == []
    others = ("/api/", "/ajax-api/", *(route.path for route in ROOT_ROUTES))
    pages = [route for route in walked if not route["path"].startswith(others)]
    assert {method for route in pages for method in route["methods"]} == {"GET", "HEAD"}
    assert len(pages) == len(ROUTES)  # a new page belongs into ROUTES


def _walked(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((server.home / "routes.json").read_text())
    return found


def _api_routes(server: Server) -> list[tuple[str, str]]:
    """Return method and address of every route of the JSON API."""
    values = {"name": "credit", "version": 1, "alias": "gone", "webhook_id": "none"}
    found = [
        (method, route["path"].format_map(values).removeprefix("/api/v1"))
        for route in _walked(server)
        if route["path"].startswith("/api/v1/")
        for method in route["methods"]
    ]
    assert len(found) > 20
    return found


@pytest.fixture(params=["simple", "fab"])
def server(request: pytest.FixtureRequest) -> Server:
    """Give a server with each of the auth managers."""
    found: Server = request.getfixturevalue(request.param)
    return found


def test_every_role_may_do_through_the_json_api_what_the_documentation_says(
    server: Server,
) -> None:
    """Bodies are empty: who gets past the guard is told that the body is not valid."""
    for method, path in _api_routes(server):
        url = f"{server.url}{OUR_API}{path}"
        assert httpx.request(method, url, timeout=60).status_code == 401, (method, path)
        for role in ROLES:
            answer = server.ask(method, path, role, body={} if method in CHANGING else None)
            what = (method, path, role, answer.text)
            if method not in CHANGING and not path.startswith("/webhooks"):
                assert answer.status_code == 200, what
            elif role in ("viewer", "user"):
                assert answer.status_code == 403, what
                assert answer.json()["error"]["code"] == "FORBIDDEN", what
            elif method in ("POST", "PUT", "PATCH"):
                assert answer.json()["error"]["code"] == "INVALID_REQUEST", what
            else:  # an alias that is gone already, a webhook that never was
                assert answer.status_code in (200, 404), what
    history = server.ask("GET", "/models/credit/history", "viewer").json()["events"]
    assert {event["kind"] for event in history} <= {"created", "transition", "approval_requested"}


def test_cookie_alone_changes_nothing(server: Server) -> None:
    address = f"{server.url}{OUR_API}/models"
    with httpx.Client(cookies={"_token": server.tokens["admin"]}, timeout=60) as browser:
        for headers in ({}, {"authorization": "Basic YTpi"}, {"X-MLTrack": "0"}):
            refused = browser.post(address, json={}, headers=headers)
            assert refused.status_code == 403, headers
            assert "X-MLTrack" in refused.json()["error"]["message"]
        passed = browser.post(address, json={}, headers={"X-MLTrack": "1"})
        assert passed.json()["error"]["code"] == "INVALID_REQUEST"
        assert browser.get(address).status_code == 200


def test_one_person_has_one_name_through_every_door(server: Server, backend: Settings) -> None:
    """Otherwise who trained a version through a Dag could approve it through the JSON API."""
    run_id = f"by_op_{uuid.uuid4().hex}"
    triggered = server.ask(
        "POST",
        "/dags/on_production/dagRuns",
        "op",
        api="/api/v2",
        body={"dag_run_id": run_id, "logical_date": None},
    )
    assert triggered.status_code == 200, triggered.text
    author = triggered.json()["triggering_user_name"]
    name = f"governed {uuid.uuid4().hex}"
    with TrackingClient(backend) as client:
        create_model(client, name, actor=author)
        set_policy(client, name, actor=author, stages="gated")
        with client.store.transaction() as tx:
            tx.registry.create_version(name, source="models:/none", user=author)

    version = f"/models/{quote(name)}/versions/1"
    assert server.ask("POST", f"{version}/transitions", "op", body={"stage": "Staging"}).is_success
    answer = {"stage": "Production", "decision": "rejected", "reason": "No."}
    own = server.ask("POST", f"{version}/approvals", "op", body=answer)
    assert own.status_code == 403
    assert own.json()["error"]["code"] == "APPROVAL_REFUSED"
    assert "op registered this version" in own.json()["error"]["message"]
    other = server.ask("POST", f"{version}/approvals", "admin", body=answer)
    assert (other.status_code, other.json()["approver"]) == (201, "admin")


def test_promotion_is_told_to_airflows_assets_and_to_its_audit_log(server: Server) -> None:
    for name in ("credit", "unheard"):
        for stage in ("Archived", "Production"):
            reason = f"{stage} by {uuid.uuid4().hex}"
            done = server.ask(
                "POST",
                f"/models/{name}/versions/1/transitions",
                "op",
                body={"stage": stage, "reason": reason},
            )
            assert done.status_code == 200, done.text
        assert done.json()["event"]["actor"] == "op"
        assert done.json()["asset_event"] == ("sent" if name == "credit" else "no consumer")

        [entry] = _audit_log(server, "mltrack.promote", reason)
        assert entry["owner"] == "op"
        assert json.loads(entry["extra"])["name"] == name
    events = server.ask("GET", "/assets/events?order_by=-timestamp", "admin", api="/api/v2").json()
    latest = events["asset_events"][0]
    assert (
        latest["extra"] | {"name": "credit", "stage": "Production", "actor": "op"}
        == (latest["extra"])
    )
    queued = server.ask("GET", "/dags/on_production/assets/queuedEvents", "admin", api="/api/v2")
    assert queued.json()["total_entries"] == 1


def test_audit_log_keeps_the_address_of_no_webhook(server: Server) -> None:
    secret = uuid.uuid4().hex
    server.ask("POST", "/webhooks", "op", body={"url": f"https://hooks.example/{secret}"})

    assert _audit_log(server, "mltrack.create_webhook", "POST")
    assert _audit_log(server, "mltrack.create_webhook", secret) == []


def _audit_log(server: Server, event: str, words: str) -> list[dict[str, Any]]:
    answer = server.ask("GET", f"/eventLogs?event={event}&limit=100", "admin", api="/api/v2")
    assert answer.status_code == 200, answer.text
    return [entry for entry in answer.json()["event_logs"] if words in (entry["extra"] or "")]


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
