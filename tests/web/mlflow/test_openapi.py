"""The OpenAPI document of the protocol: every endpoint that is done, and the shape of errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_mltrack.web.mlflow import not_implemented
from airflow_mltrack.web.mlflow.routes import ROUTERS, ROUTES
from tests.web.mlflow.conftest import House
from tests.web.routes import walk


@pytest.fixture(scope="module")
def document(house: House) -> dict[str, Any]:
    answer = httpx.get(f"{house.address}/api/2.0/mlflow/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_document_names_what_is_done_and_where_it_is_served(document: dict[str, Any]) -> None:
    left_out = {route.path for route in not_implemented.ROUTES}
    done = {(route.method, route.path) for route in ROUTES if route.path not in left_out}
    for routers in ROUTERS.values():
        done |= {(found.method, found.path) for router in routers for found in walk(router)}

    described = {(method, path) for method, path, _ in _operations(document)}

    assert described == {(method, path.replace(":path}", "}")) for method, path in done}
    assert document["servers"] == [{"url": "/mltrack/api/2.0"}]
    assert document["openapi"].startswith("3.1")


def test_every_operation_can_become_a_function(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    for _, path, operation in _operations(document):
        in_path = [item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"{(\w+)}", path)), path


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    shape = document["components"]["schemas"]["Error"]
    assert shape["required"] == ["error_code", "message"]
    assert shape["additionalProperties"] is False
    for _, path, operation in _operations(document):
        errors = {status for status in operation["responses"] if int(status) >= 400}
        assert errors == {"400", "401", "403", "404", "500", "501", "503"}, path
        for status in errors:
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}


def test_numbers_are_described_as_they_are_read(document: dict[str, Any]) -> None:
    body = document["paths"]["/mlflow/runs/log-metric"]["post"]["requestBody"]
    fields = body["content"]["application/json"]["schema"]["properties"]
    number, text = fields["step"]["anyOf"]
    assert (number["minimum"], number["maximum"]) == (-(2**63), 2**63 - 1)
    assert re.fullmatch(text["pattern"], "-7")
    assert not re.fullmatch(text["pattern"], "7.5")
    words = fields["value"]["anyOf"][1]["pattern"]
    for sent in ("NaN", "Infinity", "-Infinity", "0.5", "-1e-3"):
        assert re.fullmatch(words, sent)
    assert not re.fullmatch(words, "nan")


def test_files_are_described_as_files(document: dict[str, Any]) -> None:
    download = document["paths"]["/mlflow-artifacts/artifacts/{path}"]["get"]
    assert list(download["responses"]["200"]["content"]) == ["*/*"]
