"""An experiment: the folder that runs with one purpose share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Lifecycle(str, Enum):
    """Whether a record is in use or was deleted (and can be restored)."""

    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Experiment:
    """A named group of runs."""

    experiment_id: int
    """Number given by the store; 0 is the experiment named ``Default``."""
    name: str
    """Unique, also among deleted ones; 1 to 500 characters."""
    artifact_root: str
    """Key prefix (relative to the artifact store) or absolute URI of its runs' bytes."""
    lifecycle: Lifecycle
    created_at: datetime
    updated_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """Some experiments, and the way to the next ones."""

    experiments: tuple[Experiment, ...]
    next_page_token: str | None = None
