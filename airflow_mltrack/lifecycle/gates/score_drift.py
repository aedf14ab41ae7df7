"""How far the candidate's scores lie from those of the version that is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    read_bound,
    read_name,
    read_severity,
    read_whole_number,
)
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Champion, Evidence, Measured, Outcome
from airflow_mltrack.training.intervals import resamples_for
from airflow_mltrack.training.population_stability import SMALLEST_SHARE, population_stability

_RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDriftGate(BoundGate):
    """``{"kind": "score_drift", "max_psi": 0.2}``: population stability index, same rows.

    Where no other version is live the check passes and says so.
    """

    KIND: ClassVar[str] = "score_drift"
    NEEDS_CHAMPION: ClassVar[bool] = True

    bins: int
    """Bins of equally many of the live version's scores."""

    @property
    def observes(self) -> str:
        """Name of what is measured."""
        return "psi"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ScoreDriftGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("score_drift check", check, ("max_psi", "bins", *CONFIDENCE_KEYS))
        return cls(
            name=read_name(check, "score_drift"),
            severity=read_severity(check),
            bound=read_bound(check, None, "max_psi"),
            bins=read_whole_number(check, "bins", 10, low=2, high=100),
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure the index, with the live version's scores as the reference."""
        champion = evidence.champion
        if champion is None:
            return self.unopposed(evidence)
        return self.decide(evidence, lambda: self._measure(evidence, champion))

    def _measure(self, evidence: Evidence, champion: Champion) -> Measured:
        level = self.bound.confidence
        found = population_stability(
            champion.score,
            evidence.score,
            bins=self.bins,
            n=resamples_for(level, _RESAMPLES),
            level=level,
        )
        low, high = found.interval
        return Measured(
            found.value,
            found.interval,
            f"the population stability index is {found.value:.4f} ({self.bound.percent} {low:.4f} "
            f"to {high:.4f}) against version {champion.version} now live",
            method="bootstrap",
            data={
                "champion_version": champion.version,
                "smallest_share": SMALLEST_SHARE,
                "bins": [asdict(part) for part in found.bins],
            },
        )
