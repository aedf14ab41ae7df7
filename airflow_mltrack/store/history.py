"""History."""

from __future__ import annotations

from sqlalchemy.engine import Connection


class History:
    """History."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
