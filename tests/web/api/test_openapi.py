"""The OpenAPI document: enough to generate a client, and true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.web.routes import CHANGING
from tests.web.test_guards import API

REST = Path(__file__).parents[3] / "docs" / "rest.md"


@pytest.fixture
def document(api: httpx.Client) -> dict[str, Any]:
    answer = api.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_document_names_every_route_and_where_it_is_served(document: dict[str, Any]) -> None:
    described = {(method, f"/api{path}") for method, path, _ in _operations(document)}

    assert described == {(route.method, route.path) for route in API}
    assert document["servers"] == [{"url": "/mltrack/api"}]
    assert document["openapi"].startswith("3.1")


def test_every_operation_can_become_a_function(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    for method, path, operation in _operations(document):
        assert re.fullmatch(r"[a-z_]+", operation["operationId"])
        assert operation["description"]
        for name in re.findall(r"{(\w+)}", path):
            assert any(found["name"] == name for found in operation["parameters"])
        has_body = method in CHANGING - {"DELETE"}
        assert ("requestBody" in operation) == has_body
        if has_body:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert schema["$ref"].endswith("Body")


def test_every_answer_and_every_error_has_a_model(document: dict[str, Any]) -> None:
    for _, path, operation in _operations(document):
        answers = dict(operation["responses"])
        assert "422" not in answers
        [good] = [status for status in answers if status.startswith("2")]
        content = answers.pop(good).get("content", {})
        if good != "204" and "application/json" in content and path != "/v1/openapi.json":
            ref = content["application/json"]["schema"]["$ref"]
            assert re.search(r"Response$", ref)
        assert {"400", "401", "403", "404", "409", "500", "503"} <= set(answers)
        for answer in answers.values():
            schema = answer["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorResponse"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    refs = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))

    assert refs
    assert refs == set(schemas)


def test_bodies_are_closed_and_their_texts_have_an_end(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = {name: schema for name, schema in schemas.items() if name.endswith("Body")}
    assert bodies
    for name, schema in bodies.items():
        assert schema["additionalProperties"] is False, name
        for field, facts in schema["properties"].items():
            for kind in facts.get("anyOf", [facts]):
                if kind.get("type") == "string" and "enum" not in kind and "const" not in kind:
                    assert "maxLength" in kind, (name, field)


@pytest.mark.parametrize("route", API, ids=str)
def test_documentation_has_a_line_for_every_route(route: Any) -> None:
    path = route.path.removeprefix("/api/v1")

    assert f"| `{route.method} {path}` |" in REST.read_text(encoding="utf-8")


def test_documentation_names_no_other_route_and_every_code() -> None:
    from airflow_mltrack.web.http_errors import HTTP_ERRORS

    text = REST.read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", text, re.MULTILINE))
    assert named == {f"{route.method} {route.path.removeprefix('/api/v1')}" for route in API}
    codes = {answer.code for answer in HTTP_ERRORS.values()} | {
        "INVALID_REQUEST",
        "UNAUTHENTICATED",
        "FORBIDDEN",
        "NO_SUCH_ROUTE",
        "METHOD_NOT_ALLOWED",
        "BODY_TOO_LARGE",
    }
    assert {code for code in codes if f"`{code}`" not in text} == set()
