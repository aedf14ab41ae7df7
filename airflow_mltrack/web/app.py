"""Builds the web app: the pages, and the JSON API below ``/api``, every route behind a guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from airflow_mltrack.web.announcing import Announce, to_nobody
from airflow_mltrack.web.api.app import create_api
from airflow_mltrack.web.error_pages import add_error_pages
from airflow_mltrack.web.guards import make_guard
from airflow_mltrack.web.mlflow.mounting import mount_mlflow
from airflow_mltrack.web.mounts import mount
from airflow_mltrack.web.pages import router

if TYPE_CHECKING:
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Access


def create_app(
    get_client: Callable[[], TrackingClient], access: Access, announce: Announce = to_nobody
) -> FastAPI:
    """Create the app.

    :param get_client: gives the tracking client; called once for each request, so it should cache.
    :param access: decides who may read and who may promote.
    :param announce: tells those who wait for it that a version has come to a stage.
    """
    app = FastAPI(
        title="airflow-mltrack", docs_url=None, redoc_url=None, openapi_url=None, version="1"
    )
    app.state.get_client, app.state.in_airflow = get_client, access.in_airflow
    app.include_router(router, dependencies=[Depends(make_guard(access.reader))])
    mount_mlflow(app, get_client, access, announce)
    mount(app, "/api", create_api(get_client, access, announce))
    add_error_pages(app, access)
    return app
