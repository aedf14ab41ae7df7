"""Gates: what they measure, and that what cannot be measured never passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from airflow_mltrack.lifecycle.gates.gate import AT_LEAST, AT_MOST, Bound, Champion, Evidence
from airflow_mltrack.lifecycle.policy import parse_policy
from airflow_mltrack.training.metrics import MetricOptions, metric_value

ROWS = 400
RANDOM = np.random.default_rng(7)
TARGET = (RANDOM.random(ROWS) < 0.3).astype(np.int64)
NOISE = RANDOM.random(ROWS)


def score(skill: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Scores between chance (0) and certainty (1)."""
    return skill * (0.2 + 0.6 * TARGET) + (1 - skill) * NOISE


def evidence(skill: float, champion: float | None = None) -> Evidence:
    live = None if champion is None else Champion(4, score(champion))
    return Evidence(TARGET, score(skill), live, MetricOptions())


def judge(check: dict[str, object], seen: Evidence):  # type: ignore[no-untyped-def]
    (gate,) = parse_policy({"checks": [check]}).gates
    return gate.judge(seen)


def test_a_threshold_holds_observed_limit_interval_and_rows() -> None:
    result = judge({"metric": "auc", "min": 0.6}, evidence(0.3))
    observed = metric_value("auc", TARGET, score(0.3))
    assert (result.passed, result.observed, result.threshold) == (True, observed, 0.6)
    assert (result.comparison, result.rows, result.kind) == (">=", ROWS, "threshold")
    low, high = result.interval
    assert low < observed < high
    assert f"{observed:.4f}" in result.message


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        ({"metric": "auc", "min": 0.99}, False),
        ({"metric": "brier", "max": 0.9}, True),
        ({"metric": "brier", "max": 0.01}, False),
    ],
)
def test_a_threshold_decides_in_the_direction_of_its_limit(
    check: dict[str, object], passed: bool
) -> None:
    assert judge(check, evidence(0.2)).passed is passed


def test_confidence_asks_the_whole_interval() -> None:
    low = judge({"metric": "auc", "min": 0.5}, evidence(0.3)).interval[0]
    observed = judge({"metric": "auc", "min": 0.5}, evidence(0.3)).observed
    between = (low + observed) / 2
    assert judge({"metric": "auc", "min": between}, evidence(0.3)).passed
    strict = judge({"metric": "auc", "min": between, "confident": True}, evidence(0.3))
    assert not strict.passed
    assert "with 95% confidence" in strict.message


@pytest.mark.parametrize(
    ("bound", "observed", "interval", "holds"),
    [
        (Bound(AT_LEAST, 0.5), 0.5, (0.4, 0.6), True),
        (Bound(AT_LEAST, 0.5, confident=True), 0.5, (0.4, 0.6), False),
        (Bound(AT_MOST, 0.5), 0.5, (0.4, 0.6), True),
        (Bound(AT_MOST, 0.5, confident=True), 0.5, (0.4, 0.6), False),
        (Bound(AT_MOST, 0.6, confident=True), 0.5, (0.4, 0.6), True),
    ],
)
def test_a_limit_is_kept_by_the_value_or_by_the_interval(
    bound: Bound, observed: float, interval: tuple[float, float], holds: bool
) -> None:
    assert bound.holds(observed, interval) is holds


def test_the_champion_is_compared_on_the_same_rows() -> None:
    check: dict[str, object] = {"metric": "auc", "versus": "champion", "min_difference": -0.005}
    result = judge(check, evidence(0.3, champion=0.6))
    ours, theirs = (metric_value("auc", TARGET, score(skill)) for skill in (0.3, 0.6))
    assert not result.passed
    assert result.observed == pytest.approx(ours - theirs)
    assert result.champion_value == pytest.approx(theirs)
    assert result.interval[0] < result.observed < result.interval[1] < 0
    assert "version 4" in result.message
    assert judge(check, evidence(0.6, champion=0.3)).passed


def test_less_is_better_uses_an_upper_limit() -> None:
    check: dict[str, object] = {"metric": "brier", "versus": "champion", "max_difference": 0}
    assert judge(check, evidence(0.6, champion=0.3)).passed
    assert not judge(check, evidence(0.3, champion=0.6)).passed


def test_two_equal_models_do_not_differ() -> None:
    check: dict[str, object] = {
        "metric": "auc",
        "versus": "champion",
        "min_difference": 0,
        "confident": True,
    }
    result = judge(check, evidence(0.4, champion=0.4))
    assert (result.passed, result.observed, result.interval) == (True, 0.0, (0.0, 0.0))


def test_without_a_champion_the_comparison_passes_and_says_so() -> None:
    result = judge({"metric": "auc", "versus": "champion", "min_difference": 0}, evidence(0.3))
    assert (result.passed, result.observed, result.champion_value) == (True, None, None)
    assert "no other version is in Production" in result.message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.5])
def test_what_cannot_be_measured_fails_with_the_reason(bad: float) -> None:
    spoiled = score(0.9)
    spoiled[3] = bad
    seen = Evidence(TARGET, spoiled, Champion(1, score(0.1)), MetricOptions())
    for check in (
        {"metric": "brier", "max": 1},
        {"metric": "brier", "versus": "champion", "max_difference": 1},
    ):
        result = judge(check, seen)
        assert (result.passed, result.observed) == (False, None)
        assert "could not be measured" in result.message


def test_judging_twice_gives_the_same_interval() -> None:
    check: dict[str, object] = {"metric": "ks", "min": 0.1}
    assert judge(check, evidence(0.3)) == judge(check, evidence(0.3))


def test_a_champion_that_learned_from_the_rows_is_told() -> None:
    check = {"metric": "auc", "versus": "champion", "min_difference": 0.0}
    fair = evidence(0.3, champion=0.2)
    assert fair.champion is not None
    knowing = replace(fair, champion=replace(fair.champion, knows_rows=True))
    assert "favours" not in judge(check, fair).message
    assert "it learned from some of them, which favours it" in judge(check, knowing).message
    assert judge(check, knowing).observed == judge(check, fair).observed
