"""A logged model: a model package that a run produced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class LoggedModelStatus(str, Enum):
    """Whether all bytes of the package are there."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model package: a directory of files under one root, immutable once ready."""

    model_id: str
    """``m-`` and 32 hexadecimal characters."""
    experiment_id: int
    name: str
    """Not unique; without ``/ : . % " '``."""
    status: LoggedModelStatus
    artifact_root: str
    """Key prefix inside the artifact store."""
    created_at: datetime
    updated_at: datetime
    run_id: str | None = None
    """The run that logged it."""
    attempt_id: int | None = None
    status_message: str = ""
    """Why it failed; empty otherwise."""
    digest: str | None = None
    """sha256 over the package's manifest of files; None while pending."""
    model_type: str = ""
    """Format of the package, for example ``skops``."""
    size: int | None = None
    """Bytes of all files."""
    manifest: Mapping[str, object] = field(default_factory=dict)
    """The package's manifest as JSON-able data: files, signature, environment, code."""
