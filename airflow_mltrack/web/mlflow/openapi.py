"""The OpenAPI document of the protocol: what each endpoint reads, and the one shape of errors."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from airflow_mltrack.web.mlflow import not_implemented
from airflow_mltrack.web.mlflow.errors import STATUS
from airflow_mltrack.web.rendering import PRIVATE

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


@READING.get("/mlflow/openapi.json", response_class=JSONResponse)
def get_document(request: Request) -> JSONResponse:
    """Describe every endpoint that this server does."""
    root = re.sub(r"/+$", "", str(request.scope.get("root_path", "")))
    return JSONResponse(describe_protocol(request.app, root), headers=PRIVATE)


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
