"""Whether the candidate's probabilities come true."""

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
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Evidence, Measured, Outcome
from airflow_mltrack.training.calibration import calibration_error
from airflow_mltrack.training.intervals import resamples_for

_RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGate(BoundGate):
    """``{"kind": "calibration", "max": 0.03}``: the expected calibration error."""

    KIND: ClassVar[str] = "calibration"

    bins: int
    """Bins of equally many rows."""

    @property
    def observes(self) -> str:
        """Name of what is measured."""
        return "calibration_error"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> CalibrationGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("calibration check", check, ("max", "bins", *CONFIDENCE_KEYS))
        return cls(
            name=read_name(check, "calibration"),
            severity=read_severity(check),
            bound=read_bound(check, None, "max"),
            bins=read_whole_number(check, "bins", 10, low=2, high=1000),
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure the error and its interval."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        level = self.bound.confidence
        found = calibration_error(
            evidence.target,
            evidence.score,
            bins=self.bins,
            n=resamples_for(level, _RESAMPLES),
            level=level,
        )
        low, high = found.interval
        return Measured(
            found.value,
            found.interval,
            f"the expected calibration error is {found.value:.4f} ({self.bound.percent} {low:.4f} "
            f"to {high:.4f}) over {len(found.bins)} bins",
            method="bootstrap",
            data={"reliability": [asdict(part) for part in found.bins]},
        )
