"""The live version: three ways to say how sure a difference is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.training.paired_tests import delong

Make = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]
Score = Callable[[float], NDArray[np.float64]]
BETTER: dict[str, object] = {
    "metric": "auc",
    "versus": "champion",
    "method": "delong",
    "min_difference": 0,
    "confident": True,
}
DECIDES: dict[str, object] = {"versus": "champion", "method": "mcnemar", "min_difference": 0}


def test_delong_asks_for_better_with_confidence(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    outcome = judge(BETTER, evidence(0.5, champion=0.2))
    expected = delong(target, score(0.5), score(0.2))
    check = outcome.check
    assert check.passed
    assert (check.method, check.observed, check.interval, check.p_value) == (
        "delong",
        expected.difference,
        expected.interval,
        expected.p_value,
    )
    assert check.champion_value == expected.second
    assert outcome.data["covariance"] == expected.covariance
    assert not judge(BETTER, evidence(0.2, champion=0.5)).check.passed


def test_not_worse_by_more_than_a_margin(evidence: Make, judge: Judge) -> None:
    seen = evidence(0.30, champion=0.32)
    assert not judge(BETTER, seen).check.passed
    assert judge({**BETTER, "min_difference": -0.05}, seen).check.passed


def test_mcnemar_compares_errors_where_each_model_decides(
    evidence: Make, judge: Judge, target: NDArray[np.int64], score: Score
) -> None:
    seen = evidence(0.6, champion=0.2, threshold=0.4)
    assert seen.champion is not None
    seen = replace(seen, champion=replace(seen.champion, threshold=0.7))
    outcome = judge(DECIDES, seen)
    ours = float(((score(0.6) >= 0.4) == target).mean())
    theirs = float(((score(0.2) >= 0.7) == target).mean())
    assert outcome.check.passed
    assert outcome.check.metric == "accuracy"
    assert outcome.check.observed == pytest.approx(ours - theirs)
    assert outcome.check.champion_value == pytest.approx(theirs)
    assert outcome.check.p_value is not None
    assert outcome.check.p_value < 0.05
    assert outcome.data["candidate_decision"] == {"threshold": 0.4, "threshold_source": "stored"}
    assert outcome.data["champion_decision"] == {"threshold": 0.7, "threshold_source": "stored"}
    counts = [outcome.data[f"only_{side}_right"] for side in ("candidate", "champion")]
    assert outcome.check.observed == pytest.approx((counts[0] - counts[1]) / target.size)  # type: ignore[operator]


def test_a_given_threshold_is_used_for_both_and_one_half_where_none_is_known(
    evidence: Make, judge: Judge
) -> None:
    seen = evidence(0.6, champion=0.2, threshold=0.4)
    given = judge({**DECIDES, "threshold": 0.3}, seen).data
    expected = {"threshold": 0.3, "threshold_source": "given"}
    assert given["candidate_decision"] == given["champion_decision"] == expected
    unknown = judge(DECIDES, seen).data["champion_decision"]
    assert unknown == {"threshold": 0.5, "threshold_source": "default"}


def test_every_method_leaves_what_it_saw(evidence: Make, judge: Judge) -> None:
    for method in ("bootstrap", "delong"):
        check = {**BETTER, "method": method}
        data = judge(check, evidence(0.5, champion=0.2)).data
        assert {"champion_version", "rows", "events", "candidate", "champion"} <= set(data)


@pytest.mark.parametrize("method", ["bootstrap", "delong", "mcnemar"])
def test_a_live_version_that_cannot_score_the_rows_fails_the_check(
    method: str, evidence: Make, judge: Judge
) -> None:
    seen = evidence(0.5, champion=0.2)
    assert seen.champion is not None
    reason = InvalidInput("columns", "income", "it is missing.")
    seen = replace(seen, champion=replace(seen.champion, scored=reason))
    check = {**DECIDES, "method": method}
    if method != "mcnemar":
        check["metric"] = "auc"
    result = judge(check, seen).check
    assert (result.passed, result.observed) == (False, None)
    assert "live version 4" in result.message
    assert "income" in result.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "pr_auc"}, "method delong compares auc.*bootstrap"),
        ({"method": "delonge"}, "bootstrap or delong or mcnemar.*Did you mean delong"),
        ({"threshold": 0.5}, "the method delong decides nothing.*mcnemar"),
        ({"method": "mcnemar"}, "check metric 'auc'.*it is accuracy"),
        ({"method": "mcnemar", "metric": "accuracy", "threshold": 2}, "between 0 and 1"),
        ({"method": "mcnemar", "metric": "accuracy", "threshold": "x"}, "finite number"),
        ({"confidence": 1}, "lies between 0.5 and 0.999"),
        ({"confidence": True}, "finite number"),
        ({"max_difference": 1}, "exactly one of the keys"),
    ],
)
def test_a_method_is_asked_only_for_what_it_can_do(
    change: dict[str, object], message: str, gate: Callable[[dict[str, object]], Gate]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        gate({**BETTER, **change})
