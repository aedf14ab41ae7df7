"""The OpenAPI document, complete enough to generate a client from it."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from airflow_mltrack.web.rendering import PRIVATE

reading = APIRouter(tags=["openapi"])


@reading.get("/openapi.json", response_class=JSONResponse, response_model=dict[str, Any])
def get_document(request: Request) -> JSONResponse:
    """Describe every route, body, answer and error."""
    root = re.sub(r"/+$", "", str(request.scope.get("root_path", "")))
    return JSONResponse(describe_api(request.app, root), headers=PRIVATE)


def describe_api(api: Any, root: str) -> dict[str, Any]:
    """Return the document.

    :param root: path at which the API is mounted.
    """
    document: dict[str, Any] = get_openapi(
        title=api.title,
        version=api.version,
        summary=api.summary,
        routes=api.routes,
        servers=[{"url": root or "/"}],
    )
    for path in document["paths"].values():
        for operation in path.values():
            # What does not fit its form is answered with 400, in the shape of all errors.
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document
