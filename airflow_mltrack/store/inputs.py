"""Inputs."""

from __future__ import annotations

from sqlalchemy.engine import Connection


class Inputs:
    """Inputs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
