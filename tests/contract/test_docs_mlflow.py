"""The page on MLflow's protocol names every endpoint that there is, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from airflow_mltrack.web.mlflow import not_implemented
from airflow_mltrack.web.mlflow.calls import Route
from airflow_mltrack.web.mlflow.routes import CAPABILITY_ROUTES, ROOT_ROUTES, ROUTERS, ROUTES

PAGE = (Path(__file__).parents[2] / "docs" / "mlflow-compatibility.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `(GET|POST|PUT|PATCH|DELETE) (\S+?)` \|", re.MULTILINE)


def _done(routes: Iterable[Route], *, below: str = "") -> set[tuple[str, str]]:
    refused = [id(route) for route in not_implemented.ROUTES]
    return {(item.method, below + item.path) for item in routes if id(item) not in refused}


def _endpoints() -> set[tuple[str, str]]:
    found = _done(ROUTES) | _done(CAPABILITY_ROUTES, below="/api/3.0") | _done(ROOT_ROUTES)
    for routers in ROUTERS.values():
        for route in (route for router in routers for route in router.routes):
            path = str(getattr(route, "path", ""))
            found |= {(method, path) for method in getattr(route, "methods", ())}
    return {(method, path.replace(":path}", "}")) for method, path in found}


def test_every_endpoint_has_its_row() -> None:
    rows = _ROW.findall(PAGE)
    assert set(rows) == _endpoints()
    assert len(rows) == len(set(rows))


def test_every_part_that_is_not_done_is_named() -> None:
    families = {route.path.split("/")[2] for route in not_implemented.ROUTES}
    assert {name for name in families if f"`{name}`" not in PAGE} == set()
