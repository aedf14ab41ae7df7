"""Who gets in where there is no Airflow: this machine's programs, or who has a token."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from airflow_mltrack.cli.server import build_server
from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.standalone import is_loopback
from airflow_mltrack.web.tokens import ROLES, create_token, read_tokens
from tests.web.routes import ask

READ = ("GET", "/mltrack/api/2.0/mlflow/experiments/get?experiment_id=0")
WRITE = ("POST", "/mltrack/api/2.0/mlflow/experiments/create")
PROMOTE = ("POST", "/mltrack/api/2.0/mlflow/model-versions/transition-stage")
CHANGES = (WRITE, PROMOTE, ("POST", "/mltrack/api/v1/models"))
LOCAL = {"host": "127.0.0.1:5000"}


class Door:
    """Asks a server without a socket."""

    def __init__(self, client: TrackingClient, tokens: Path | None) -> None:
        self._app = build_server(client, None if tokens is None else read_tokens(tokens))

    def __call__(self, method: str, path: str, /, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self._app, method, path, named)


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """Token by role, and the file of all of them."""
    file = tmp_path / "tokens"
    return {role: create_token(file, f"{role}-ada", role) for role in ROLES} | {"file": str(file)}


@pytest.fixture
def guarded(client: TrackingClient, tokens: dict[str, str]) -> Door:
    return Door(client, Path(tokens["file"]))


@pytest.fixture
def open_door(client: TrackingClient) -> Door:
    return Door(client, None)


def passed(answer: httpx.Response) -> bool:
    """Say whether a request got past the guard: the bodies are empty, so it may be refused then."""
    return answer.status_code in (200, 400, 404, 422)


def test_roles_may_do_what_they_say(guarded: Door, tokens: dict[str, str]) -> None:
    expected = {"viewer": (READ,), "user": (READ, WRITE), "promoter": (READ, *CHANGES)}
    for role, allowed in expected.items():
        for what in (READ, *CHANGES):
            answer = guarded(*what, authorization=f"Bearer {tokens[role]}")
            assert passed(answer) == (what in allowed), (role, what, answer.text)
            assert what in allowed or answer.status_code == 403
            assert what in allowed or f"{role}-ada is a {role}" in answer.text


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic", "Negotiate x"]
)
def test_unknown_token_and_none_get_401(guarded: Door, authorization: str) -> None:
    for what in (READ, *CHANGES, ("GET", "/"), ("GET", "/health"), ("GET", "/mltrack/version")):
        answer = guarded(*what, authorization=authorization, x_mltrack="1")
        assert answer.status_code == 401, what


def test_digest_in_the_file_is_no_token(guarded: Door, tokens: dict[str, str]) -> None:
    for line in Path(tokens["file"]).read_text().splitlines():
        assert guarded(*READ, authorization=f"Bearer {line.split()[2]}").status_code == 401


def test_token_may_come_as_a_password_with_its_name(guarded: Door, tokens: dict[str, str]) -> None:
    def login(name: str, password: str) -> int:
        words = base64.b64encode(f"{name}:{password}".encode()).decode()
        return guarded(*WRITE, authorization=f"Basic {words}").status_code

    assert login("user-ada", tokens["user"]) == 400
    assert login("viewer-ada", tokens["viewer"]) == 403
    assert login("promoter-ada", tokens["user"]) == 401
    assert login("user-ada", "wrong") == 401


def test_both_addresses_answer(open_door: Door) -> None:
    for prefix in ("", "/mltrack"):
        for path in ("/", "/version", "/api/v1/models", "/api/2.0/mlflow/experiments/get"):
            answer = open_door("GET", f"{prefix}{path}", **LOCAL)
            assert answer.status_code in (200, 400), (prefix, path)


def test_pages_lead_to_no_airflow(open_door: Door, client: TrackingClient) -> None:
    identity = RunIdentity("l", "a", dag_id="train", dag_run_id="r", task_id="fit")
    with client.store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=0, identity=identity)
    for path in ("/", f"/runs/{run.run_id}"):
        page = open_door("GET", f"/mltrack{path}", **LOCAL)
        assert page.status_code == 200
        assert "MLTrack</a>" in page.text
        assert ">Airflow<" not in page.text
    assert "task train / fit" in page.text


def test_program_of_this_machine_needs_no_login(open_door: Door) -> None:
    for host in ("127.0.0.1:5000", "localhost:5000", "LOCALHOST", "[::1]:5000", "127.0.0.9"):
        for what in (READ, *CHANGES):
            assert passed(open_door(*what, host=host)), (host, what)


@pytest.mark.parametrize(
    "host", ["evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "[", "", "x@"]
)
def test_name_of_another_host_that_leads_here_is_refused(open_door: Door, host: str) -> None:
    """A site may point its own name at loopback; for a browser our answers are then its own."""
    for what in (READ, *CHANGES, ("GET", "/")):
        answer = open_door(*what, host=host, x_mltrack="1")
        assert answer.status_code == 403, what
        assert answer.json()["error_code"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("header", ["origin", "sec_fetch_site"])
def test_another_sites_page_changes_nothing(open_door: Door, header: str) -> None:
    for what in CHANGES:
        refused = open_door(*what, **LOCAL, **{header: "https://evil.example"})
        assert refused.status_code == 403, what
        assert "X-MLTrack: 1" in refused.text
        assert passed(open_door(*what, **LOCAL, **{header: "x"}, x_mltrack="1"))


def test_user_of_the_process_is_the_actor(
    open_door: Door, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    del settings
    monkeypatch.setenv("LOGNAME", "grace")

    assert "grace" in open_door("GET", "/", **LOCAL).text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "::", "10.0.0.1", "example.org", "", "127.1"])
def test_what_is_not_certainly_loopback_is_none(host: str) -> None:
    assert not is_loopback(host)
