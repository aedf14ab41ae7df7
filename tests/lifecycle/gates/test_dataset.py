"""The data set gate: rows, events and freshness."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from math import inf, nan

import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]

NOW = datetime(2026, 3, 11, 12, tzinfo=timezone.utc)
AGED: dict[str, object] = {"kind": "dataset", "max_age_days": 30, "time_column": "month"}


@pytest.fixture
def seen(evidence: MakeEvidence, target: pd.Series[int]) -> Evidence:
    """Give 400 rows with their months; the newest is ten days and a half old."""
    months = ["2026-01", "2026-03", "2025-11", None] * (len(target) // 4)
    return evidence(features=pd.DataFrame({"month": months}), now=NOW)


def test_rows_are_counted(seen: Evidence, judge: Judge) -> None:
    check = judge({"kind": "dataset", "min_rows": 400}, seen).check
    assert (check.passed, check.observed, check.threshold) == (True, 400, 400)
    assert (check.comparison, check.metric, check.rows) == (">=", "rows", 400)
    assert not judge({"kind": "dataset", "min_rows": 401}, seen).check.passed


def test_events_are_counted(seen: Evidence, judge: Judge) -> None:
    events = int(seen.target.sum())
    check = judge({"kind": "dataset", "min_events": events}, seen).check
    assert (check.passed, check.observed, check.metric) == (True, events, "events")
    assert not judge({"kind": "dataset", "min_events": events + 1}, seen).check.passed


def test_the_age_is_that_of_the_newest_value(seen: Evidence, judge: Judge) -> None:
    outcome = judge(AGED, seen)
    check = outcome.check
    assert (check.passed, check.observed, check.comparison) == (True, 10.5, "<=")
    assert check.metric == "age_days"
    assert json.loads(json.dumps(outcome.data)) == {
        "rows": 400,
        "events": int(seen.target.sum()),
        "time_column": "month",
        "newest": "2026-03-01T00:00:00+00:00",
        "rows_without_time": 100,
        "age_days": 10.5,
    }
    assert not judge({**AGED, "max_age_days": 10}, seen).check.passed


@pytest.mark.parametrize(
    ("limits", "passed", "worst"),
    [
        ({"min_rows": 200, "min_events": 5, "max_age_days": 11}, True, "age_days"),
        ({"min_rows": 399, "min_events": 5, "max_age_days": 30}, True, "rows"),
        ({"min_rows": 800, "min_events": 5, "max_age_days": 1}, False, "age_days"),
        ({"min_rows": 800, "min_events": 5, "max_age_days": 30}, False, "rows"),
        ({"min_rows": 10, "min_events": 4000, "max_age_days": 30}, False, "events"),
    ],
)
def test_all_limits_count_and_the_worst_is_observed(
    seen: Evidence, judge: Judge, limits: dict[str, object], passed: bool, worst: str
) -> None:
    check = judge({**AGED, **limits}, seen).check
    assert (check.passed, check.metric) == (passed, worst)
    assert check.threshold == limits[{"age_days": "max_age_days"}.get(worst, f"min_{worst}")]
    for name in ("rows is 400", "events is", "age_days is 10.5"):
        assert name in check.message


def test_values_a_little_ahead_are_fresh(evidence: MakeEvidence, judge: Judge) -> None:
    seen = evidence(features=pd.DataFrame({"month": ["2026-03-31"]}), now=NOW)
    check = judge(AGED, seen).check
    assert (check.passed, check.observed) == (True, -19.5)


def test_what_fails_is_observed_before_what_passes(evidence: MakeEvidence, judge: Judge) -> None:
    seen = evidence(features=pd.DataFrame({"month": ["2026-03-31"]}), now=NOW)
    check = judge({**AGED, "max_age_days": 0, "min_rows": 800}, seen).check
    assert (check.passed, check.metric) == (False, "rows")


def test_an_open_end_does_not_make_data_fresh(evidence: MakeEvidence, judge: Judge) -> None:
    seen = evidence(features=pd.DataFrame({"month": ["2026-03-01", "2199-12-31"]}), now=NOW)
    check = judge(AGED, seen).check
    assert (check.passed, check.observed) == (False, None)
    assert "days ahead" in check.message


@pytest.mark.parametrize(
    ("column", "reason"),
    [("month", "no time"), ("moth", "Did you mean month"), ("empty", "no value")],
)
def test_an_age_that_cannot_be_read_fails_with_the_reason(
    evidence: MakeEvidence, judge: Judge, column: str, reason: str
) -> None:
    rows = pd.DataFrame({"month": ["soon"] * 3, "empty": [None] * 3})
    outcome = judge({**AGED, "time_column": column, "min_rows": 1}, evidence(features=rows))
    assert (outcome.check.passed, outcome.check.observed) == (False, None)
    assert reason in outcome.check.message
    assert outcome.data["rows"] == 400


def test_the_time_column_is_asked_for_before_the_work(
    gate: Callable[[dict[str, object]], Gate],
) -> None:
    assert gate(AGED).columns == ("month",)
    assert gate({"kind": "dataset", "min_rows": 1}).columns == ()


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"min_rows": 0},
        {"min_rows": -5},
        {"min_rows": 1.5},
        {"min_rows": nan},
        {"min_rows": "many"},
        {"min_events": True},
        {"max_age_days": 30},
        {"time_column": "month"},
        {"min_rows": 1, "time_column": "month"},
        {"max_age_days": -1, "time_column": "month"},
        {"max_age_days": inf, "time_column": "month"},
        {"max_age_days": 3, "time_column": ""},
        {"max_age_days": 3, "time_column": 7},
        {"min_row": 3},
    ],
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "dataset", **bad})
