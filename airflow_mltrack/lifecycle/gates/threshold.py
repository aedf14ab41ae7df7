"""A metric of the candidate against a fixed limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.lifecycle.gates.gate import (
    Evidence,
    Measured,
    MetricGate,
    check_keys,
    read_bound,
    read_metric,
    read_name,
)
from airflow_mltrack.training.intervals import bootstrap_intervals
from airflow_mltrack.training.metrics import metric_value

if TYPE_CHECKING:
    from airflow_mltrack.entities.verdicts import CheckResult

_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class ThresholdGate(MetricGate):
    """``{"metric": "auc", "min": 0.7}`` or ``{"metric": "brier", "max": 0.2}``."""

    KIND: ClassVar[str] = "threshold"
    NEEDS_CHAMPION: ClassVar[bool] = False

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ThresholdGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("threshold check", check, ("min", "max"))
        metric = read_metric(check)
        return cls(read_name(check, metric), metric, read_bound(check, "min", "max"))

    def judge(self, evidence: Evidence) -> CheckResult:
        """Measure the candidate with a stratified bootstrap interval."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        observed = metric_value(
            self.metric, evidence.target, evidence.score, options=evidence.options
        )
        intervals = bootstrap_intervals(
            evidence.target, evidence.score, [self.metric], n=_RESAMPLES, options=evidence.options
        )
        low, high = intervals[self.metric]
        message = f"{self.metric} is {observed:.4f} (95% {low:.4f} to {high:.4f})"
        return Measured(observed, (low, high), message)
