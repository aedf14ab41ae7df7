"""A verdict: the recorded outcome of one evaluation of a model version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

ERROR, WARNING = "error", "warning"
SEVERITIES = (ERROR, WARNING)
"""What a failed check does: an ``error`` fails the verdict, a ``warning`` is only reported."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One gate of a policy, judged."""

    name: str
    """As the policy names it, for example ``auc``."""
    kind: str
    """Kind of the gate, for example ``threshold`` or ``champion``."""
    passed: bool
    observed: float | None
    """None for a check that is answered by yes or no, and when it could not be measured: the check
    then fails."""
    threshold: float | None
    """None for a check that is answered by yes or no."""
    comparison: str
    """``>=`` or ``<=``, as ``observed comparison threshold``; empty where there is no threshold."""
    interval: tuple[float, float] | None = None
    """Confidence interval of ``observed``."""
    rows: int | None = None
    """Rows that were used."""
    metric: str = ""
    """What was measured, for example ``auc``."""
    champion_value: float | None = None
    """The same metric of the version now live, on the same rows."""
    message: str = ""
    """One sentence for people."""
    severity: str = ERROR
    """One of :data:`SEVERITIES`."""
    method: str = ""
    """How interval and p-value were found, for example ``delong`` or ``paired bootstrap``."""
    confidence: float = 0.95
    """Level of ``interval``."""
    p_value: float | None = None
    """Two-sided p-value of a test that there is no difference."""
    evidence: str | None = None
    """Path of the artifact, in the verdict's run, that shows what was measured."""
    evidence_sha256: str | None = None
    """sha256 of that artifact's bytes, hexadecimal."""

    @property
    def blocks(self) -> bool:
        """Whether it fails the verdict: it did not pass, and is more than a warning."""
        return not self.passed and self.severity == ERROR

    @property
    def warns(self) -> bool:
        """Whether it did not pass, but is only reported."""
        return not self.passed and self.severity != ERROR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, about which bytes, by whom, and until when it counts."""

    verdict_id: str
    """uuid, hexadecimal."""
    name: str
    version: int
    passed: bool
    """Whether every check of severity ``error`` passed."""
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
