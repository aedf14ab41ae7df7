"""Slices: the worst one that can be judged counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.training.metrics import metric_value

Make = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]
Score = Callable[[float], NDArray[np.float64]]
CHECK: dict[str, object] = {
    "kind": "slice",
    "metric": "auc",
    "by": "region",
    "min": 0.65,
    "min_rows": 50,
}


@pytest.fixture
def regions(evidence: Make, score: Score) -> Evidence:
    """Give rows of which the north (100 of 400) is scored at random, the islands are 10 rows."""
    region = np.array(["north"] * 100 + ["south"] * 290 + ["islands"] * 10)
    mixed = np.where(region == "north", score(0.0), score(0.8))
    features = pd.DataFrame({"region": region, "age": np.arange(400)})
    return evidence(mixed, features=features)


def _slices(outcome: Outcome) -> dict[str, dict[str, Any]]:
    listed: Any = outcome.data["slices"]
    return {row["slice"]: row for row in listed}


def test_the_worst_slice_counts(regions: Evidence, judge: Judge, target: NDArray[np.int64]) -> None:
    outcome = judge(CHECK, regions)
    north = metric_value("auc", target[:100], regions.score[:100])
    assert not outcome.check.passed
    assert outcome.check.observed == north
    assert outcome.check.interval is not None
    assert outcome.check.interval[0] < north < outcome.check.interval[1]
    assert "region north" in outcome.check.message
    assert judge({**CHECK, "min": 0.3}, regions).check.passed


def test_small_slices_are_reported_as_not_judged(regions: Evidence, judge: Judge) -> None:
    outcome = judge(CHECK, regions)
    found = _slices(outcome)
    assert found["islands"]["not_judged"] == "fewer than 50 rows"
    assert found["islands"]["value"] is None
    assert found["south"]["value"] > 0.9
    assert outcome.check.rows == 390
    assert "1 not judged" in outcome.check.message
    assert judge({**CHECK, "min_rows": 1}, regions).check.rows == 400


def test_a_slice_with_one_class_is_not_judged(evidence: Make, judge: Judge) -> None:
    target = np.array([0, 1] * 200)
    features = pd.DataFrame({"region": np.where(target == 1, "x", "y")})
    features.loc[:99, "region"] = "z"
    seen = evidence(0.9, features=features, target=target)
    found = _slices(judge({**CHECK, "min": 0}, seen))
    assert found["x"]["not_judged"] == "only events"
    assert found["y"]["not_judged"] == "no events"
    assert found["z"]["value"] is not None


def test_when_no_slice_can_be_judged_the_check_fails(regions: Evidence, judge: Judge) -> None:
    outcome = judge({**CHECK, "min_rows": 500, "min": 0}, regions)
    assert (outcome.check.passed, outcome.check.observed) == (False, None)
    assert "none of 3 slices by region can be judged" in outcome.check.message
    assert "fewer than 500 rows" in outcome.check.message
    assert set(_slices(outcome)) == {"north", "south", "islands"}


def test_numbers_are_cut_into_bins(regions: Evidence, judge: Judge) -> None:
    check = {**CHECK, "by": "age", "min": 0}
    assert list(_slices(judge(check, regions))) == [
        "0 to 99",
        "100 to 199",
        "200 to 299",
        "300 to 399",
    ]
    assert len(_slices(judge({**check, "bins": 2}, regions))) == 2


def test_where_less_is_better_the_largest_value_is_the_worst(
    regions: Evidence, judge: Judge
) -> None:
    check = {key: value for key, value in CHECK.items() if key != "min"}
    outcome = judge({**check, "metric": "brier", "max": 0.2}, regions)
    assert not outcome.check.passed
    assert outcome.check.observed == max(
        row["value"] for row in _slices(outcome).values() if row["value"] is not None
    )


def test_confidence_asks_every_slice(regions: Evidence, judge: Judge) -> None:
    found = _slices(judge({**CHECK, "min_rows": 1, "min": 0, "confident": True}, regions))
    lowest = min(row["interval"][0] for row in found.values())
    between = lowest + 1e-9
    strict = judge({**CHECK, "min_rows": 1, "min": between, "confident": True}, regions).check
    assert not strict.passed
    assert strict.interval is not None
    assert strict.interval[0] == lowest


def test_a_column_with_a_value_per_row_does_not_flood_the_evidence(
    evidence: Make, judge: Judge
) -> None:
    features = pd.DataFrame({"region": [f"r{row}" for row in range(400)]})
    outcome = judge(CHECK, evidence(0.3, features=features))
    assert not outcome.check.passed
    assert (len(_slices(outcome)), outcome.data["slices_not_listed"]) == (200, 200)


def test_an_unknown_column_fails_with_the_closest_one(regions: Evidence, judge: Judge) -> None:
    result = judge({**CHECK, "by": "Regon"}, regions).check
    assert not result.passed
    assert "Did you mean region?" in result.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": None}, "check by"),
        ({"by": 7}, "check by '7'"),
        ({"metric": "acu"}, "Did you mean auc"),
        ({"bins": 1}, "lies between 2 and 100"),
        ({"bins": 2.5}, "whole number"),
        ({"min_rows": 0}, "lies between 1"),
        ({"min_rows": "200"}, "finite number"),
        ({"max": 1}, "exactly one of the keys min and max"),
        ({"minrows": 3}, "Did you mean min_rows"),
    ],
)
def test_a_slice_check_that_cannot_be_read_is_refused(
    change: dict[str, object], message: str, gate: Callable[[dict[str, object]], Gate]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        gate({**CHECK, **change})


def test_a_check_is_named_after_metric_and_column(
    gate: Callable[[dict[str, object]], Gate],
) -> None:
    assert gate(CHECK).name == "auc_by_region"
    assert gate({**CHECK, "by": "Income (€)/a"}).name == "auc_by_Income ____a"
