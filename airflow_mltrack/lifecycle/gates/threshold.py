"""A metric of the candidate against a fixed limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    read_bound,
    read_metric,
    read_name,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.gate import Evidence, Measured, MetricGate, Outcome
from airflow_mltrack.training.intervals import bootstrap_intervals, resamples_for
from airflow_mltrack.training.metrics import metric_value

_RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdGate(MetricGate):
    """``{"metric": "auc", "min": 0.7}`` or ``{"metric": "brier", "max": 0.2}``."""

    KIND: ClassVar[str] = "threshold"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ThresholdGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("threshold check", check, ("metric", "min", "max", *CONFIDENCE_KEYS))
        metric = read_metric(check)
        return cls(
            name=read_name(check, metric),
            severity=read_severity(check),
            metric=metric,
            bound=read_bound(check, "min", "max"),
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure the candidate with a stratified bootstrap interval."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        target, score, options = evidence.target, evidence.score, evidence.options
        observed = metric_value(self.metric, target, score, options=options)
        level = self.bound.confidence
        resamples = resamples_for(level, _RESAMPLES)
        low, high = bootstrap_intervals(
            target, score, [self.metric], n=resamples, level=level, options=options
        )[self.metric]
        return Measured(
            observed,
            (low, high),
            f"{self.metric} is {observed:.4f} ({self.bound.percent} {low:.4f} to {high:.4f})",
            method="stratified bootstrap",
            data={
                "rows": int(target.size),
                "events": int(target.sum()),
                "resamples": resamples,
            },
        )
