"""A metric of the candidate against the version that is live, scored on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import (
    Champion,
    Evidence,
    Measured,
    MetricGate,
    check_keys,
    read_bound,
    read_metric,
    read_name,
)
from airflow_mltrack.training.intervals import paired_difference
from airflow_mltrack.training.metrics import metric_value

if TYPE_CHECKING:
    from airflow_mltrack.entities.verdicts import CheckResult

_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class ChampionGate(MetricGate):
    """``{"metric": "auc", "versus": "champion", "min_difference": -0.005}``.

    The difference is candidate minus champion; for a metric where less is better use
    ``max_difference``. Where no other version is live the check passes and says so.
    """

    KIND: ClassVar[str] = "champion"
    NEEDS_CHAMPION: ClassVar[bool] = True

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
            return self.result(evidence, message, passed=True)
        return self.decide(evidence, lambda: self._measure(evidence, champion))

    def _measure(self, evidence: Evidence, champion: Champion) -> Measured:
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
        message = (
            f"{self.metric} differs by {difference:+.4f} (95% {low:+.4f} to {high:+.4f}) from "
            f"version {champion.version} now live, with {theirs:.4f} on the same rows"
        )
        if champion.knows_rows:
            message += " (it learned from some of them, which favours it)"
        return Measured(difference, (low, high), message, champion_value=theirs)
