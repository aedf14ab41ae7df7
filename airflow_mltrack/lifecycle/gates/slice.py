"""A metric of the candidate in every slice of the rows: the worst one counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    find_column,
    plain_name,
    read_bound,
    read_metric,
    read_name,
    read_severity,
    read_text,
    read_whole_number,
)
from airflow_mltrack.lifecycle.gates.gate import (
    AT_LEAST,
    Evidence,
    Measured,
    MetricGate,
    Outcome,
)
from airflow_mltrack.training.group_gaps import unfit_to_judge
from airflow_mltrack.training.intervals import bootstrap_intervals, resamples_for
from airflow_mltrack.training.metrics import metric_value
from airflow_mltrack.training.row_groups import RowGroup, group_rows

LARGEST_BINS = 100
LARGEST_ROWS = 10**9
_RESAMPLES = 500
_LISTED = 200


@dataclass(frozen=True, slots=True)
class _Slice:
    """One slice and what was measured in it."""

    slice: str
    rows: int
    events: int
    value: float | None = None
    interval: tuple[float, float] | None = None
    not_judged: str = ""
    """Why it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGate(MetricGate):
    """``{"kind": "slice", "metric": "auc", "by": "region", "min": 0.65, "min_rows": 200}``.

    Slices with fewer rows, or with one class only, are listed as not judged; where none can be
    judged the check fails. With ``confident`` every judged slice's interval keeps the limit; no
    correction for their number is needed, as all of them must (an intersection-union test).
    """

    KIND: ClassVar[str] = "slice"

    by: str
    """Column to slice by; the model need not know it."""
    bins: int
    """Ranges that a numeric column with more values is cut into."""
    min_rows: int

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> SliceGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        own = ("metric", "by", "min", "max", "bins", "min_rows", *CONFIDENCE_KEYS)
        check_keys("slice check", check, own)
        metric, by = read_metric(check), read_text(check, "by")
        return cls(
            name=read_name(check, plain_name(metric, "by", by)),
            severity=read_severity(check),
            metric=metric,
            bound=read_bound(check, "min", "max"),
            by=by,
            bins=read_whole_number(check, "bins", 4, low=2, high=LARGEST_BINS),
            min_rows=read_whole_number(check, "min_rows", 100, low=1, high=LARGEST_ROWS),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The column to slice by."""
        return (self.by,)

    def judge(self, evidence: Evidence) -> Outcome:
        """Measure every slice and hold the worst against the limit."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        groups = group_rows(find_column(evidence.features, self.by), self.bins)
        slices = [self._slice(evidence, group) for group in groups]
        judged = [found for found in slices if found.value is not None]
        if not judged:
            reason = f"none of {len(slices)} slices by {self.by} can be judged: {_why(slices)}"
            return Measured(None, None, reason, data=self._table(slices))
        worst = min(judged, key=self._standing)
        value, interval = worst.value or 0.0, worst.interval or (0.0, 0.0)
        return Measured(
            value,
            interval,
            f"{self.metric} is {value:.4f} ({self.bound.percent} {interval[0]:.4f} to "
            f"{interval[1]:.4f}) in the worst of {len(judged)} slices, {self.by} {worst.slice} "
            f"({worst.rows} rows)" + _left_out(len(slices) - len(judged)),
            method="stratified bootstrap",
            rows=sum(found.rows for found in judged),
            data=self._table(slices),
        )

    def _slice(self, evidence: Evidence, group: RowGroup) -> _Slice:
        target, score = evidence.target[group.rows], evidence.score[group.rows]
        events = int(target.sum())
        reason = unfit_to_judge(group, evidence.target, self.min_rows)
        if reason:
            return _Slice(group.label, target.size, events, not_judged=reason)
        level, options = self.bound.confidence, evidence.options
        value = metric_value(self.metric, target, score, options=options)
        interval = bootstrap_intervals(
            target,
            score,
            [self.metric],
            n=resamples_for(level, _RESAMPLES),
            level=level,
            options=options,
        )[self.metric]
        return _Slice(group.label, target.size, events, value, interval)

    def _standing(self, found: _Slice) -> float:
        """Return what makes a slice the worst: the lower, the worse."""
        low, high = found.interval or (0.0, 0.0)
        value = found.value or 0.0
        if self.bound.comparison == AT_LEAST:
            return low if self.bound.confident else value
        return -(high if self.bound.confident else value)

    def _table(self, slices: list[_Slice]) -> dict[str, object]:
        largest = sorted(slices, key=lambda found: found.value is None)[:_LISTED]
        return {
            "by": self.by,
            "min_rows": self.min_rows,
            "slices": [asdict(found) for found in largest],
            "slices_not_listed": len(slices) - len(largest),
        }


def _why(slices: list[_Slice]) -> str:
    told = [f"{found.slice} {found.not_judged}" for found in slices[:5]]
    return "; ".join(told) + (f"; and {len(slices) - 5} more" if len(slices) > 5 else "")


def _left_out(number: int) -> str:
    return f", {number} not judged" if number else ""
