"""What happened to a registered model, in order, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One row of the append-only, hash-chained history."""

    event_id: int
    name: str
    """Registered model."""
    version: int | None
    kind: str
    """``created``, ``registered``, ``policy``, ``verdict``, ``approval_requested``, ``approval``,
    ``transition``, ``alias``, ``tag``, ``renamed``, ``deleted``."""
    actor: str
    at: datetime
    payload: Mapping[str, object]
    """JSON-able facts: from, to, reason, verdict, run, Dag."""
    previous_hash: str
    """Hash of the event before it in this chain; 64 zeros for the first."""
    hash: str
    """sha256 over the canonical JSON of all fields but ``event_id`` and ``hash``; see
    ``store/history.py``."""
