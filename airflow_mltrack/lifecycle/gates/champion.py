"""A metric of the candidate against the version that is live, scored on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import (
    Bound,
    Champion,
    Evidence,
    check_keys,
    measured,
    read_bound,
    read_metric,
    read_name,
)
from airflow_mltrack.training.intervals import paired_difference
from airflow_mltrack.training.metrics import metric_value

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class ChampionGate:
    """``{"metric": "auc", "versus": "champion", "min_difference": -0.005}``.

    The difference is candidate minus champion; for a metric where less is better use
    ``max_difference``. Where no other version is live the check passes and says so.
    """

    KIND: ClassVar[str] = "champion"
    NEEDS_CHAMPION: ClassVar[bool] = True

    name: str
    metric: str
    bound: Bound

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ChampionGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("champion check", check, ("versus", "min_difference", "max_difference"))
        if check.get("versus", "champion") != "champion":
            raise InvalidInput("check versus", check["versus"], "it is champion.")
        metric = read_metric(check)
        bound = read_bound(check, "min_difference", "max_difference")
        return cls(read_name(check, f"{metric}_versus_champion"), metric, bound)

    def judge(self, evidence: Evidence) -> CheckResult:
        """Measure the difference with a paired bootstrap interval."""
        champion = evidence.champion
        if champion is None:
            message = "no other version is in Production, so there is nothing to compare with"
            return self._result(evidence, message, passed=True)
        return measured(
            lambda: self._measure(evidence, champion), lambda why: self._result(evidence, why)
        )

    def _measure(self, evidence: Evidence, champion: Champion) -> CheckResult:
        theirs = metric_value(
            self.metric, evidence.target, champion.score, options=evidence.options
        )
        difference, low, high = paired_difference(
            self.metric,
            evidence.target,
            evidence.score,
            champion.score,
            n=_RESAMPLES,
            options=evidence.options,
        )
        passed = self.bound.holds(difference, (low, high))
        message = (
            f"{self.metric} differs by {difference:+.4f} (95% {low:+.4f} to {high:+.4f}) from "
            f"version {champion.version} now live, with {theirs:.4f} on the same rows, "
            f"asked for {self.bound.comparison} {self.bound.limit:g}"
            + (" with 95% confidence" if self.bound.confident else "")
        )
        return self._result(
            evidence,
            message,
            passed=passed,
            observed=difference,
            interval=(low, high),
            champion_value=theirs,
        )

    def _result(
        self,
        evidence: Evidence,
        message: str,
        *,
        passed: bool = False,
        observed: float | None = None,
        interval: tuple[float, float] | None = None,
        champion_value: float | None = None,
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
            champion_value=champion_value,
            message=message,
        )
