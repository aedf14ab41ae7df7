"""What a served app has to offer, taken from its live routes: nothing here lists them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import Mount

from airflow_mltrack.web.mlflow.mounting import CAPABILITY_PLACES, PLACES

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """One method of one path, and what it reads."""

    method: str
    path: str
    """From the root of the server, parameters in braces."""
    kind: str
    """``protocol``, ``api`` or ``page``."""
    in_path: Mapping[str, Schema] = field(default_factory=dict)
    in_query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    """Schema of a JSON body."""
    takes_file: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def endpoints_of(app: Any) -> list[Endpoint]:
    """Find every endpoint of an app, of those mounted in it, and behind middleware."""
    found = {str(endpoint): endpoint for endpoint in _below(app, "")}
    return list(found.values())


def apps_of(app: Any, prefix: str = "") -> Iterator[tuple[str, FastAPI]]:
    """Find every app with routes, and where it is mounted."""
    while not isinstance(app, FastAPI):
        app = app.app
    yield prefix, app
    for route in app.routes:
        if isinstance(route, Mount):
            yield from apps_of(route.app, prefix + route.path)


def _below(app: Any, prefix: str) -> Iterator[Endpoint]:
    for place, mounted in apps_of(app, prefix):
        yield from _of_app(mounted, place)
        for route in mounted.routes:
            # A whole app that answers at one path.
            inner = getattr(route, "app", None)
            if not isinstance(route, Mount) and (hasattr(inner, "routes") or hasattr(inner, "app")):
                found = _of_app(next(apps_of(inner))[1], place)
                path = place + str(getattr(route, "path", ""))
                yield from (endpoint for endpoint in found if endpoint.path == path)


def _of_app(app: FastAPI, place: str) -> Iterator[Endpoint]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pages answer GET and HEAD under one name
        document = get_openapi(title="x", version="1", routes=app.routes)
    schemas = document.get("components", {}).get("schemas", {})
    kind = _kind(app, place)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield _endpoint(method.upper(), place + path, kind, operation, schemas)


def _endpoint(
    method: str, path: str, kind: str, operation: Schema, schemas: Mapping[str, Schema]
) -> Endpoint:
    parameters = operation.get("parameters", ())
    content = operation.get("requestBody", {}).get("content", {})
    body = content.get("application/json", {}).get("schema")
    places = {
        where: {
            item["name"]: resolved(item["schema"], schemas)
            for item in parameters
            if item["in"] == where
        }
        for where in ("path", "query")
    }
    return Endpoint(
        method,
        path,
        kind,
        places["path"],
        places["query"],
        None if body is None else resolved(body, schemas),
        "application/octet-stream" in content,
    )


def resolved(schema: Any, schemas: Mapping[str, Schema], depth: int = 0) -> Any:
    """Put what a reference leads to in its place."""
    if isinstance(schema, list):
        return [resolved(item, schemas, depth) for item in schema]
    if not isinstance(schema, Mapping) or depth > 12:
        return schema
    if "$ref" in schema:
        return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    return {key: resolved(value, schemas, depth) for key, value in schema.items()}


def _kind(app: FastAPI, place: str) -> str:
    if app.title == "MLflow's protocol" or place.endswith((*PLACES, *CAPABILITY_PLACES)):
        return "protocol"
    return "api" if place.endswith("/api") else "page"
