"""What the candidate's decisions cost per row, at its decision threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    read_bound,
    read_choice,
    read_name,
    read_number,
    read_severity,
)
from airflow_mltrack.lifecycle.gates.decision_threshold import (
    DecisionThreshold,
    choose_threshold,
    read_threshold,
)
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Champion, Evidence, Measured, Outcome
from airflow_mltrack.training.evaluation import confusion_counts
from airflow_mltrack.training.intervals import mean_interval, resamples_for
from airflow_mltrack.training.metrics import CostMatrix, MetricOptions, cost_per_row, count_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_COSTS = tuple(spec.name for spec in fields(CostMatrix))
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCostGate(BoundGate):
    """``{"kind": "expected_cost", "max": 0.4, "false_positive": 1, "false_negative": 5}``.

    With ``"versus": "champion"`` and ``max_difference`` the limit is on candidate minus champion,
    each deciding at its own threshold. Costs that the check does not give are the policy's. The
    metric of the same name is another thing: the cost at the threshold that is best on these rows.
    """

    KIND: ClassVar[str] = "expected_cost"

    costs: tuple[tuple[str, float], ...]
    """Outcome and cost, where the check gives one."""
    threshold: float | None
    """Where to decide; None means where the model's training says."""
    versus: bool
    """Whether it compares with the live version."""

    @property
    def needs_champion(self) -> bool:
        """Whether it compares with the live version."""
        return self.versus

    @property
    def observes(self) -> str:
        """Name of what is measured."""
        return "expected_cost"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> ExpectedCostGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        versus = "versus" in check
        if versus:
            read_choice(check, "versus", ("champion",))
        limit = "max_difference" if versus else "max"
        own = (*_COSTS, "threshold", "versus", limit, *CONFIDENCE_KEYS)
        check_keys("expected_cost check", check, own)
        costs = tuple((name, read_number(check, name)) for name in _COSTS if name in check)
        return cls(
            name=read_name(check, "cost_versus_champion" if versus else "cost"),
            severity=read_severity(check),
            bound=read_bound(check, None, limit),
            costs=costs,
            threshold=read_threshold(check),
            versus=versus,
        )

    def check_options(self, options: MetricOptions) -> None:
        """Refuse costs that contradict those of the policy."""
        self._costs(options)

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure the mean cost per row, or the difference in it."""
        champion = evidence.champion
        if not self.versus:
            return self.decide(evidence, lambda: self._measure(evidence))
        if champion is None:
            return self.unopposed(evidence)
        return self.decide(evidence, lambda: self._compare(evidence, champion))

    def _measure(self, evidence: Evidence) -> Measured:
        ours = choose_threshold(self.threshold, evidence.threshold)
        costs = self._costs(evidence.options)
        each = cost_per_row(evidence.target, evidence.score, ours.value, costs)
        value, (low, high) = float(each.mean()), self._interval(each)
        return Measured(
            value,
            (low, high),
            f"decisions cost {value:.4f} per row ({self.bound.percent} {low:.4f} to {high:.4f}) "
            f"at threshold {ours}",
            method="bootstrap",
            data={"costs": asdict(costs), **_decisions(evidence, evidence.score, ours)},
        )

    def _compare(self, evidence: Evidence, champion: Champion) -> Measured:
        ours = choose_threshold(self.threshold, evidence.threshold)
        theirs = choose_threshold(self.threshold, champion.threshold)
        costs, target = self._costs(evidence.options), evidence.target
        mine = cost_per_row(target, evidence.score, ours.value, costs)
        live = cost_per_row(target, champion.score, theirs.value, costs)
        value, (low, high) = float((mine - live).mean()), self._interval(mine - live)
        return Measured(
            value,
            (low, high),
            f"decisions cost {value:+.4f} per row ({self.bound.percent} {low:+.4f} to {high:+.4f}) "
            f"against version {champion.version} now live, which costs {live.mean():.4f}",
            champion_value=float(live.mean()),
            method="paired bootstrap",
            data={
                "costs": asdict(costs),
                "candidate": _decisions(evidence, evidence.score, ours),
                "champion": _decisions(evidence, champion.score, theirs),
            },
        )

    def _costs(self, options: MetricOptions) -> CostMatrix:
        return replace(options.costs, **dict(self.costs))

    def _interval(self, each: NDArray[np.float64]) -> tuple[float, float]:
        level = self.bound.confidence
        return mean_interval(each, n=resamples_for(level, _RESAMPLES), level=level)


def _decisions(
    evidence: Evidence, score: NDArray[np.float64], threshold: DecisionThreshold
) -> dict[str, object]:
    counts = count_scores(evidence.target, score)
    return {**threshold.to_json(), **confusion_counts(counts, threshold.value)}
