"""Airflow's auth manager answers the questions of :mod:`airflow_mltrack.web.access`.

The only module of the web app that imports Airflow. Reading is ``GET`` on assets (a viewer may),
and runs of a Dag are shown to those who may see the Dag.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_asset
from fastapi import Depends

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_mltrack.web.access import Reader


class AirflowReader:
    """A user of Airflow who may read assets."""

    def __init__(self, user: BaseUser) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """The name that Airflow shows."""
        return str(self._user.get_name())

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        """Ask Dag by Dag, so that runs of a Dag that was removed since stay readable."""
        manager = get_auth_manager()
        return {
            dag_id
            for dag_id in dag_ids
            if manager.is_authorized_dag(
                method="GET", details=DagDetails(id=dag_id), user=self._user
            )
        }


def _reader(
    _allowed: Annotated[None, Depends(requires_access_asset("GET"))],
    user: Annotated[BaseUser, Depends(get_user)],
) -> AirflowReader:
    return AirflowReader(user)


class AirflowAccess:
    """Access as Airflow's auth manager grants it."""

    reader: Callable[..., Reader] = staticmethod(_reader)

    def login_url(self, back: str) -> str | None:
        """Return Airflow's login page, with the way back."""
        return str(get_auth_manager().get_url_login(next_url=back))
