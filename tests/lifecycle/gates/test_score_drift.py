"""Score drift against the live version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.training.population_stability import population_stability

Make = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]
Score = Callable[[float], NDArray[np.float64]]
CHECK: dict[str, object] = {"kind": "score_drift", "max_psi": 0.2}


def test_scores_like_those_of_the_live_version_pass_and_others_fail(
    evidence: Make, judge: Judge, score: Score
) -> None:
    near, far = (judge(CHECK, evidence(skill, champion=0.3)) for skill in (0.31, 0.9))
    assert (near.check.passed, far.check.passed) == (True, False)
    expected = population_stability(score(0.3), score(0.9), n=500)
    assert (far.check.observed, far.check.interval) == (expected.value, expected.interval)
    assert (far.check.metric, far.check.method) == ("psi", "bootstrap")
    assert "version 4 now live" in far.check.message


def test_the_evidence_is_the_table_of_bins(evidence: Make, judge: Judge) -> None:
    outcome = judge({**CHECK, "bins": 5}, evidence(0.5, champion=0.3))
    table: Any = outcome.data["bins"]
    assert [row["expected"] for row in table] == [0.2] * 5
    assert sum(row["actual"] for row in table) == pytest.approx(1)
    assert sum(row["part"] for row in table) == pytest.approx(outcome.check.observed)
    assert outcome.data["smallest_share"] == 1e-4


def test_nothing_live_passes_and_says_so(evidence: Make, judge: Judge) -> None:
    check = judge(CHECK, evidence(0.3)).check
    assert (check.passed, check.observed) == (True, None)
    assert "nothing to compare with" in check.message


def test_a_live_version_that_scores_all_rows_alike_fails(evidence: Make, judge: Judge) -> None:
    check = judge(CHECK, evidence(0.3, champion=np.full(400, 0.5))).check
    assert (check.passed, check.observed) == (False, None)
    assert "differ between rows" in check.message


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({}, "it has the key max_psi"),
        ({"max_psi": "0.2"}, "finite number"),
        ({"max_psi": 0.2, "bins": 1}, "between 2 and 100"),
        ({"max_psi": 0.2, "max": 1}, "Did you mean max_psi|key 'max'"),
    ],
)
def test_a_drift_check_that_cannot_be_read_is_refused(
    check: dict[str, object], message: str, gate: Callable[[dict[str, object]], Gate]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        gate({"kind": "score_drift", **check})
