"""Verdicts and approvals as the very text whose sha256 the history holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from airflow_mltrack.store.registry_tables import approvals, verdicts
from airflow_mltrack.store.row_digest import row_text

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def record_texts(connection: Connection, name: str) -> dict[str, str]:
    """Return verdict or approval id to canonical JSON, for all rows about a model.

    The sha256 of the UTF-8 bytes is the digest of :mod:`airflow_mltrack.store.row_digest`, so that
    whoever holds the text and the chain needs neither this database nor this package.
    """
    texts = {}
    for table, key in ((verdicts, "verdict_id"), (approvals, "approval_id")):
        for row in connection.execute(select(table).where(table.c.name == name)):
            texts[str(getattr(row, key))] = row_text(row)
    return texts
