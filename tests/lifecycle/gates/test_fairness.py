"""Fairness: the gap between groups."""

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
    "kind": "fairness",
    "by": "SEX",
    "measure": "equal_opportunity",
    "max_gap": 0.05,
}


@pytest.fixture
def people(evidence: Make, score: Score) -> Evidence:
    """Give rows of two groups, of which the second (150 of 400) is scored at random."""
    sex = np.where(np.arange(400) < 250, 1, 2)
    mixed = np.where(sex == 2, score(0.0), score(0.9))
    return evidence(mixed, features=pd.DataFrame({"SEX": sex, "one": 1, "age": np.arange(400)}))


def rate(seen: Evidence, of: NDArray[np.bool_], threshold: float = 0.5) -> float:
    return float((seen.score[of] >= threshold).mean())


@pytest.mark.parametrize(
    ("measure", "truth"),
    [("equal_opportunity", (1,)), ("predictive_equality", (0,)), ("demographic_parity", (0, 1))],
)
def test_the_gap_is_that_of_the_rate_that_the_measure_means(
    measure: str, truth: tuple[int, ...], people: Evidence, judge: Judge
) -> None:
    counts = np.isin(people.target, truth)
    sex = people.features["SEX"].to_numpy()
    expected = abs(rate(people, counts & (sex == 1)) - rate(people, counts & (sex == 2)))
    outcome = judge({**CHECK, "measure": measure}, people)
    check = outcome.check
    assert check.observed == pytest.approx(expected)
    assert check.passed is (expected <= 0.05)
    assert check.interval is not None
    assert check.interval[0] <= expected <= check.interval[1]
    assert (check.metric, check.method) == (measure, "bootstrap within groups")
    assert judge({**CHECK, "measure": measure, "max_gap": 1}, people).check.passed
    groups: Any = outcome.data["groups"]
    assert [(group["label"], group["rows"]) for group in groups] == [("1", 250), ("2", 150)]


def test_equalized_odds_and_metrics_can_be_asked(people: Evidence, judge: Judge) -> None:
    both = {
        measure: judge({**CHECK, "measure": measure}, people).check.observed
        for measure in ("equal_opportunity", "predictive_equality", "equalized_odds")
    }
    assert both["equalized_odds"] == max(value for value in both.values() if value is not None)
    outcome = judge({**CHECK, "measure": "auc"}, people)
    first, second = (
        metric_value("auc", people.target[part], people.score[part])
        for part in (slice(0, 250), slice(250, 400))
    )
    assert outcome.check.observed == pytest.approx(abs(first - second))
    assert "threshold" not in outcome.data


def test_it_decides_at_the_models_own_threshold(
    evidence: Make, judge: Judge, people: Evidence
) -> None:
    seen = evidence(people.score, features=people.features, threshold=0.7)
    assert judge(CHECK, seen).data["threshold"] == 0.7
    assert judge({**CHECK, "threshold": 0.2}, seen).data["threshold_source"] == "given"


def test_groups_below_the_least_rows_are_not_judged(people: Evidence, judge: Judge) -> None:
    check = {**CHECK, "by": "age", "bins": 4, "min_rows": 100, "max_gap": 1}
    assert judge(check, people).check.rows == 400
    result = judge({**CHECK, "min_rows": 200}, people).check
    assert (result.passed, result.observed) == (False, None)
    assert "2: fewer than 200 rows" in result.message


def test_one_group_cannot_be_compared(people: Evidence, judge: Judge) -> None:
    result = judge({**CHECK, "by": "one", "max_gap": 1}, people).check
    assert not result.passed
    assert "two are needed" in result.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": "equal_oportunity"}, "Did you mean equal_opportunity"),
        ({"measure": None}, "check measure"),
        ({"max_gap": None}, "check max_gap"),
        ({"by": ""}, "check by"),
        ({"measure": "auc", "threshold": 0.5}, "measure auc decides nothing"),
        ({"metric": "auc"}, "fairness check key 'metric'"),
        ({"min_rows": -1}, "between 1"),
    ],
)
def test_a_fairness_check_that_cannot_be_read_is_refused(
    change: dict[str, object], message: str, gate: Callable[[dict[str, object]], Gate]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        gate({**CHECK, **change})
