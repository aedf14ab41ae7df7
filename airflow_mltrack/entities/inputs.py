"""Data sets that runs read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A data set by name and content digest."""

    name: str
    """1 to 500 characters."""
    digest: str
    """sha256 of the full content, hexadecimal (imported records may hold shorter ones)."""
    source_type: str = "uri"
    """How to read ``source``: ``uri``, ``local``, ``s3``, ``http``, ``generated``, ..."""
    source: str = ""
    schema: Mapping[str, object] = field(default_factory=dict)
    """JSON-able: column names and types."""
    profile: Mapping[str, object] = field(default_factory=dict)
    """JSON-able: rows, positives, missing cells; ``synthetic: true`` for generated data."""


@dataclass(frozen=True, slots=True)
class RunInput:
    """That an attempt read a data set."""

    dataset: DatasetRecord
    context: str = ""
    """What it was for, for example ``training``."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """That runs of an experiment read a data set, without saying which."""

    experiment_id: int
    name: str
    digest: str
    context: str
