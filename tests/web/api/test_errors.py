"""One JSON shape for every error, whatever went wrong and wherever."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import httpx
import pytest

from airflow_mltrack.exceptions import StoreUnavailable
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.app import create_app
from tests.web.conftest import HeaderAccess
from tests.web.routes import FoundRoute, ask
from tests.web.test_guards import API

SECRET = "postgresql://db.internal/mltrack password=hunter2"
PROMOTER = {"x-reader": "olga", "x-role": "promoter", "authorization": "Bearer t"}


def _check_shape(answer: httpx.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "reasons", "hint"}
    assert error["code"]
    assert error["code"] == error["code"].upper()
    assert error["message"]
    assert isinstance(error["reasons"], list)
    return dict(error)


def _ask(
    error: Exception, method: str, path: str, headers: Mapping[str, str] = PROMOTER
) -> httpx.Response:
    """Ask an app whose client is not to be had."""

    def fail() -> TrackingClient:
        raise error

    return ask(create_app(fail, HeaderAccess()), method, path, headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/nope", 404),
        ("POST", "/api/v2/models", 404),
        ("GET", "/api/v1/models/", 404),
        ("GET", "/api/v1/docs", 404),
        ("GET", "/api/openapi.json", 404),
        ("DELETE", "/api/v1/models", 405),
        ("GET", "/api/v1/models/credit/rollback", 405),
        ("OPTIONS", "/api/v1/models", 405),
    ],
)
def test_address_that_is_no_route_is_answered_in_json(method: str, path: str, status: int) -> None:
    for accept in ("application/json", "text/html"):
        answer = _ask(AssertionError(), method, path, {"accept": accept})
        _check_shape(answer, status)
        assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("route", API, ids=str)
def test_every_route_answers_its_errors_in_one_shape(route: FoundRoute) -> None:
    _check_shape(_ask(AssertionError(), route.method, route.address(), {}), 401)
    if route.path == "/api/v1/openapi.json":
        return  # needs no client
    away = _ask(StoreUnavailable("db.internal", SECRET), route.method, route.address())
    assert _check_shape(away, 503)["code"] == "STORE_UNAVAILABLE"
    assert "internal" not in away.text
    assert "hunter2" not in away.text


def test_failure_that_nobody_foresaw_is_told_with_a_reference_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, logger="airflow_mltrack.web"):
        answer = _ask(RuntimeError(SECRET), "GET", "/api/v1/models")

    error = _check_shape(answer, 500)
    assert error["code"] == "INTERNAL"
    assert "hunter2" not in answer.text
    reference = str(error["hint"]).split("under reference ")[1][:12]
    assert any(reference in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/credit/versions/0", 400),
        ("/models/credit/versions/one", 400),
        (f"/models/credit/versions/{10**30}", 400),
        ("/models/credit/versions/1", 404),
        ("/models/nope", 404),
        (f"/models/{'x' * 300}", 400),
        ("/models/%00", 400),
        ("/models/nope/history", 404),
        ("/models/nope/live", 404),
        ("/models/nope/versions/1/verdicts", 404),
        ("/models/nope/versions/1/approvals", 404),
        ("/models/nope/versions/1/evidence", 404),
        ("/models?limit=0", 400),
        ("/models?limit=1001", 400),
        ("/models/credit/versions?page_token=x", 400),
        ("/models/credit/live?at=yesterday", 400),
        ("/models/credit/live?at=2026-01-01T00:00", 400),
        ("/audit?model=nope", 404),
        ("/webhooks/nope/deliveries", 404),
        ("/webhooks/nope/deliveries?state=LOST", 400),
    ],
)
def test_address_that_leads_to_nothing_or_breaks_a_rule_says_which(
    api: httpx.Client, path: str, status: int
) -> None:
    api.post("/models", json={"name": "credit"})

    _check_shape(api.get(path), status)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"name": "m"', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b'{"name": "m"}', "text/plain"),
        (b'{"name": "m"}', "application/x-www-form-urlencoded"),
        (b"name=m", "application/x-www-form-urlencoded"),
        (b"", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"name": ' + b"1" * 10_000 + b"}", "application/json"),
        (b'{"name": "\\ud800"}', "application/json"),
        (b'{"name": NaN}', "application/json"),
    ],
)
def test_body_that_is_no_json_makes_nothing(api: httpx.Client, content: bytes, kind: str) -> None:
    answer = api.post("/models", content=content, headers={"content-type": kind})

    _check_shape(answer, 400)
    assert api.get("/models").json()["models"] == []


@pytest.mark.parametrize("length", ["announced", "streamed"])
def test_body_that_no_route_needs_is_not_read_to_its_end(api: httpx.Client, length: str) -> None:
    piece = b" " * 65_536

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield piece

    content = piece * 40 if length == "announced" else pieces()
    answer = api.post("/models", content=content, headers={"content-type": "application/json"})

    assert _check_shape(answer, 413)["code"] == "BODY_TOO_LARGE"


def test_what_was_sent_is_not_repeated(api: httpx.Client) -> None:
    answer = api.post("/models", json={"name": "m", "password": "hunter2"})

    error = _check_shape(answer, 400)
    assert error["reasons"] == ["body.password: Extra inputs are not permitted"]
    assert "hunter2" not in answer.text


def test_very_many_mistakes_are_counted_not_listed(api: httpx.Client) -> None:
    answer = api.post("/models", json={f"k{number}": 1 for number in range(5_000)})

    reasons = _check_shape(answer, 400)["reasons"]
    assert isinstance(reasons, list)
    assert len(reasons) == 21
    assert len(answer.content) < 4_000
