"""How texts of any length go into the history, which keeps what it has for ever."""

from __future__ import annotations

import hashlib

WHOLE = 1_000
"""Characters that are kept; of a longer text the beginning, with length and sha256 of all of it."""


def recorded_text(value: str) -> str:
    """Return a text as the history keeps it."""
    if len(value) <= WHOLE:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"{value[:WHOLE]}... ({len(value):,} characters, sha256 {digest})"
