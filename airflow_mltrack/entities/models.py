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
    deleted_at: datetime | None = None
    """When it was deleted; its bytes stay until they are collected."""


@dataclass(frozen=True, slots=True)
class LoggedModelMetric:
    """A number that a run measured about a logged model."""

    key: str
    value: float
    step: int
    timestamp: int
    """Milliseconds since 1970-01-01 UTC."""
    run_id: str
    dataset_name: str = ""
    """The data set that it was measured on; empty for none."""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class LoggedModelData:
    """A logged model with everything that is small enough to list."""

    model: LoggedModel
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[LoggedModelMetric, ...] = ()
    """Every point, by key, step and timestamp."""


@dataclass(frozen=True, slots=True)
class LoggedModelPage:
    """Some logged models, and the way to the next ones."""

    models: tuple[LoggedModelData, ...]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class RunModel:
    """That an attempt read or produced a logged model."""

    model_id: str
    step: int = 0
