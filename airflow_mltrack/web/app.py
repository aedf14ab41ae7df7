"""Builds the web app. Every route sits behind the reader dependency; there are no public docs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI, Request

from airflow_mltrack.web.error_pages import add_error_pages
from airflow_mltrack.web.pages import router

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
    add_error_pages(app, access)
    return app
