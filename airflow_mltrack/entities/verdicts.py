"""A verdict: the recorded outcome of one evaluation of a model version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One gate of a policy, judged."""

    name: str
    """As the policy names it, for example ``auc``."""
    kind: str
    """``threshold`` (absolute) or ``champion`` (against the version now live)."""
    passed: bool
    observed: float | None
    """None when it could not be measured; the check then fails."""
    threshold: float | None
    comparison: str
    """``>=`` or ``<=``, as ``observed comparison threshold``."""
    interval: tuple[float, float] | None = None
    """95% confidence interval of ``observed``."""
    rows: int | None = None
    metric: str = ""
    """What was measured, for example ``auc``."""
    champion_value: float | None = None
    """The same metric of the version now live, on the same rows."""
    message: str = ""
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, about which bytes, by whom, and until when it counts."""

    verdict_id: str
    """uuid, hexadecimal."""
    name: str
    version: int
    passed: bool
    package_digest: str
    """sha256 of the package that was judged."""
    policy: Mapping[str, object]
    policy_digest: str
    """sha256 of the policy in canonical JSON."""
    dataset_name: str
    dataset_digest: str
    checks: tuple[CheckResult, ...]
    champion_version: int | None
    """Version that was live when it was made; None when there was none."""
    actor: str
    created_at: datetime
    valid_until: datetime | None = None
    run_id: str | None = None
    """The tracked run that made it."""
    details: Mapping[str, object] = field(default_factory=dict)
