"""``mltrack token``; with a real Airflow: tests/integration/test_mlflow_login.py."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.web.tokens import TokenHolder, read_tokens, token_digest
from tests.cli.conftest import CommandLine, Outcome

PASSWORD = "hunter 2 "


class Login(HTTPServer):
    """Answers like a host that may or may not be Airflow."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = (201, json.dumps({"access_token": "jwt"}))
        self.asked: list[tuple[str, object]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Login

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, json.loads(body)))
        status, text = self.server.answer
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def login() -> Iterator[Login]:
    with Login() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def get(mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Get:
    return Get(mltrack, monkeypatch)


class Get:
    """Runs ``mltrack token get`` with a password on standard input."""

    def __init__(self, mltrack: CommandLine, patch: pytest.MonkeyPatch) -> None:
        self._mltrack, self._patch = mltrack, patch

    def __call__(self, url: str, *words: str, stdin: str = f"{PASSWORD}\n") -> Outcome:
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        return self._mltrack("token", "get", url, "--password-stdin", *words)


@pytest.mark.parametrize("end", ["", "/", "/mltrack", "/mltrack/"])
def test_token_is_all_that_is_printed(login: Login, get: Get, end: str) -> None:
    done = get(f"{login.url}/team{end}", "--username", "ada")

    assert done == Outcome(0, "jwt\n", "")
    assert login.asked == [("/team/auth/token", {"username": "ada", "password": PASSWORD})]


def test_name_is_that_of_the_process_and_the_password_is_asked_for(
    login: Login, mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"typed after {prompt}")

    assert mltrack("token", "get", login.url).out == "jwt\n"
    assert login.asked[0][1] == {"username": "grace", "password": "typed after Password of grace: "}


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_wrong_login_is_told_without_the_password(login: Login, get: Get, status: int) -> None:
    login.answer = (status, json.dumps({"detail": PASSWORD}))
    done = get(login.url, "--username", "ada")

    assert (done.code, done.out) == (ExitCode.INVALID_INPUT, "")
    assert "does not know this name and password" in done.err
    assert PASSWORD not in done.err


@pytest.mark.parametrize("answer", [(200, "<html>"), (404, "{}"), (201, "[]"), (500, PASSWORD)])
def test_host_that_is_not_airflow_is_told(login: Login, get: Get, answer: tuple[int, str]) -> None:
    login.answer = answer
    done = get(login.url, "--username", "ada")

    assert (done.code, done.out) == (ExitCode.FAILURE, "")
    assert f"status {answer[0]} and no token" in done.err
    assert PASSWORD not in done.err


def test_host_that_is_away_is_told(login: Login, get: Get) -> None:
    gone = Login()
    gone.server_close()

    done = get(gone.url, "--username", "ada")

    assert done.code == ExitCode.FAILURE
    assert f"Airflow at 127.0.0.1:{gone.server_port} does not answer" in done.err


@pytest.mark.parametrize(
    "url",
    ["airflow", "ftp://ada:hidden@airflow", "http://", "http://[", "http://a:x", "http://a\n"],
)
def test_address_that_is_none_is_told_without_what_may_be_secret(get: Get, url: str) -> None:
    done = get(url, "--username", "ada")

    assert done.code == ExitCode.INVALID_INPUT
    assert "http://airflow:8080" in done.err
    assert "hidden" not in done.err


def test_token_that_was_made_is_printed_once(mltrack: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    done = mltrack("token", "create", "ada", "--role", "user", "--file", str(file))

    assert done.code == 0
    token = done.out.strip()
    assert read_tokens(file) == {token_digest(token): TokenHolder("ada", "user")}
    assert "MLFLOW_TRACKING_TOKEN" in done.err
    assert token not in done.err + file.read_text()


def test_unknown_role_is_refused(mltrack: CommandLine, tmp_path: Path) -> None:
    done = mltrack("token", "create", "ada", "--role", "root", "--file", str(tmp_path / "t"))

    assert done.code == ExitCode.INVALID_INPUT
    assert "viewer, user, promoter" in done.err
