"""The tracking client of a long-lived server process, such as Airflow's API server."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from airflow_mltrack.hooks.mltrack import MltrackHook

if TYPE_CHECKING:
    from airflow_mltrack.tracking.client import TrackingClient

_CONNECTIONS = 5
_PATIENCE = 5.0
"""Seconds that a change waits for a database that has gone away: somebody waits for the answer."""


@cache
def server_client() -> TrackingClient:
    """Return this process's client for the configured connection, made at first use.

    A connection that is changed later counts after a restart.
    """
    client = MltrackHook(pool_size=_CONNECTIONS).client
    client.patience = _PATIENCE
    return client
