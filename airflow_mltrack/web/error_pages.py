"""Answers errors in words that tell the reader what to do, and nobody how we are built."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from airflow_mltrack.exceptions import MltrackError
from airflow_mltrack.web.http_errors import describe
from airflow_mltrack.web.rendering import PRIVATE, render

if TYPE_CHECKING:
    from airflow_mltrack.web.access import Access


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
    facts = describe(error, request)
    return _error_page(facts.status, facts.sentence)


def _error_page(status: int, message: str) -> Response:
    return render("error.html", facts={"status": status, "message": message}, status_code=status)
