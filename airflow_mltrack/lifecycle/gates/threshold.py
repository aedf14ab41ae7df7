"""A metric of the candidate against a fixed limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.lifecycle.gates.gate import (
    Bound,
    Evidence,
    check_keys,
    measured,
    read_bound,
    read_metric,
    read_name,
)
from airflow_mltrack.training.intervals import bootstrap_intervals
from airflow_mltrack.training.metrics import metric_value

_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class ThresholdGate:
    """``{"metric": "auc", "min": 0.7}`` or ``{"metric": "brier", "max": 0.2}``."""

    KIND: ClassVar[str] = "threshold"
    NEEDS_CHAMPION: ClassVar[bool] = False

    name: str
    metric: str
    bound: Bound

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ThresholdGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("threshold check", check, ("min", "max"))
        metric = read_metric(check)
        return cls(read_name(check, metric), metric, read_bound(check, "min", "max"))

    def judge(self, evidence: Evidence) -> CheckResult:
        """Measure the candidate with a stratified bootstrap interval."""
        return measured(lambda: self._measure(evidence), lambda why: self._result(evidence, why))

    def _measure(self, evidence: Evidence) -> CheckResult:
        observed = metric_value(
            self.metric, evidence.target, evidence.score, options=evidence.options
        )
        intervals = bootstrap_intervals(
            evidence.target, evidence.score, [self.metric], n=_RESAMPLES, options=evidence.options
        )
        low, high = intervals[self.metric]
        passed = self.bound.holds(observed, (low, high))
        message = (
            f"{self.metric} is {observed:.4f} (95% {low:.4f} to {high:.4f}), "
            f"asked for {self.bound.comparison} {self.bound.limit:g}"
            + (" with 95% confidence" if self.bound.confident else "")
        )
        return self._result(
            evidence, message, passed=passed, observed=observed, interval=(low, high)
        )

    def _result(
        self,
        evidence: Evidence,
        message: str,
        *,
        passed: bool = False,
        observed: float | None = None,
        interval: tuple[float, float] | None = None,
    ) -> CheckResult:
        return CheckResult(
            name=self.name,
            kind=self.KIND,
            metric=self.metric,
            passed=passed,
            observed=observed,
            threshold=self.bound.limit,
            comparison=self.bound.comparison,
            interval=interval,
            rows=len(evidence.target),
            message=message,
        )
