"""Lineage."""

from __future__ import annotations

from sqlalchemy.engine import Connection


class Lineage:
    """Lineage."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
