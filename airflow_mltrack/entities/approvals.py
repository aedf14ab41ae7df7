"""An approval: what one person said about one version, one move, and the evidence for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class Decision(str, Enum):
    """What the person said."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Approval:
    """One answer. It counts for this package and this verdict only, and until it expires."""

    approval_id: str
    """uuid, hexadecimal."""
    name: str
    """Registered model."""
    version: int
    stage: str
    """Where the version is to go."""
    decision: Decision
    approver: str
    reason: str
    package_digest: str | None
    """sha256 of the package that was approved; None for a version that was registered without."""
    verdict_id: str | None
    """The version's latest verdict at that time; None when there was none."""
    created_at: datetime
    requested_by: str | None = None
    """Who had asked for it; None when nobody had."""
    valid_until: datetime | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """JSON-able facts: the Dag, run, task and try through which it came."""
