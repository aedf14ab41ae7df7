"""Who gets past the guards of the app; with Airflow's own answers: tests/integration."""

from __future__ import annotations

import itertools

import httpx
import pytest
from starlette.types import Scope

from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.app import create_app
from airflow_mltrack.web.basic_login import Exchange
from airflow_mltrack.web.mlflow.calls import Needs
from airflow_mltrack.web.mlflow.mounting import CAPABILITY_PLACES, PLACES
from airflow_mltrack.web.mlflow.routes import CAPABILITY_ROUTES as ROUTES_3
from airflow_mltrack.web.mlflow.routes import ROOT_ROUTES, ROUTERS
from airflow_mltrack.web.mlflow.routes import ROUTES as ROUTES_2
from tests.web.conftest import HeaderAccess
from tests.web.routes import CHANGING, FoundRoute, ask, walk


def _no_client() -> TrackingClient:
    raise AssertionError


async def _no_token(_name: str, _password: str, _scope: Scope) -> str | None:
    return None


class PasswordAccess(HeaderAccess):
    """Knows passwords, too; the protocol is then behind a middleware."""

    in_airflow = True
    exchange: Exchange | None = staticmethod(_no_token)


ACCESS = HeaderAccess()
APP = create_app(_no_client, ACCESS)
"""Never gets past its guards: nothing in it is changed by a test."""
ROUTES = list(walk(APP))
API = [route for route in ROUTES if route.path.startswith("/api/v1/")]
CHANGES = [route for route in API if route.method in CHANGING]
ROOT_PATHS = {route.path for route in ROOT_ROUTES}
PROTOCOL = [
    route
    for route in ROUTES
    if route.path in ROOT_PATHS or route.path.startswith(("/ajax-api/", "/api/2.0/", "/api/3.0/"))
]
PAGES = [route for route in ROUTES if route not in API and route not in PROTOCOL]


def test_there_are_routes_of_both_kinds() -> None:
    assert {"/", "/models/{name}", "/api/v1/models/{name}"} <= {route.path for route in ROUTES}
    assert len(CHANGES) >= 10
    assert {route.path for route in ROUTES} >= ROOT_PATHS


@pytest.mark.parametrize("access", [HeaderAccess(), PasswordAccess()], ids=["tokens", "passwords"])
def test_every_route_asks_who_is_there(access: HeaderAccess) -> None:
    routes = list(walk(create_app(_no_client, access)))
    who = {"_reader_from_headers", "_writer_from_headers", "_promoter_from_headers"}

    assert [str(route) for route in routes] == [str(route) for route in ROUTES]
    assert [route for route in routes if "guard" not in route.asks] == []
    assert [route for route in routes if not who & set(route.asks)] == []


def test_every_route_of_the_protocol_asks_for_what_its_table_says() -> None:
    found = {(route.method, route.path): set(route.asks) for route in PROTOCOL}
    expected = set()
    for places, routes in ((PLACES, ROUTES_2), (CAPABILITY_PLACES, ROUTES_3), (("",), ROOT_ROUTES)):
        for place, route in itertools.product(places, routes):
            expected.add((route.method, place + route.path, route.needs))
    for place, (needs, routers) in itertools.product(PLACES, ROUTERS.items()):
        for router in routers:
            expected |= {(found.method, place + found.path, needs) for found in walk(router)}

    assert {(method, path) for method, path, _ in expected} == set(found)
    for method, path, needs in expected:
        asks = found[method, path]
        assert ("_writer_from_headers" in asks) == (needs is Needs.WRITE), path
        assert ("_promoter_from_headers" in asks) == (needs is Needs.PROMOTE), path
        assert ("check_intended" in asks) == (needs is not Needs.READ), path


def test_stranger_gets_401_and_one_who_may_only_read_403_from_the_protocol() -> None:
    for route in PROTOCOL:
        anonymous = ask(APP, route.method, route.address())
        assert anonymous.status_code == 401, route
        assert anonymous.json()["error_code"] == "UNAUTHENTICATED", route
        if "check_intended" in route.asks:
            headers = {"x-reader": "vera", "authorization": "Bearer t"}
            reader = ask(APP, route.method, route.address(), headers)
            assert reader.status_code == 403, route
            assert reader.json()["error_code"] == "PERMISSION_DENIED", route


@pytest.mark.parametrize("route", PAGES, ids=str)
def test_pages_change_nothing(route: FoundRoute) -> None:
    assert route.method in ("GET", "HEAD")


@pytest.mark.parametrize("route", CHANGES, ids=str)
def test_every_change_asks_for_the_right_to_promote_for_intent_and_is_recorded(
    route: FoundRoute,
) -> None:
    assert {"_promoter_from_headers", "check_intended"} <= set(route.asks)
    assert {"_record", "_record_discreetly"} & set(route.asks)


@pytest.mark.parametrize("route", [*API, *PAGES], ids=str)
def test_only_changes_and_webhooks_ask_for_more_than_reading(route: FoundRoute) -> None:
    more = route.method in CHANGING or "/webhooks" in route.path
    assert ("_promoter_from_headers" in route.asks) == more


@pytest.mark.parametrize("route", API, ids=str)
def test_stranger_gets_401_and_one_who_may_only_read_403_where_something_changes(
    route: FoundRoute,
) -> None:
    anonymous = ask(APP, route.method, route.address())
    assert anonymous.status_code == 401
    assert anonymous.json()["error"]["code"] == "UNAUTHENTICATED"
    if route in CHANGES or "/webhooks" in route.path:
        reader = ask(
            APP, route.method, route.address(), {"x-reader": "vera", "authorization": "Bearer t"}
        )
        assert reader.status_code == 403
        assert reader.json()["error"]["code"] == "FORBIDDEN"
    assert ACCESS.recorded == []


@pytest.mark.parametrize("route", CHANGES, ids=str)
def test_change_that_another_site_could_ask_for_is_refused(
    route: FoundRoute,
) -> None:
    for authorization in (None, "", "Basic b2xnYTpwYXNz", "Bearer", "bearer", "Negotiate x"):
        headers = {"x-reader": "olga", "x-role": "promoter"}
        if authorization is not None:
            headers["authorization"] = authorization

        answer = ask(APP, route.method, route.address(), headers)

        assert answer.status_code == 403, authorization
        assert "X-MLTrack: 1" in answer.json()["error"]["message"]
    assert ACCESS.recorded == []


def test_cookie_with_the_header_and_a_token_alone_may_change(url: str) -> None:
    for number, proof in enumerate(({"X-MLTrack": "1"}, {"Authorization": "Bearer token"})):
        headers = {"x-reader": "olga", "x-role": "promoter", **proof}
        answer = httpx.post(f"{url}/api/v1/models", json={"name": f"m{number}"}, headers=headers)
        assert answer.status_code == 201


def test_changes_are_recorded_under_the_name_of_the_operation(
    api: httpx.Client, access: HeaderAccess
) -> None:
    api.post("/models", json={"name": "credit"})
    api.put("/models/credit/aliases/champion", json={"version": 1})
    api.get("/models")

    assert access.recorded == [("create_model", True), ("set_alias", True)]


def test_body_that_may_hold_a_secret_is_not_recorded(
    api: httpx.Client, access: HeaderAccess
) -> None:
    api.post("/webhooks", json={"url": "https://hooks.example/secret"})

    assert access.recorded == [("create_webhook", False)]
