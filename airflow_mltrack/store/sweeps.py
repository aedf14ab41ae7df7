"""Sweeps."""

from __future__ import annotations

from sqlalchemy.engine import Connection


class Sweeps:
    """Sweeps."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
