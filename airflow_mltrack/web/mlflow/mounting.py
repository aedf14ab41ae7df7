"""Puts the protocol where clients look for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.routing import Route as ExactRoute

from airflow_mltrack.web.basic_login import BasicLogin, Logins
from airflow_mltrack.web.mlflow.app import create_mlflow
from airflow_mltrack.web.mlflow.routes import CAPABILITY_ROUTES, ROOT_ROUTES, ROUTERS, ROUTES
from airflow_mltrack.web.mounts import mount

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI
    from starlette.types import ASGIApp

    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Access
    from airflow_mltrack.web.announcing import Announce
    from airflow_mltrack.web.mlflow.calls import Needs, Route

PLACES = ("/api/2.0/preview", "/api/2.0", "/ajax-api/2.0")
"""Clients of MLflow 1 ask for models below ``preview``; it stands first, for it is also below the
second."""
CAPABILITY_PLACES = ("/api/3.0", "/ajax-api/3.0")


def mount_mlflow(
    app: FastAPI, get_client: Callable[[], TrackingClient], access: Access, announce: Announce
) -> None:
    """Mount the protocol below an app; to be called before ``/api`` itself is mounted.

    See :func:`~airflow_mltrack.web.mlflow.app.create_mlflow` for the parameters.
    """
    logins = None if access.exchange is None else Logins(access.exchange)

    def create(
        routes: Sequence[Route], routers: Mapping[Needs, Sequence[APIRouter]] | None = None
    ) -> ASGIApp:
        protocol = create_mlflow(get_client, access, announce, routes, routers or {})
        return protocol if logins is None else BasicLogin(protocol, logins)

    protocol, capabilities = create(ROUTES, ROUTERS), create(CAPABILITY_ROUTES)
    for place in PLACES:
        mount(app, place, protocol)
    for place in CAPABILITY_PLACES:
        mount(app, place, capabilities)
    at_root = create(ROOT_ROUTES)
    for route in ROOT_ROUTES:
        # A mount would match what lies below the path only.
        app.router.routes.append(ExactRoute(route.path, at_root))
