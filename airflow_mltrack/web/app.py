"""Builds the web app. Every route sits behind the reader dependency; there are no public docs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from airflow_mltrack.exceptions import InvalidInput, MltrackError, NotFound, StoreUnavailable
from airflow_mltrack.web.pages import router
from airflow_mltrack.web.rendering import render

if TYPE_CHECKING:
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Access, Reader


def create_app(get_client: Callable[[], TrackingClient], access: Access) -> FastAPI:
    """Create the app.

    :param get_client: gives the tracking client; called once for each request, so it should cache.
    :param access: decides who may read.
    """

    def guard(request: Request, reader: Reader = Depends(access.reader)) -> None:  # noqa: B008
        request.state.reader = reader

    # FastAPI would look the name Reader up at run time; what matters to it is the dependency.
    guard.__annotations__ = {"request": Request}
    app = FastAPI(
        title="airflow-mltrack", docs_url=None, redoc_url=None, openapi_url=None, version="1"
    )
    app.state.get_client = get_client
    app.include_router(router, dependencies=[Depends(guard)])
    _add_error_pages(app, access)
    return app


def error_status(error: MltrackError) -> int:
    """Translate an error into an HTTP status."""
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, InvalidInput):
        return 400
    if isinstance(error, StoreUnavailable):
        return 503
    return 500


def _add_error_pages(app: FastAPI, access: Access) -> None:
    def on_mltrack_error(_request: Request, error: Exception) -> Response:
        status = error_status(error) if isinstance(error, MltrackError) else 500
        return _error_page(status, str(error))

    def on_http_error(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 401 and "text/html" in request.headers.get("accept", ""):
            login = access.login_url(request)
            if login:
                return RedirectResponse(login, status_code=302)
        return _error_page(status, str(getattr(error, "detail", "")))

    app.add_exception_handler(MltrackError, on_mltrack_error)
    app.add_exception_handler(HTTPException, on_http_error)


def _error_page(status: int, message: str) -> Response:
    return render("error.html", facts={"status": status, "message": message}, status_code=status)
