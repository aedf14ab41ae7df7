"""Registered models, their versions and aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from airflow_mltrack.entities.stages import OPEN, StageGraph


class Stage(str, Enum):
    """MLflow's four names; a model may define its own in its stage graph."""

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
    """JSON-able policy of checks that a version must pass before it goes live; empty: no check."""
    stages: StageGraph = OPEN
    """Its stages, and what each move between them asks for."""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_governed(self) -> bool:
        """Whether something must be shown before a version may go live."""
        return bool(self.gates) or self.stages.is_governed


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One package under a registered name."""

    name: str
    version: int
    """1, 2, ...; a number is never given twice."""
    stage: str
    """One of the stages of its model's stage graph."""
    source: str
    """URI of the package, for example ``models:/m-...``."""
    created_at: datetime
    updated_at: datetime
    model_id: str | None = None
    """The logged model it points to."""
    run_id: str | None = None
    run_link: str = ""
    """Address of the run in another tracking server, where it came from one."""
    digest: str | None = None
    """sha256 of the package."""
    user: str = ""
    """Who registered it."""
    description: str = ""
    status: str = "READY"
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelPage:
    """Some registered models, and the way to the next ones."""

    models: tuple[RegisteredModel, ...]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Some model versions, and the way to the next ones."""

    versions: tuple[ModelVersion, ...]
    next_page_token: str | None = None
