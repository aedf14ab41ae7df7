"""Files that runs and models keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Bytes that an artifact store has taken."""

    key: str
    """Key inside the artifact store."""
    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Artifact:
    """The record of one file of an attempt or of a logged model."""

    path: str
    """Path as the user named it, relative, ``/`` between parts."""
    key: str
    """Where its bytes lie in the artifact store."""
    size: int
    """Bytes."""
    sha256: str
    """Hexadecimal."""
    content_type: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """One line of a directory listing."""

    path: str
    is_dir: bool
    size: int | None = None
    """Bytes; None for a directory."""
