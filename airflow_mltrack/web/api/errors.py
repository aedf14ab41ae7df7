"""Answers every error below ``/api`` in one JSON shape."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from airflow_mltrack.exceptions import MltrackError
from airflow_mltrack.web.bodies.errors import ErrorResponse
from airflow_mltrack.web.http_errors import ErrorFacts, describe
from airflow_mltrack.web.rendering import PRIVATE

_HINTS = {
    HTTPStatus.UNAUTHORIZED: "Send a token that Airflow gives: POST /auth/token",
    HTTPStatus.FORBIDDEN: "Reading needs the permission to read assets, changing to edit them.",
    HTTPStatus.NOT_FOUND: "The routes are listed in v1/openapi.json.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The routes are listed in v1/openapi.json.",
}
_CODES = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.NOT_FOUND: "NO_SUCH_ROUTE",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "BODY_TOO_LARGE",
}
_MOST_REASONS = 20

ERROR_ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": words}
    for status, words in {
        400: "A value breaks a rule.",
        401: "Nobody is logged in.",
        403: "Not allowed, or an approval that would not count.",
        404: "There is no such thing.",
        409: "Refused by the model's rules, or changed by somebody else.",
        500: "Something has failed; the message holds a reference into the log.",
        503: "Database or artifact store cannot be reached; a retry may help.",
    }.items()
}
"""For the OpenAPI document."""


def add_json_errors(api: FastAPI) -> None:
    """Answer every error of the API."""
    api.add_exception_handler(HTTPException, _on_http_error)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(MltrackError, _on_failure)
    api.add_exception_handler(Exception, _on_failure)


def _on_http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # the handler is only called with one
        raise error
    status = HTTPStatus(error.status_code)
    facts = ErrorFacts(
        status.value,
        _CODES.get(status, status.name),
        str(error.detail) or status.phrase,
        hint=_HINTS.get(status, ""),
    )
    return _answer(facts, error.headers)


def _on_invalid(_request: Request, error: Exception) -> Response:
    """Say what is wrong with body and address, in our shape; what was sent is not repeated."""
    if not isinstance(error, RequestValidationError):  # the handler is only called with one
        raise error
    found = error.errors()
    reasons = [_problem(item) for item in found[:_MOST_REASONS]]
    if len(found) > _MOST_REASONS:
        reasons.append(f"and {len(found) - _MOST_REASONS} more")
    return _answer(
        ErrorFacts(
            400,
            "INVALID_REQUEST",
            "The request is not valid.",
            tuple(reasons),
            "The form of every body is in v1/openapi.json; bodies are sent as application/json.",
        )
    )


def _problem(item: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"])
    return f"{place[:200]}: {str(item['msg']).removeprefix('Value error, ')}"


def _on_failure(request: Request, error: Exception) -> Response:
    return _answer(describe(error, request))


def _answer(facts: ErrorFacts, headers: Any = None) -> Response:
    return JSONResponse(
        ErrorResponse.of(facts).model_dump(),
        status_code=facts.status,
        headers={**(headers or {}), **PRIVATE},
    )
