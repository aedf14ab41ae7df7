"""The digest of a row that is never changed: what the history holds to prove that it was not.

It is the sha256 of the row in the form of :mod:`~airflow_mltrack.store.canonical_json`: every
column but the number ``id``, empty ones left out (so that a column which a later schema adds leaves
older digests as they are), points of time in UTC as ``2026-01-31T09:30:00.000000Z``.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Row

from airflow_mltrack.store.canonical_json import canonical_json


def row_digest(row: Row[Any]) -> str:
    """Return the digest of a row with all columns of its table, hexadecimal."""
    return hashlib.sha256(row_text(row).encode()).hexdigest()


def row_text(row: Row[Any]) -> str:
    """Return the canonical JSON that the digest of a row is made of."""
    values = {key: value for key, value in row._asdict().items() if value is not None}
    del values["id"]
    return canonical_json({key: _plain(value) for key, value in values.items()})


def utc_text(moment: datetime) -> str:
    """Write a point of time in the one form that is hashed."""
    naive = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return f"{naive.isoformat('T', 'microseconds')}Z"


def _plain(value: object) -> object:
    return utc_text(value) if isinstance(value, datetime) else value
