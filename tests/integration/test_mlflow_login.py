"""MLflow's protocol in Airflow's own API server: who gets in, with what, and to what."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from airflow_mltrack.web.mlflow.calls import Needs
from airflow_mltrack.web.mlflow.routes import CAPABILITY_ROUTES, ROOT_ROUTES, ROUTERS, ROUTES
from tests.integration.served_airflow import Server
from tests.integration.test_web_access import ROLES, fab, logged, server, simple
from tests.web.routes import FoundRoute, walk

__all__ = ["fab", "logged", "server", "simple"]

pytestmark = [
    pytest.mark.airflow,
    # The stock client warns about itself; a warning about our code stays an error.
    pytest.mark.filterwarnings("ignore", "error::Warning:airflow_mltrack"),
]

MAY = {
    Needs.READ: ROLES,
    Needs.WRITE: ("user", "op", "admin"),
    Needs.PROMOTE: ("op", "admin"),
}
API = "/api/2.0/mlflow"
Stock = Callable[..., Any]


def _routes() -> Iterator[tuple[str, str, Needs]]:
    """Give method, address and need of every endpoint, each at one of its places."""
    for place, routes in (("/api/2.0", ROUTES), ("/api/3.0", CAPABILITY_ROUTES), ("", ROOT_ROUTES)):
        for route in routes:
            found = FoundRoute(route.method, place + route.path, ())
            yield found.method, found.address(), route.needs
    for needs, routers in ROUTERS.items():
        for router in routers:
            for found in walk(router, "/api/2.0"):
                yield found.method, found.address(), needs


@contextmanager
def browsing(server: Server, role: str | None = None, **more: Any) -> Iterator[httpx.Client]:
    """Ask the protocol over one connection, with the token of a role."""
    headers = {} if role is None else {"authorization": f"Bearer {server.tokens[role]}"}
    headers |= more.pop("headers", {})
    url = f"{server.url}/mltrack"
    with httpx.Client(base_url=url, headers=headers, timeout=60, **more) as http:
        yield http


def basic(name: str, password: str) -> dict[str, str]:
    words = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"authorization": f"Basic {words}"}


@pytest.fixture
def stock(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stock]:
    """Give a function that makes a stock client with a login."""
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(f"{server.url}/mltrack")
    mlflow.set_registry_uri(f"{server.url}/mltrack")

    def log_in(name: str = "", password: str = "", token: str = "") -> Any:
        values = {"USERNAME": name, "PASSWORD": password, "TOKEN": token}
        for variable, value in values.items():
            monkeypatch.delenv(f"MLFLOW_TRACKING_{variable}", raising=False)
            if value:
                monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", value)
        return mlflow.MlflowClient()

    yield log_in
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


@contextmanager
def refused(code: str, words: str = "") -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=words) as caught:
        yield
    assert caught.value.error_code == code


def test_every_role_may_do_through_the_protocol_what_the_documentation_says(
    server: Server,
) -> None:
    """Bodies are empty: who gets past the guard is told that a field is missing."""
    routes = list(_routes())
    assert len(routes) > 150
    for role in (None, *ROLES):
        with browsing(server, role) as http:
            for method, path, needs in routes:
                answer = http.request(method, path, json=None if method == "GET" else {})
                what = (method, path, role, answer.status_code, answer.text)
                if role is None:
                    assert answer.status_code == 401, what
                    assert answer.json()["error_code"] == "UNAUTHENTICATED", what
                elif role not in MAY[needs]:
                    assert answer.status_code == 403, what
                    assert answer.json()["error_code"] == "PERMISSION_DENIED", what
                else:
                    assert answer.status_code in (200, 400, 404, 501), what


def test_stock_client_logs_with_a_token_and_with_a_login(server: Server, stock: Stock) -> None:
    logins = ({"token": server.tokens["user"]}, {"name": "user", "password": "user-password"})
    for login in logins:
        client = stock(**login)
        run_id = client.create_run("0").info.run_id
        client.log_metric(run_id, "auc", 0.7)
        client.log_text(run_id, "words", "note.txt")
        client.set_terminated(run_id)
        assert client.get_run(run_id).data.metrics == {"auc": 0.7}
        assert [file.path for file in client.list_artifacts(run_id)] == ["note.txt"]


def test_wrong_login_and_none_are_told_apart_in_the_protocols_words(
    server: Server, stock: Stock
) -> None:
    del server
    for name, password in (("user", "wrong"), ("nobody", "user-password"), ("op", "a b:é")):
        with refused("UNAUTHENTICATED", "User name or password is wrong"):
            stock(name, password).get_experiment("0")
    for token in ("", "forged"):
        with pytest.raises(Exception, match=r"UNAUTHENTICATED|PERMISSION_DENIED"):
            stock(token=token).get_experiment("0")


def test_viewer_reads_and_logs_nothing(
    server: Server, stock: Stock, logged: dict[str, str]
) -> None:
    del server
    client = stock("viewer", "viewer-password")
    assert client.get_run(logged["outside"]).info.run_name == "outside"
    assert client.search_registered_models()
    with refused("PERMISSION_DENIED"):
        client.create_run("0")
    with refused("PERMISSION_DENIED"):
        client.log_metric(logged["outside"], "auc", 1.0)
    with pytest.raises(OSError, match="PERMISSION_DENIED"):  # requests' own, for files
        client.log_text(logged["outside"], "words", "other.txt")


def test_user_logs_and_moves_no_stage(server: Server, stock: Stock) -> None:
    del server
    client = stock("user", "user-password")
    assert client.get_model_version("unheard", "1").name == "unheard"
    with refused("PERMISSION_DENIED"):
        client.transition_model_version_stage("unheard", "1", "Staging")
    with refused("PERMISSION_DENIED"):
        client.set_registered_model_alias("unheard", "best", "1")
    for role, stage in (("op", "Staging"), ("admin", "Archived")):
        client = stock(role, f"{role}-password")
        moved = client.transition_model_version_stage("unheard", "1", stage)
        assert moved.current_stage == stage


def test_runs_are_those_of_the_dags_that_one_may_see(fab: Server, logged: dict[str, str]) -> None:
    asked = {"experiment_ids": [logged["experiment_id"]]}
    seen = {}
    for name in ("viewer", "narrow"):
        with browsing(fab, headers=basic(name, f"{name}-password")) as http:
            found = http.post(f"{API}/runs/search", json=asked).json()["runs"]
            seen[name] = {run["info"]["run_id"] for run in found}
            for key, status in (("open", 200), ("outside", 200), ("run_id", 404)):
                query = {"run_id": logged[key]}
                expected = status if name == "narrow" else 200
                for path in ("/runs/get", "/artifacts/list"):
                    assert http.get(f"{API}{path}", params=query).status_code == expected
    assert seen["viewer"] - seen["narrow"] == {logged["run_id"]}
    assert seen["narrow"] >= {logged["open"], logged["outside"]}


def test_cookie_alone_logs_nothing(server: Server) -> None:
    with browsing(server, cookies={"_token": server.tokens["admin"]}) as browser:
        assert browser.get(f"{API}/experiments/get?experiment_id=0").status_code == 200
        for headers in ({}, {"origin": "https://evil.example"}, {"X-MLTrack": "0"}):
            answer = browser.post(f"{API}/runs/create", json={}, headers=headers)
            assert answer.status_code == 403, headers
            assert "X-MLTrack" in answer.json()["message"]
        meant = {"X-MLTrack": "1"}
        passed = browser.post(f"{API}/registered-models/create", json={}, headers=meant)
        assert passed.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_login_that_a_browser_adds_is_not_one(server: Server) -> None:
    """It would add it to the requests of another site's page, too."""
    login = basic("admin", "admin-password")
    with browsing(server, headers=login) as http:
        assert http.get("/version").status_code == 200
        for name in ("origin", "sec-fetch-site"):
            for method, path in (("GET", "/version"), ("POST", f"{API}/runs/create")):
                answer = http.request(method, path, headers={name: "cross-site"})
                assert answer.status_code in (401, 403), (name, path)


