"""A name and a password become a token: once a minute, for programs only, and leave no trace."""

from __future__ import annotations

import asyncio
import base64
import logging
from types import SimpleNamespace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from airflow_mltrack.web import basic_login
from airflow_mltrack.web.basic_login import BasicLogin, Logins

PASSWORD = "pass:word é"


class Doorkeeper:
    """Knows one login, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: Exception | None = None
        self.begun = asyncio.Event()
        self.app = BasicLogin(self._show, Logins(self._exchange))

    async def _exchange(self, name: str, password: str, scope: Scope) -> str | None:
        assert scope["type"] == "http"
        self.asked.append(name)
        self.begun.set()
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return f"token-of-{name}" if password == PASSWORD else None

    async def _show(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Request(scope).headers.getlist("authorization")
        await JSONResponse(sent)(scope, receive, send)

    async def ask(self, **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            return await http.get("/", headers=headers)

    def sent_on(self, authorization: str, **headers: str) -> object:
        """Return the authorization headers that reach the app."""
        return asyncio.run(self.ask(authorization=authorization, **headers)).json()


@pytest.fixture
def doorkeeper() -> Doorkeeper:
    return Doorkeeper()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the time, to be set by the test."""
    now = [1000.0]
    monkeypatch.setattr(basic_login, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def basic(name: str = "ada", password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_right_login_becomes_a_token(doorkeeper: Doorkeeper) -> None:
    for scheme in ("Basic", "basic", "BASIC"):
        assert doorkeeper.sent_on(basic().replace("Basic", scheme)) == ["Bearer token-of-ada"]


def test_wrong_login_is_refused_in_mlflows_shape(doorkeeper: Doorkeeper) -> None:
    answer = asyncio.run(doorkeeper.ask(authorization=basic(password="wrong")))

    assert answer.status_code == 401
    assert answer.json() == {
        "error_code": "UNAUTHENTICATED",
        "message": "User name or password is wrong.",
    }
    assert "www-authenticate" not in answer.headers  # a browser would ask for a login, and keep it


def test_a_right_login_is_asked_about_once_a_minute(
    doorkeeper: Doorkeeper, clock: list[float]
) -> None:
    for _ in range(3):
        doorkeeper.sent_on(basic())
    clock[0] += 59
    doorkeeper.sent_on(basic())
    assert doorkeeper.asked == ["ada"]
    clock[0] += 1
    doorkeeper.sent_on(basic())
    assert doorkeeper.asked == ["ada", "ada"]


def test_requests_at_the_same_time_ask_once(doorkeeper: Doorkeeper) -> None:
    async def many() -> list[httpx.Response]:
        return await asyncio.gather(*(doorkeeper.ask(authorization=basic()) for _ in range(8)))

    assert [answer.json() for answer in asyncio.run(many())] == [["Bearer token-of-ada"]] * 8
    assert doorkeeper.asked == ["ada"]


def test_who_gives_up_takes_the_token_from_nobody(doorkeeper: Doorkeeper) -> None:
    async def two() -> httpx.Response:
        first = asyncio.ensure_future(doorkeeper.ask(authorization=basic()))
        second = asyncio.ensure_future(doorkeeper.ask(authorization=basic()))
        await doorkeeper.begun.wait()
        first.cancel()
        return await second

    assert asyncio.run(two()).json() == ["Bearer token-of-ada"]


def test_a_wrong_login_is_not_remembered(
    doorkeeper: Doorkeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = Logins(doorkeeper._exchange)
    doorkeeper.app = BasicLogin(doorkeeper._show, logins)
    for number in range(20):
        doorkeeper_answer = asyncio.run(doorkeeper.ask(authorization=basic(f"u{number}", "wrong")))
        assert doorkeeper_answer.status_code == 401
    assert len(doorkeeper.asked) == 20
    assert (logins._tokens, logins._asked) == ({}, {})
    monkeypatch.setattr(basic_login, "_MOST_REMEMBERED", 5)
    for number in range(20):
        doorkeeper.sent_on(basic(f"u{number}"))
        assert len(logins._tokens) <= 5


def test_names_and_passwords_are_not_mixed_up(doorkeeper: Doorkeeper) -> None:
    """What is remembered of ``a`` and ``bc`` must not let ``ab`` and ``c`` in."""
    doorkeeper.sent_on(basic("ada"))
    login = base64.b64encode(f"adap:{PASSWORD[1:]}".encode()).decode()

    answer = asyncio.run(doorkeeper.ask(authorization=f"Basic {login}"))

    assert answer.status_code == 401


@pytest.mark.parametrize("header", ["origin", "sec-fetch-site"])
def test_login_that_a_browser_added_is_passed_on_as_it_is(
    doorkeeper: Doorkeeper, header: str
) -> None:
    assert doorkeeper.sent_on(basic(), **{header: "none"}) == [basic()]
    assert doorkeeper.asked == []


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer abc",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        basic(name=""),
        basic(name="ada\x00"),
        basic(password="a\x00b\x7f"),
        basic(name="ada\nroot"),
    ],
)
def test_what_is_no_login_is_passed_on_as_it_is(doorkeeper: Doorkeeper, authorization: str) -> None:
    assert doorkeeper.sent_on(authorization) == [authorization]
    assert doorkeeper.asked == []


def test_failure_of_the_check_is_no_wrong_password_and_tells_no_secret(
    doorkeeper: Doorkeeper, caplog: pytest.LogCaptureFixture
) -> None:
    doorkeeper.failure = ValueError(f"input was {PASSWORD}")
    with caplog.at_level(logging.DEBUG):
        answer = asyncio.run(doorkeeper.ask(authorization=basic()))

    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "ValueError" in caplog.text
    assert PASSWORD not in caplog.text + answer.text
    doorkeeper.failure = None
    assert doorkeeper.sent_on(basic()) == ["Bearer token-of-ada"]


def test_no_password_is_kept(doorkeeper: Doorkeeper) -> None:
    logins = Logins(doorkeeper._exchange)
    doorkeeper.app = BasicLogin(doorkeeper._show, logins)
    doorkeeper.sent_on(basic())

    kept = repr((vars(logins), logins, doorkeeper.app))
    assert "token-of-ada" in kept
    for form in (PASSWORD, repr(PASSWORD.encode()), basic().removeprefix("Basic ")):
        assert form not in kept
