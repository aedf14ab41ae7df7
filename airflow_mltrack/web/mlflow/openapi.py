"""The OpenAPI document of the protocol: what each endpoint reads, and the one shape of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from airflow_mltrack.web.mlflow import not_implemented
from airflow_mltrack.web.mlflow.errors import STATUS
from airflow_mltrack.web.mlflow.fields import schema_of
from airflow_mltrack.web.rendering import PRIVATE

if TYPE_CHECKING:
    from airflow_mltrack.web.mlflow.calls import Route

READING = APIRouter()
"""The endpoint below ``/api/2.0`` and ``/ajax-api/2.0`` that gives the document."""

_ERROR = {
    "type": "object",
    "properties": {
        "error_code": {"type": "string", "enum": sorted(STATUS)},
        "message": {"type": "string"},
    },
    "required": ["error_code", "message"],
    "additionalProperties": False,
}
_REFUSED = {
    "description": "What is wrong, and what to do.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


_FILE = {"schema": {"type": "string", "format": "binary"}}
_OBJECT = {"schema": {"type": "object"}}
"""What an answer holds is MLflow's to say: https://mlflow.org/docs/latest/api_reference/rest-api.html"""


@READING.get("/mlflow/openapi.json", response_class=JSONResponse)
def get_document(request: Request) -> JSONResponse:
    """Describe every endpoint that this server does."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return JSONResponse(describe_protocol(request.app, root), headers=PRIVATE)


def describe_route(route: Route) -> dict[str, Any]:
    """Return what the document says of an endpoint: what it reads, and how it answers."""
    in_path = [name for name in route.shape if f"{{{name}" in route.path]
    rest = {name: field for name, field in route.shape.items() if name not in in_path}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in in_path
    ]
    content = {"*/*": _FILE} if "presigned" in rest else {"application/json": _OBJECT}
    found: dict[str, Any] = {"parameters": parameters, "responses": {"200": {"content": content}}}
    if not route.by_query:
        body = {"content": {"application/json": {"schema": schema_of(rest)}}}
        return found | ({"requestBody": body} if rest else {})
    for name, field in rest.items():
        schema = dict(field.schema)
        listed = {"type": "array", "items": schema} if field.repeated else schema
        parameters.append(
            {"name": name, "in": "query", "required": field.required, "schema": listed}
        )
    return found


def describe_protocol(app: Any, root: str) -> dict[str, Any]:
    """Return the document.

    :param app: from :func:`~airflow_mltrack.web.mlflow.app.create_mlflow`.
    :param root: path at which it is mounted.
    """
    left_out = {route.path for route in not_implemented.ROUTES}
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        routes=[route for route in app.routes if getattr(route, "path", "") not in left_out],
        servers=[{"url": root or "/"}],
    )
    document["components"] = {"schemas": {"Error": _ERROR}}
    refused = {str(status): _REFUSED for status in sorted(set(STATUS.values()))}
    for path in document["paths"].values():
        for operation in path.values():
            # What does not fit its form is answered with 400, in the shape of all errors.
            operation["responses"].pop("422", None)
            operation["responses"].update(refused)
    return document
