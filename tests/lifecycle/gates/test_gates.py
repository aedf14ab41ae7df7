"""Gates: what they measure, and that what cannot be measured never passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from airflow_mltrack.lifecycle.gates.gate import AT_LEAST, AT_MOST, Bound, Evidence, Outcome
from airflow_mltrack.training.metrics import metric_value

Make = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]
Score = Callable[[float], NDArray[np.float64]]
VERSUS: dict[str, object] = {"metric": "auc", "versus": "champion", "min_difference": -0.005}


def test_a_threshold_holds_observed_limit_interval_and_rows(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    outcome = judge({"metric": "auc", "min": 0.6}, evidence(0.3))
    result = outcome.check
    observed = metric_value("auc", target, score(0.3))
    assert (result.passed, result.observed, result.threshold) == (True, observed, 0.6)
    assert (result.comparison, result.rows, result.kind) == (">=", 400, "threshold")
    assert (result.method, result.confidence) == ("stratified bootstrap", 0.95)
    assert result.interval is not None
    low, high = result.interval
    assert low < observed < high
    assert f"{observed:.4f}" in result.message
    assert outcome.data["events"] == target.sum()


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ({"metric": "auc", "min": 0.99}, False),
        ({"metric": "brier", "max": 0.9}, True),
        ({"metric": "brier", "max": 0.01}, False),
    ],
)
def test_a_threshold_decides_in_the_direction_of_its_limit(
    check: dict[str, object], passed: bool, evidence: Make, judge: Judge
) -> None:
    assert judge(check, evidence(0.2)).check.passed is passed


def test_confidence_asks_the_whole_interval(evidence: Make, judge: Judge) -> None:
    found = judge({"metric": "auc", "min": 0.5}, evidence(0.3)).check
    assert found.interval is not None
    assert found.observed is not None
    between = (found.interval[0] + found.observed) / 2
    assert judge({"metric": "auc", "min": between}, evidence(0.3)).check.passed
    asked: dict[str, object] = {"metric": "auc", "min": between, "confident": True}
    strict = judge(asked, evidence(0.3)).check
    assert not strict.passed
    assert "with 95% confidence" in strict.message
    loose = judge({**asked, "confidence": 0.5}, evidence(0.3)).check
    assert (loose.passed, loose.confidence) == (True, 0.5)
    assert "with 50% confidence" in loose.message


@pytest.mark.parametrize(
    ("bound", "observed", "interval", "holds"),
    [
        (Bound(AT_LEAST, 0.5), 0.5, (0.4, 0.6), True),
        (Bound(AT_LEAST, 0.5, confident=True), 0.5, (0.4, 0.6), False),
        (Bound(AT_MOST, 0.5), 0.5, (0.4, 0.6), True),
        (Bound(AT_MOST, 0.5, confident=True), 0.5, (0.4, 0.6), False),
        (Bound(AT_MOST, 0.6, confident=True), 0.5, (0.4, 0.6), True),
        (Bound(AT_MOST, 0.6, confident=True), 0.5, None, False),
        (Bound(AT_MOST, 0.6), 0.5, None, True),
    ],
)
def test_a_limit_is_kept_by_the_value_or_by_the_interval(
    bound: Bound, observed: float, interval: tuple[float, float] | None, holds: bool
) -> None:
    assert bound.holds(observed, interval) is holds


def test_the_champion_is_compared_on_the_same_rows(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    result = judge(VERSUS, evidence(0.3, champion=0.6)).check
    ours, theirs = (metric_value("auc", target, score(skill)) for skill in (0.3, 0.6))
    assert not result.passed
    assert result.observed == pytest.approx(ours - theirs)
    assert result.champion_value == pytest.approx(theirs)
    assert result.interval is not None
    assert result.observed is not None
    assert result.interval[0] < result.observed < result.interval[1] < 0
    assert "version 4" in result.message
    assert judge(VERSUS, evidence(0.6, champion=0.3)).check.passed


def test_less_is_better_uses_an_upper_limit(evidence: Make, judge: Judge) -> None:
    check: dict[str, object] = {"metric": "brier", "versus": "champion", "max_difference": 0}
    assert judge(check, evidence(0.6, champion=0.3)).check.passed
    assert not judge(check, evidence(0.3, champion=0.6)).check.passed


def test_two_equal_models_do_not_differ(evidence: Make, judge: Judge) -> None:
    check = {**VERSUS, "min_difference": 0, "confident": True}
    result = judge(check, evidence(0.4, champion=0.4)).check
    assert (result.passed, result.observed, result.interval) == (True, 0.0, (0.0, 0.0))


def test_without_a_champion_the_comparison_passes_and_says_so(evidence: Make, judge: Judge) -> None:
    result = judge(VERSUS, evidence(0.3)).check
    assert (result.passed, result.observed, result.champion_value) == (True, None, None)
    assert (result.threshold, result.comparison) == (-0.005, ">=")
    assert "no other version is in Production" in result.message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5])
def test_what_cannot_be_measured_fails_with_the_reason(
    bad: float, evidence: Make, judge: Judge, score: Score
) -> None:
    spoiled = score(0.9)
    spoiled[3] = bad
    seen = evidence(spoiled, champion=0.1)
    for check in (
        {"metric": "brier", "max": 1},
        {"metric": "brier", "versus": "champion", "max_difference": 1},
    ):
        result = judge(check, seen).check
        assert (result.passed, result.observed) == (False, None)
        assert "could not be measured" in result.message
        assert result.metric == "brier"


def test_judging_twice_gives_the_same_interval(evidence: Make, judge: Judge) -> None:
    check: dict[str, object] = {"metric": "ks", "min": 0.1}
    assert judge(check, evidence(0.3)) == judge(check, evidence(0.3))


def test_a_champion_that_learned_from_the_rows_is_told(evidence: Make, judge: Judge) -> None:
    fair = evidence(0.3, champion=0.2)
    assert fair.champion is not None
    knowing = replace(fair, champion=replace(fair.champion, knows_rows=True))
    assert "favours" not in judge(VERSUS, fair).check.message
    assert "it learned from some of them, which favours it" in judge(VERSUS, knowing).check.message
    assert judge(VERSUS, knowing).check.observed == judge(VERSUS, fair).check.observed


def test_a_check_that_is_only_a_warning_says_so(evidence: Make) -> None:
    from airflow_mltrack.lifecycle.gates.threshold import ThresholdGate

    gate = ThresholdGate.from_json({"metric": "auc", "min": 1, "severity": "warning"})
    result = gate.judge(evidence(0.3)).check
    assert (result.passed, result.severity, result.blocks, result.warns) == (
        False,
        "warning",
        False,
        True,
    )
