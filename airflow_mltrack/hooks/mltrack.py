"""The hook: from an Airflow connection to a tracking client."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf

from airflow_mltrack.exceptions import MltrackError
from airflow_mltrack.hooks.connection import DEFAULT_CONN_ID, settings_of

if TYPE_CHECKING:
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.tracking.client import TrackingClient


class MltrackHook(BaseHook):
    """Connects to the tracking database and the artifact store.

    Nothing is looked up or opened before it is used.

    :param mltrack_conn_id: Airflow connection of type ``mltrack``; None means the one that the
        setting ``[mltrack] conn_id`` names.
    :param pool_size: database connections to keep open; 0 opens one for each transaction.
    """

    conn_name_attr = "mltrack_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "mltrack"
    hook_name = "MLTrack"

    def __init__(self, mltrack_conn_id: str | None = None, *, pool_size: int = 0) -> None:
        super().__init__()
        self._pool_size = pool_size
        self.mltrack_conn_id = mltrack_conn_id or configured_conn_id()

    @cached_property
    def settings(self) -> Settings:
        """What the connection says, completed by the environment.

        :raises NotFound: when a connection other than ``mltrack_default`` is not defined.
        :raises InvalidInput: when a field has a value that is not allowed.
        """
        return settings_of(self.mltrack_conn_id)

    @cached_property
    def client(self) -> TrackingClient:
        """The tracking client of this hook; :meth:`close` gives its connections back."""
        from airflow_mltrack.tracking.client import TrackingClient

        return TrackingClient(self.settings, pool_size=self._pool_size)

    def get_conn(self) -> TrackingClient:
        """Return :attr:`client`; the name that Airflow expects."""
        return self.client

    def close(self) -> None:
        """Give database connections back, if any were opened; the hook can be used again."""
        client: TrackingClient | None = self.__dict__.pop("client", None)
        if client is not None:
            client.close()

    def __enter__(self) -> MltrackHook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def test_connection(self) -> tuple[bool, str]:
        """Check database, schema and artifact store; what Airflow's Test button calls.

        :return: whether everything works, and what was found in words.
        """
        try:
            with self:
                return self._examine()
        except MltrackError as error:
            return False, str(error)

    def _examine(self) -> tuple[bool, str]:
        current, head = self.client.store.revision()
        if self.settings.is_embedded and current != head:
            self.client.store.upgrade()
            current = head
        where = self.settings.safe_database_url
        if current != head:
            return False, (
                f"The database {where} is reached, but has schema {current or 'none'} and "
                f"{head} is needed. Run: mltrack db upgrade"
            )
        self.client.artifact_store.check()
        return True, (
            f"Database {where} is reached and has schema {head}; artifacts can be written, read "
            f"and deleted under {self.settings.artifact_uri}."
        )


def configured_conn_id() -> str:
    """Return the connection that is used where none is named: ``[mltrack] conn_id``."""
    found: Any = conf.get("mltrack", "conn_id", fallback=DEFAULT_CONN_ID)
    return str(found)
