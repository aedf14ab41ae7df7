"""Whether the judged rows are many enough, hold enough events, and are fresh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.check_fields import (
    check_keys,
    find_column,
    read_name,
    read_number,
    read_severity,
    read_text,
    read_whole_number,
)
from airflow_mltrack.lifecycle.gates.gate import AT_LEAST, AT_MOST, Bound, Evidence, Gate, Outcome
from airflow_mltrack.lifecycle.gates.moments import newest_moment

_LIMITS = ("min_rows", "min_events", "max_age_days")
_MOST_ROWS = 10**12
_MOST_DAYS = 36_500
_AHEAD = timedelta(days=31)  # a month may be named by its last day


@dataclass(frozen=True, slots=True)
class _Found:
    """One number with its limit."""

    name: str
    value: float
    bound: Bound

    @property
    def holds(self) -> bool:
        return self.bound.holds(self.value, None)

    @property
    def margin(self) -> float:
        """How often the limit is kept: 1 is just so, less is too little."""
        if self.bound.comparison == AT_LEAST:
            return self.value / self.bound.limit
        return self.bound.limit / max(self.value, 1e-9)

    def __str__(self) -> str:
        return f"{self.name} is {self.value:g}, asked for {self.bound}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetGate(Gate):
    """``{"kind": "dataset", "min_rows": 1000, "min_events": 50, "max_age_days": 30,
    "time_column": "month"}``; at least one of the three limits.

    Rows and events are those that are judged. The age is the time from the newest value of
    ``time_column`` (see :func:`.newest_moment`) to the evaluation. All limits must be kept. The
    result has one number: the one that keeps its limit worst, by the ratio of the two; the message
    and the evidence have all of them.
    """  # noqa: D205 - the example is one line of JSON

    KIND: ClassVar[str] = "dataset"

    min_rows: int | None = None
    min_events: int | None = None
    max_age_days: float | None = None
    time_column: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The time column."""
        return () if self.time_column is None else (self.time_column,)

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> DatasetGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("dataset check", check, (*_LIMITS, "time_column"))
        if not any(key in check for key in _LIMITS):
            raise InvalidInput(
                "check", dict(check), f"it has one of the keys {', '.join(_LIMITS)}."
            )
        if ("max_age_days" in check) != ("time_column" in check):
            raise InvalidInput(
                "check", dict(check), "max_age_days and time_column are given together."
            )
        aged = "max_age_days" in check
        return cls(
            name=read_name(check, "dataset"),
            severity=read_severity(check),
            min_rows=_count(check, "min_rows"),
            min_events=_count(check, "min_events"),
            max_age_days=read_number(check, "max_age_days", low=0, high=_MOST_DAYS)
            if aged
            else None,
            time_column=read_text(check, "time_column") if aged else None,
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Count, look at the newest row, and hold every number against its limit."""
        counted = {"rows": len(evidence.target), "events": int(evidence.target.sum())}
        try:
            found, data = self._measure(evidence, counted)
        except InvalidInput as error:
            message = f"it could not be measured: {error}"
            return self.outcome(evidence, message, passed=False, data=counted)
        worst = min(found, key=lambda one: (one.holds, one.margin))
        plain = self.outcome(
            evidence,
            "; ".join(map(str, found)),
            passed=all(one.holds for one in found),
            data=data,
        )
        check = replace(
            plain.check,
            metric=worst.name,
            observed=worst.value,
            threshold=worst.bound.limit,
            comparison=worst.bound.comparison,
        )
        return Outcome(check, plain.data)

    def _measure(
        self, evidence: Evidence, counted: Mapping[str, int]
    ) -> tuple[list[_Found], dict[str, object]]:
        data: dict[str, object] = dict(counted)
        found = [
            _Found(name, counted[name], Bound(AT_LEAST, limit))
            for name, limit in (("rows", self.min_rows), ("events", self.min_events))
            if limit is not None
        ]
        if self.max_age_days is not None and self.time_column is not None:
            age = self._age(evidence, self.time_column, data)
            found.append(_Found("age_days", age, Bound(AT_MOST, self.max_age_days)))
        return found, data

    def _age(self, evidence: Evidence, name: str, data: dict[str, object]) -> float:
        """Return the age in days, and note in ``data`` what it was read from."""
        column = find_column(evidence.features, name)
        newest = newest_moment(column)
        data |= {
            "time_column": name,
            "newest": newest.isoformat(),
            "rows_without_time": int(column.isna().sum()),
        }
        if newest > evidence.now + _AHEAD:
            raise InvalidInput(
                "time column",
                name,
                f"its newest value {newest.isoformat()} is more than {_AHEAD.days} days ahead.",
                "A date that stands for an open end tells nothing about freshness.",
            )
        data["age_days"] = age = (evidence.now - newest) / timedelta(days=1)
        return age


def _count(check: Mapping[str, object], key: str) -> int | None:
    return read_whole_number(check, key, low=1, high=_MOST_ROWS) if key in check else None
