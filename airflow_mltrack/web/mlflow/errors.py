"""MLflow's errors: one shape, its codes and statuses, and ours in its words."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from airflow_mltrack import exceptions
from airflow_mltrack.web.http_errors import describe
from airflow_mltrack.web.rendering import PRIVATE

INVALID = "INVALID_PARAMETER_VALUE"
MISSING = "RESOURCE_DOES_NOT_EXIST"
EXISTS = "RESOURCE_ALREADY_EXISTS"
BAD_REQUEST = "BAD_REQUEST"
DENIED = "PERMISSION_DENIED"
UNAUTHENTICATED = "UNAUTHENTICATED"
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"
NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"
INTERNAL = "INTERNAL_ERROR"

STATUS = {
    INVALID: 400,
    EXISTS: 400,
    BAD_REQUEST: 400,
    UNAUTHENTICATED: 401,
    DENIED: 403,
    MISSING: 404,
    NO_ENDPOINT: 404,
    INTERNAL: 500,
    NOT_IMPLEMENTED: 501,
    UNAVAILABLE: 503,
}
"""HTTP status of each code. Clients up to 3.17 send any POST again after 408, 429, 500, 502, 503
and 504, so none of these is ever given for a request that was carried out."""

_CODES: dict[type[Exception], str] = {
    exceptions.NotFound: MISSING,
    exceptions.InvalidInput: INVALID,
    exceptions.Conflict: INVALID,
    # Not 5xx, which older clients would try again; and not 409, for which they have no class.
    exceptions.PromotionRefused: DENIED,
    exceptions.ApprovalRefused: DENIED,
    exceptions.StoreUnavailable: UNAVAILABLE,
    exceptions.ArtifactUnavailable: UNAVAILABLE,
}
_HTTP_CODES = {
    HTTPStatus.UNAUTHORIZED: UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: DENIED,
    HTTPStatus.NOT_FOUND: NO_ENDPOINT,
    HTTPStatus.METHOD_NOT_ALLOWED: NO_ENDPOINT,
}


class MlflowError(Exception):
    """An error that is answered in MLflow's shape.

    :param code: one of the codes above.
    :param message: what is wrong, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def invalid(message: str) -> MlflowError:
    """Return the error for a field that breaks a rule."""
    return MlflowError(INVALID, message)


def add_errors(app: FastAPI) -> None:
    """Answer every error of the app in MLflow's shape."""
    app.add_exception_handler(MlflowError, _on_mlflow_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(exceptions.MltrackError, _on_failure)
    app.add_exception_handler(Exception, _on_failure)


def error_response(
    code: str, message: str, *, status: int | None = None, headers: Any = None
) -> Response:
    """Build the answer for an error."""
    return JSONResponse(
        {"error_code": code, "message": message},
        status_code=STATUS[code] if status is None else status,
        headers={**(headers or {}), **PRIVATE},
    )


def _on_mlflow_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, MlflowError):  # the handler is only called with one
        raise error
    return error_response(error.code, error.message)


def _on_http_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # the handler is only called with one
        raise error
    status = HTTPStatus(error.status_code)
    code = _HTTP_CODES.get(status, BAD_REQUEST if status < 500 else INTERNAL)
    words = str(error.detail) or status.phrase
    if code == NO_ENDPOINT:
        words = "There is no such endpoint; docs/mlflow-compatibility.md lists those there are."
    # A client knows 404 and 405 alike as "this server does not have it".
    kept = 404 if code == NO_ENDPOINT else status.value
    return error_response(code, words, status=kept, headers=error.headers)


def _on_invalid(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):  # the handler is only called with one
        raise error
    places = sorted({".".join(str(part) for part in item["loc"][1:]) for item in error.errors()})
    return error_response(INVALID, f"Invalid value for parameter {', '.join(places)[:200]!r}.")


def _on_failure(request: Request, error: Exception) -> Response:
    code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), INTERNAL)
    if isinstance(error, RecursionError):
        return error_response(BAD_REQUEST, "The body is nested too deeply.")
    return error_response(code, describe(error, request).sentence)
