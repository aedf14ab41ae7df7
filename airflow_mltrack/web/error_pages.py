"""Answers errors in words that tell the reader what to do, and nobody how we are built."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    ArtifactUnavailable,
    InvalidInput,
    MltrackError,
    NotFound,
    SchemaOutOfDate,
    StoreUnavailable,
)
from airflow_mltrack.web.rendering import PRIVATE, render

if TYPE_CHECKING:
    from airflow_mltrack.web.access import Access

log = logging.getLogger(__name__)

_STATUS: dict[type[MltrackError], int] = {
    NotFound: 404,
    InvalidInput: 400,
    StoreUnavailable: 503,
    ArtifactUnavailable: 503,
}
_HARMLESS = (SchemaOutOfDate, ArtifactCorrupt)
"""Failures of ours whose words name neither hosts nor places."""


def error_status(error: Exception) -> int:
    """Translate an error into an HTTP status."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def add_error_pages(app: FastAPI, access: Access) -> None:
    """Answer every error of the app with a page; a browser without login is sent to log in."""

    def on_http_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 401 and "text/html" in request.headers.get("accept", ""):
            login = access.login_url(_came_from(request))
            if login:
                return RedirectResponse(login, status_code=302, headers=PRIVATE)
        return _error_page(status, str(getattr(error, "detail", "")))

    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_address)
    app.add_exception_handler(MltrackError, _on_failure)
    app.add_exception_handler(Exception, _on_failure)


def _came_from(request: Request) -> str:
    """Return where the reader wanted to go, as a path: a login page leads nowhere else."""
    query = request.url.query
    return quote(str(request.scope["path"])) + (f"?{query}" if query else "")


def _on_wrong_address(_request: Request, _error: Exception) -> Response:
    return _error_page(
        400, "The address holds a value of the wrong kind, for example a word as id."
    )


def _on_failure(request: Request, error: Exception) -> Response:
    """Show an error of the reader's; log ours, and show a reference that finds it in the log."""
    status = error_status(error)
    if status < 500 or isinstance(error, _HARMLESS):
        return _error_page(status, str(error))
    reference = uuid.uuid4().hex[:12]
    log.error(
        "%s of %r failed, reference %s", request.method, request.url.path, reference, exc_info=error
    )
    what = "cannot be reached now" if status == 503 else "has failed"
    subject = "The artifact store" if isinstance(error, ArtifactUnavailable) else "Tracking"
    return _error_page(
        status, f"{subject} {what}. The web server's log tells why, under reference {reference}."
    )


def _error_page(status: int, message: str) -> Response:
    return render("error.html", facts={"status": status, "message": message}, status_code=status)
