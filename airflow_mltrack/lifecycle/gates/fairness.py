"""How differently the candidate treats groups of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    find_column,
    plain_name,
    read_bound,
    read_choice,
    read_name,
    read_severity,
    read_text,
    read_whole_number,
)
from airflow_mltrack.lifecycle.gates.decision_threshold import choose_threshold, read_threshold
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Evidence, Measured, Outcome
from airflow_mltrack.training.group_gaps import RATES, GroupValue, ScoredRows, group_gap
from airflow_mltrack.training.intervals import resamples_for
from airflow_mltrack.training.metrics import METRICS
from airflow_mltrack.training.row_groups import group_rows

_RESAMPLES = 1000
_LISTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessGate(BoundGate):
    """``{"kind": "fairness", "by": "SEX", "measure": "equal_opportunity", "max_gap": 0.05}``.

    The gap is the largest minus the smallest value among the groups. Groups with fewer than
    ``min_rows`` rows, or without a row that the measure counts, are listed as not judged; with
    fewer than two judged groups the check fails.
    """

    KIND: ClassVar[str] = "fairness"

    by: str
    """Column that tells the groups; the model need not know it."""
    measure: str
    """A key of :data:`~airflow_mltrack.training.group_gaps.RATES`, or a metric."""
    threshold: float | None
    """Where to decide; None means where the model's training says."""
    bins: int
    """Ranges that a numeric column with more values is cut into."""
    min_rows: int

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> FairnessGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        own = ("by", "measure", "max_gap", "threshold", "bins", "min_rows", *CONFIDENCE_KEYS)
        check_keys("fairness check", check, own)
        measure = read_choice(check, "measure", (*RATES, *METRICS))
        by, threshold = read_text(check, "by"), read_threshold(check)
        if threshold is not None and measure not in RATES:
            raise InvalidInput(
                "check threshold",
                threshold,
                f"the measure {measure} decides nothing.",
                f"Leave it out, or use {', '.join(RATES)}.",
            )
        return cls(
            name=read_name(check, plain_name(measure, "by", by)),
            severity=read_severity(check),
            bound=read_bound(check, None, "max_gap"),
            by=by,
            measure=measure,
            threshold=threshold,
            bins=read_whole_number(check, "bins", 4, low=2, high=100),
            min_rows=read_whole_number(check, "min_rows", 50, low=1, high=10**9),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that tells the groups."""
        return (self.by,)

    @property
    def observes(self) -> str:
        """Name of the measure."""
        return self.measure

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure the gap between groups."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        threshold = choose_threshold(self.threshold, evidence.threshold)
        level = self.bound.confidence
        found = group_gap(
            self.measure,
            group_rows(find_column(evidence.features, self.by), self.bins),
            ScoredRows(evidence.target, evidence.score, threshold.value, evidence.options),
            min_rows=self.min_rows,
            n=resamples_for(level, _RESAMPLES),
            level=level,
        )
        judged = [group for group in found.groups if group.values]
        decides = f" at threshold {threshold}" if self.measure in RATES else ""
        left_out = len(found.groups) - len(judged)
        return Measured(
            found.value,
            found.interval,
            f"{found.of} differs by {found.value:.4f} ({self.bound.percent} "
            f"{found.interval[0]:.4f} to {found.interval[1]:.4f}) between {len(judged)} groups "
            f"by {self.by}{decides}: highest for {found.highest}, lowest for {found.lowest}"
            + (f"; {left_out} not judged" if left_out else ""),
            method="bootstrap within groups",
            rows=sum(group.rows for group in judged),
            data={
                "by": self.by,
                "min_rows": self.min_rows,
                **(threshold.to_json() if decides else {}),
                "groups": [asdict(group) for group in _listed(found.groups)],
                "groups_not_listed": max(0, len(found.groups) - _LISTED),
            },
        )


def _listed(groups: tuple[GroupValue, ...]) -> list[GroupValue]:
    return sorted(groups, key=lambda group: not group.values)[:_LISTED]
