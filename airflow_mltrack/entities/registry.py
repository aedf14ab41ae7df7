"""Registered models, their versions and aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Stage(str, Enum):
    """Where a version stands. MLflow's four names."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model by the name under which it is used."""

    name: str
    """Unique; 1 to 250 characters without ``/`` and ``:``."""
    description: str
    created_at: datetime
    updated_at: datetime
    gates: Mapping[str, object] = field(default_factory=dict)
    """JSON-able gate policy that a version must pass before Production; empty asks for nothing."""
    requires_verdict: bool = False
    """Whether Production refuses a version without a fresh passing verdict."""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One package under a registered name."""

    name: str
    version: int
    """1, 2, ...; a number is never given twice."""
    stage: str
    """A :class:`Stage` value (a later release lets a model define its own)."""
    source: str
    """URI of the package, for example ``models:/m-...``."""
    created_at: datetime
    updated_at: datetime
    model_id: str | None = None
    """The logged model it points to."""
    run_id: str | None = None
    digest: str | None = None
    """sha256 of the package."""
    user: str = ""
    """Who registered it."""
    description: str = ""
    status: str = "READY"
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