def test_login_opens_the_protocol_only(server: Server) -> None:
    with browsing(server, headers=basic("admin", "admin-password")) as http:
        assert http.get("/").status_code == 401
        assert http.get("/api/v1/models").status_code == 401


def test_no_password_gets_into_the_log(server: Server) -> None:
    words = ("hunter-two", "a\x00b", "é" * 5_000)
    for word in words:
        with browsing(server, headers=basic("user", word)) as http:
            assert http.get("/version").status_code == 401
    log = "".join(path.read_text() for path in server.home.glob("web-*.log"))
    for word in (*words, *(f"{role}-password" for role in ROLES)):
        assert word not in log
        assert basic("user", word)["authorization"] not in log


def test_command_gets_a_token_that_opens_the_door(server: Server) -> None:
    command = [sys.executable, "-m", "airflow_mltrack.cli.main", "token", "get"]
    words = [f"{server.url}/mltrack", "--username", "op", "--password-stdin"]
    done = subprocess.run(
        [*command, *words], input="op-password\n", text=True, capture_output=True, check=True
    )
    assert done.stderr == ""
    headers = {"authorization": f"Bearer {done.stdout.strip()}"}
    with browsing(server, headers=headers) as http:
        assert http.get("/version").text == "3.17.2"
    wrong = subprocess.run(
        [*command, *words], input="wrong\n", text=True, capture_output=True, check=False
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "does not know this name and password" in wrong.stderr
