"""What decisions cost, and against the live version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.lifecycle.policy import parse_policy
from airflow_mltrack.training.metrics import CostMatrix, MetricOptions

Make = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]
Score = Callable[[float], NDArray[np.float64]]
CHECK: dict[str, object] = {"kind": "expected_cost", "max": 0.4}
VERSUS: dict[str, object] = {"kind": "expected_cost", "versus": "champion", "max_difference": 0}


def by_hand(
    target: NDArray[np.int64], score: NDArray[np.float64], threshold: float, fn: float, fp: float
) -> float:
    called = score >= threshold
    missed, refused = (target == 1) & ~called, (target == 0) & called
    return float((fn * missed.sum() + fp * refused.sum()) / target.size)


def test_the_cost_per_row_is_held_against_the_limit(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    costs = {"false_positive": 2, "false_negative": 7}
    outcome = judge({**CHECK, **costs, "threshold": 0.6}, evidence(0.5))
    expected = by_hand(target, score(0.5), 0.6, fn=7, fp=2)
    check = outcome.check
    assert check.observed == pytest.approx(expected)
    assert check.interval is not None
    assert check.interval[0] < expected < check.interval[1]
    assert check.passed is (expected <= 0.4)
    assert (check.metric, check.method) == ("expected_cost", "bootstrap")
    assert judge({**CHECK, **costs, "max": expected}, evidence(0.5)).data["costs"] == {
        "false_negative": 7.0,
        "false_positive": 2.0,
        "true_positive": 0.0,
        "true_negative": 0.0,
    }
    outcomes = ("true_positive", "false_positive", "false_negative", "true_negative")
    assert sum(int(str(outcome.data[name])) for name in outcomes) == target.size


def test_it_decides_at_the_models_own_threshold(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    for stored, used in ((0.35, 0.35), (None, 0.5)):
        check = judge(CHECK, evidence(0.5, threshold=stored)).check
        assert check.observed == pytest.approx(by_hand(target, score(0.5), used, fn=5, fp=1))
        assert f"at threshold {used}" in check.message


def test_costs_that_the_check_leaves_out_are_the_policys(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    options = MetricOptions(costs=CostMatrix(false_negative=9, false_positive=3))
    seen = evidence(0.5, options=options)
    assert judge(CHECK, seen).check.observed == pytest.approx(
        by_hand(target, score(0.5), 0.5, fn=9, fp=3)
    )
    assert judge({**CHECK, "false_positive": 1}, seen).check.observed == pytest.approx(
        by_hand(target, score(0.5), 0.5, fn=9, fp=1)
    )


def test_against_the_live_version_each_decides_at_its_own_threshold(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    seen = evidence(0.6, champion=0.2, threshold=0.4)
    assert seen.champion is not None
    seen = replace(seen, champion=replace(seen.champion, threshold=0.7))
    check = judge(VERSUS, seen).check
    ours, theirs = (
        by_hand(target, score(skill), threshold, fn=5, fp=1)
        for skill, threshold in ((0.6, 0.4), (0.2, 0.7))
    )
    assert check.passed
    assert check.observed == pytest.approx(ours - theirs)
    assert check.champion_value == pytest.approx(theirs)
    assert check.method == "paired bootstrap"
    assert check.interval is not None
    assert check.interval[0] < ours - theirs < check.interval[1]
    data: Any = judge(VERSUS, seen).data
    assert (data["candidate"]["threshold"], data["champion"]["threshold"]) == (0.4, 0.7)


def test_a_dearer_version_fails_and_nothing_live_passes(evidence: Make, judge: Judge) -> None:
    assert not judge({**VERSUS, "threshold": 0.5}, evidence(0.1, champion=0.8)).check.passed
    alone = judge(VERSUS, evidence(0.1)).check
    assert (alone.passed, alone.observed, alone.threshold) == (True, None, 0.0)


def test_only_the_comparison_asks_for_the_live_version(
    gate: Callable[[dict[str, object]], Gate],
) -> None:
    assert gate(VERSUS).needs_champion
    assert not gate(CHECK).needs_champion
    assert not parse_policy({"checks": [CHECK]}).needs_champion


def test_what_cannot_be_decided_fails(evidence: Make, judge: Judge, score: Score) -> None:
    spoiled = score(0.5)
    spoiled[0] = np.nan
    assert not judge({**CHECK, "max": 99}, evidence(spoiled)).check.passed
    assert not judge({**VERSUS, "max_difference": 99}, evidence(spoiled, champion=0.5)).check.passed


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({}, "it has the key max"),
        ({"max": 1, "max_difference": 1}, "key 'max_difference'"),
        ({"versus": "champion", "max": 1}, "key 'max'"),
        ({"versus": "challenger", "max_difference": 1}, "it is champion"),
        ({"max": 1, "false_positive": "1"}, "check false_positive '1'"),
        ({"max": 1, "false_negative": 10**400}, "finite number"),
        ({"max": 1, "false_negative": 0}, "wrong decision must cost more"),
        ({"max": 1, "threshold": -0.1}, "between 0 and 1"),
    ],
)
def test_a_cost_check_that_cannot_be_read_is_refused(
    check: dict[str, object], message: str, gate: Callable[[dict[str, object]], Gate]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        gate({"kind": "expected_cost", **check})


def test_costs_may_contradict_neither_each_other_nor_the_policy() -> None:
    check = {**CHECK, "true_positive": 6}
    with pytest.raises(InvalidInput, match="wrong decision must cost more"):
        parse_policy({"checks": [check]})
    policy = {"checks": [check], "cost_matrix": {"false_negative": 8}}
    assert parse_policy(policy).options.costs.false_negative == 8
