"""A page token that nobody was given leads nowhere, and to nothing that its sender may not see."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_mltrack.tracking.client import TrackingClient
from tests.web.conftest import HeaderAccess
from tests.web.fuzz.conftest import Target
from tests.web.fuzz.endpoints import Endpoint
from tests.web.fuzz.existing import fill
from tests.web.fuzz.hostile import any_text, any_value, write_json
from tests.web.fuzz.wire import JSON_LOGIN, Answer, Sent, Wire, request_budget, seed
from tests.web.mlflow.conftest import Rest, serving_protocol
from tests.web.mlflow.test_visibility import log_in_dag

_MOMENTS = (
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "2026-01-01T00:00:00"),
    *("1969-12-31T23:59:59+00:00", "2026-02-30T00:00:00Z", "20260101T000000Z"),
)
_NO_OFFSETS = ("-1", "1.5", "1e3", str(2**31), str(2**63), "9" * 15, "9" * 16, " 1", "\u0661")


def test_no_forged_token_breaks_a_search(local: Target) -> None:
    rnd = Random(seed())
    for number in range(4):  # so that every search has a second page
        fill(local.tracking, local.known, number)
    searches = [found for found in local.endpoints if _takes_token(found)]
    genuine = {str(found): _first_token(found, local) for found in searches}
    assert len({name.split("/")[-2] for name, token in genuine.items() if token}) >= 5
    every = [token for token in genuine.values() if token]
    with local.attacked("forged page tokens") as (wire, judge):
        for _ in range(max(400, request_budget() * 10 // 100)):
            endpoint = rnd.choice(searches)
            token = _forged(genuine[str(endpoint)] or rnd.choice(every), every, rnd)
            sent = _search(endpoint, local, token)
            judge.look(endpoint.kind, sent, wire.send(sent))


def test_a_token_of_another_search_is_refused(local: Target) -> None:
    for number in range(3):
        fill(local.tracking, local.known, number)
    searches = [
        found for found in local.endpoints if _takes_token(found) and found.path.endswith("/search")
    ]
    genuine = {str(found): _first_token(found, local) for found in searches}
    wire = Wire(local.port)
    for endpoint in searches:
        for name, token in genuine.items():
            # The same search has several addresses, and some take GET and POST.
            if token and name.split("/")[-2:] != str(endpoint).split("/")[-2:]:
                answer = wire.send(_search(endpoint, local, token))
                assert answer.status == 400, (endpoint, name)
                assert b"page_token" in answer.body
    wire.close()


@pytest.fixture
def secrets(local: Target) -> Iterator[tuple[TrackingClient, str]]:
    with serving_protocol(local.tracking, HeaderAccess()) as uri:
        yield local.tracking, uri


def test_a_token_of_somebody_else_shows_nothing_more(secrets: tuple[TrackingClient, str]) -> None:
    tracking, uri = secrets
    made = [log_in_dag(tracking, dag, "tokens") for dag in ("open", "secret") * 4]
    hidden = {made[number].run_id for number in range(1, 8, 2)}
    search = {"experiment_ids": [str(made[0].experiment_id)], "max_results": 1}
    seeing = Rest(uri, **{"x-reader": "ada", "x-dags": "open,secret", "x-role": "writer"})
    eve = Rest(uri, **{"x-reader": "eve", "x-dags": "open", "x-role": "writer"})
    token = ""
    for _ in range(len(made) - 1):
        found = seeing.post("/runs/search", {**search, "page_token": token})
        token = found["next_page_token"]
        answer = eve.ask("POST", "/runs/search", {**search, "max_results": 50, "page_token": token})
        assert answer.status_code in (200, 400)
        assert not [run_id for run_id in hidden if run_id in answer.text]
    seeing.close()
    eve.close()


def _takes_token(endpoint: Endpoint) -> bool:
    body = {} if endpoint.body is None else endpoint.body.get("properties", {})
    return "page_token" in endpoint.in_query or "page_token" in body


def _search(endpoint: Endpoint, target: Target, token: object) -> Sent:
    rnd = Random(0)
    fields: dict[str, Any] = {} if token is None else {"page_token": token}
    shape = endpoint.in_query or (endpoint.body or {}).get("properties", {})
    if "max_results" in shape or "limit" in shape:
        fields["max_results" if "max_results" in shape else "limit"] = 1
    for name in ("run_id", "metric_key"):
        if name in shape:
            fields[name] = target.known.pick(name, {"type": "string"}, rnd)
    if "experiment_ids" in shape:
        fields["experiment_ids"] = [
            str(item["experiment_id"]) for item in _experiments(target)["experiments"]
        ]
    path = endpoint.path
    for name in endpoint.in_path:
        found = target.known.pick(name, {"type": "string"}, rnd)
        path = path.replace(f"{{{name}}}", urlencode({"": found})[1:].replace("+", "%20"))
    if endpoint.in_query:
        query = urlencode(fields, doseq=True, encoding="utf-8", errors="surrogatepass")
        return Sent(endpoint.method, f"{path}?{query}".encode(), b"", JSON_LOGIN)
    return Sent(endpoint.method, path.encode(), write_json(fields, rnd, mischief=0), JSON_LOGIN)


def _experiments(target: Target) -> Any:
    if not hasattr(target, "found_experiments"):
        place = "/api/2.0/mlflow/experiments/search?max_results=50"
        answer = _once(target, Sent("GET", place.encode()))
        target.found_experiments = answer.json()  # type: ignore[attr-defined]
    return target.found_experiments  # type: ignore[attr-defined]


def _first_token(endpoint: Endpoint, target: Target) -> str | None:
    answer = _once(target, _search(endpoint, target, None))
    if answer.status != 200 or "json" not in answer.headers.get("content-type", ""):
        return None
    found = answer.json().get("next_page_token")
    return None if found is None else str(found)


def _once(target: Target, sent: Sent) -> Answer:
    wire = Wire(target.port)
    try:
        return wire.send(sent)
    finally:
        wire.close()


def _forged(token: str, every: list[str], rnd: Random) -> object:
    """Change a token: its bytes, its values, or all of it."""
    way = rnd.random()
    if way < 0.15:
        at = rnd.randrange(len(token))
        return token[:at] + rnd.choice("AZaz09-_=+/.\x00é") + token[at + 1 :]
    if way < 0.2:
        return rnd.choice(every)
    if way < 0.3:
        return rnd.choice([any_text(rnd), "=" * 9, token * 50, token[:-1], *_NO_OFFSETS])
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        return rnd.choice(_NO_OFFSETS)
    if way < 0.9 and isinstance(content, list) and len(content) == 3:
        content[rnd.choice((1, 2, 2, 2, 2, 2))] = _values(content[2], rnd)
    else:
        content = any_value(rnd)
    written = write_json(content, rnd, mischief=0.03)
    return base64.urlsafe_b64encode(written).decode()


def _values(values: Any, rnd: Random) -> Any:
    if not isinstance(values, list) or rnd.random() < 0.1:
        return any_value(rnd)
    return [_value(value, rnd) if rnd.random() < 0.7 else value for value in values]


def _value(value: object, rnd: Random) -> object:
    """Give another value, mostly of the same type: then it is read, and goes to the database."""
    if rnd.random() < 0.2:
        return any_value(rnd)
    if isinstance(value, str):
        return rnd.choice([any_text(rnd), rnd.choice(_MOMENTS)])
    big = [2**31, 2**63 - 1, -(2**63), 2**63, 10**40, 0, -1, 1.5, 1e308, float("nan"), float("inf")]
    return rnd.choice(big)
