"""Find the tracking backend that a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.tracking.client import TrackingClient


def resolve_settings(conn_id: str | None) -> Settings:
    """Read settings from the named Airflow connection, or from the environment.

    :raises NotFound: when Airflow has no such connection.
    :raises InvalidInput: when a setting has a value that is not allowed.
    """
    if conn_id is None:
        from airflow_mltrack.settings import environment_settings

        return environment_settings()
    # Outside a task Airflow looks into its own database only for processes of this kind.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow_mltrack.hooks.connection import settings_of

    return settings_of(conn_id)


@contextmanager
def open_client(conn_id: str | None) -> Iterator[TrackingClient]:
    """Give a client for the backend and close it at the end."""
    from airflow_mltrack.tracking.client import TrackingClient

    client = TrackingClient(resolve_settings(conn_id))
    try:
        yield client
    finally:
        client.close()


@contextmanager
def open_to_change(conn_id: str | None) -> Iterator[TrackingClient]:
    """Give a client to a command that changes the registry; webhooks hear of it right after."""
    from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon

    with open_client(conn_id) as client:
        yield client
        deliver_soon(client)
