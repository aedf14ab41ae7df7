from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import httpx
import pytest

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    ArtifactUnavailable,
    SchemaOutOfDate,
    StoreError,
    StoreUnavailable,
)
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.app import create_app
from tests.web.conftest import HeaderAccess

SECRET = "SELECT key FROM vault; postgresql://db.internal/mltrack password=hunter2 /srv/private"
HEADERS = {"x-reader": "ada", "accept": "text/html"}


def _answer(error: Exception, path: str = "/") -> httpx.Response:
    def fail() -> TrackingClient:
        raise error

    transport = httpx.ASGITransport(create_app(fail, HeaderAccess()), raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            return await browser.get(path, headers=HEADERS)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StoreUnavailable("db.internal", SECRET), 503),
        (ArtifactUnavailable("key", SECRET), 503),
        (StoreError(SECRET), 500),
        (RuntimeError(SECRET), 500),
        (OSError(2, SECRET, "/srv/private"), 500),
    ],
)
def test_failure_of_ours_shows_a_reference_that_the_log_explains(
    caplog: pytest.LogCaptureFixture, error: Exception, status: int
) -> None:
    with caplog.at_level(logging.ERROR, logger="airflow_mltrack.web"):
        answer = _answer(error)

    assert answer.status_code == status
    for part in ("hunter2", "SELECT", "db.internal", "/srv", "Traceback"):
        assert part not in answer.text
    reference = answer.text.split("under reference ")[1][:12]
    [record] = [item for item in caplog.records if item.name.startswith("airflow_mltrack.web")]
    assert reference in record.getMessage()
    assert record.exc_info
    assert record.exc_info[1] is error
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SchemaOutOfDate("0001", "0002"), "mltrack db upgrade"),
        (ArtifactCorrupt("plots/roc.png", "a", "b"), "restore it from a backup"),
    ],
)
def test_failure_that_names_no_place_says_what_to_do(error: Exception, words: str) -> None:
    answer = _answer(error)

    assert answer.status_code == 500
    assert words in answer.text


def test_line_break_in_an_address_cannot_forge_a_line_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _answer(StoreError("down"), "/runs/x%0AERROR%20forged")

    assert "\n" not in caplog.records[0].getMessage()


@pytest.mark.parametrize("path", ["/experiments/word", "/experiments/1.5"])
def test_address_of_the_wrong_kind_is_an_error_in_words(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path)

    assert answer.status_code == 400
    assert answer.text.startswith("<!doctype html>")


def test_number_that_no_database_holds_is_the_readers_error(browser: httpx.Client) -> None:
    assert browser.get(f"/experiments/{10**30}").status_code == 400


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/models/a%20b%3Fc%23d", "/mltrack/models/a%20b%3Fc%23d"),
        ("/experiments/1?filter=a%26b", "/mltrack/experiments/1?filter=a%26b"),
        ("//evil.example/", "/mltrack//evil.example/"),
    ],
)
def test_way_back_from_the_login_is_a_path_of_ours(
    browser: httpx.Client, path: str, back: str
) -> None:
    del browser.headers["x-reader"]
    answer = browser.get(f"{str(browser.base_url).rstrip('/')}{path}")

    if answer.status_code == 302:
        assert answer.headers["location"] == f"/login?next={back}"
    else:
        assert answer.status_code == 404


@pytest.fixture
def anonymous(browser: httpx.Client) -> Callable[[str], httpx.Response]:
    del browser.headers["x-reader"]
    return lambda method: browser.request(method, "/")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pages_are_for_reading(anonymous: Callable[[str], httpx.Response], method: str) -> None:
    assert anonymous(method).status_code == 405
