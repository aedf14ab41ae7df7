"""Metrics."""

from __future__ import annotations

from sqlalchemy.engine import Connection


class Metrics:
    """Metrics."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
