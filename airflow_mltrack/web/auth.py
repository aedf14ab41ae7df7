"""Airflow's auth manager answers the questions of :mod:`airflow_mltrack.web.access`.

Reading is ``GET`` on assets (a viewer may), and runs of a Dag are shown to those who may see the
Dag. Logging is ``PUT`` on Dags (a user may). Promoting, and whatever else changes what is live, is
``PUT`` on assets. The name of a user is the one that Airflow records for whoever triggers a Dag run
or answers a required action, so that nobody is two people to the rule of four eyes.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import (
    get_user,
    requires_access_asset,
    requires_access_dag,
)
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.configuration import conf
from fastapi import Depends, Request
from starlette.routing import Mount

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from starlette.types import ASGIApp, Scope

    from airflow_mltrack.web.access import Reader
    from airflow_mltrack.web.basic_login import Exchange


class AirflowReader:
    """A user of Airflow who may read assets."""

    def __init__(self, user: BaseUser) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """The name that Airflow shows and records."""
        return str(self._user.get_name())

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Ask Dag by Dag, so that runs of a Dag that was removed since stay readable."""
        return self._allowed("GET", dag_ids)

    def writable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Return those that the user may edit: a run is part of its Dag."""
        return self._allowed("PUT", dag_ids)

    def _allowed(self, method: ResourceMethod, dag_ids: Iterable[str]) -> set[str]:
        manager = get_auth_manager()
        return {
            dag_id
            for dag_id in dag_ids
            if manager.is_authorized_dag(
                method=method, details=DagDetails(id=dag_id), user=self._user
            )
        }

    def teams(self) -> set[str]:
        """Return the teams whose Dags may hear what this user does."""
        if not conf.getboolean("core", "multi_team"):
            return set()
        return set(get_auth_manager().get_authorized_teams(user=self._user))


def _reader(
    _allowed: Annotated[None, Depends(requires_access_asset("GET"))],
    user: Annotated[BaseUser, Depends(get_user)],
) -> AirflowReader:
    return AirflowReader(user)


def _writer(
    _allowed: Annotated[None, Depends(requires_access_dag("PUT"))],
    user: Annotated[BaseUser, Depends(get_user)],
) -> AirflowReader:
    return AirflowReader(user)


def _promoter(
    _allowed: Annotated[None, Depends(requires_access_asset("PUT"))],
    user: Annotated[BaseUser, Depends(get_user)],
) -> AirflowReader:
    return AirflowReader(user)


async def _record(
    request: Request, session: SessionDep, user: Annotated[BaseUser, Depends(get_user)]
) -> None:
    """Write a line of Airflow's audit log, named after the operation: ``mltrack.promote``."""
    log = action_logging(event=f"mltrack.{request.scope['route'].name}")
    await log(request, session, user)


async def _record_discreetly(
    request: Request, session: SessionDep, user: Annotated[BaseUser, Depends(get_user)]
) -> None:
    """Write the line without the body: Airflow reads that of a request with a content type."""
    await _record(Request({**request.scope, "headers": []}), session, user)


async def _exchange(name: str, password: str, scope: Scope) -> str | None:
    """Ask the auth manager's own token endpoint, in process.

    :raises RuntimeError: when it fails.
    """
    import httpx

    auth = _auth_app(scope)
    if auth is None:
        return None
    transport = httpx.ASGITransport(app=auth)
    async with httpx.AsyncClient(transport=transport, base_url="http://login") as http:
        answer = await http.post("/token", json={"username": name, "password": password})
    if answer.is_server_error:
        raise RuntimeError(answer.reason_phrase)
    return str(answer.json()["access_token"]) if answer.status_code == HTTPStatus.CREATED else None


def _auth_app(scope: Scope) -> ASGIApp | None:
    """Find the auth manager's app beside ours: making another one takes FAB seconds.

    None where it has none, and so knows no passwords.
    """
    routes = scope["router"].routes  # of the outermost app
    mounts = (route for route in routes if isinstance(route, Mount) and route.path == "/auth")
    return next((mount.app for mount in mounts), None)


class AirflowAccess:
    """Access as Airflow's auth manager grants it."""

    reader: Callable[..., Reader] = staticmethod(_reader)
    writer: Callable[..., Reader] = staticmethod(_writer)
    promoter: Callable[..., Reader] = staticmethod(_promoter)
    record: Callable[..., object] = staticmethod(_record)
    record_discreetly: Callable[..., object] = staticmethod(_record_discreetly)
    in_airflow = True
    exchange: Exchange | None = staticmethod(_exchange)

    def login_url(self, back: str) -> str | None:
        """Return Airflow's login page, with the way back."""
        return str(get_auth_manager().get_url_login(next_url=back))
