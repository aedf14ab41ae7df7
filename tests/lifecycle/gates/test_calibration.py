"""Calibration as a gate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.training.calibration import calibration_error

Make = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]


def calibrated(evidence: Make, off: float = 0.0) -> Evidence:
    generator = np.random.default_rng(2)
    chance = generator.uniform(0.05, 0.6, 3000)
    return evidence(chance + off, target=(generator.random(3000) < chance).astype(np.int64))


def test_probabilities_that_come_true_pass_and_others_fail(evidence: Make, judge: Judge) -> None:
    check: dict[str, object] = {"kind": "calibration", "max": 0.05}
    good, bad = (judge(check, calibrated(evidence, off)) for off in (0.0, 0.2))
    assert (good.check.passed, bad.check.passed) == (True, False)
    assert (good.check.metric, good.check.method) == ("calibration_error", "bootstrap")
    seen = calibrated(evidence)
    expected = calibration_error(seen.target, seen.score, n=500)
    assert (good.check.observed, good.check.interval) == (expected.value, expected.interval)


def test_the_evidence_is_the_reliability_table(evidence: Make, judge: Judge) -> None:
    seen = calibrated(evidence)
    check: dict[str, object] = {"kind": "calibration", "max": 1, "bins": 5}
    table: Any = judge(check, seen).data["reliability"]
    assert [row["rows"] for row in table] == [600] * 5
    assert sum(row["events"] for row in table) == seen.target.sum()
    assert {"low", "high", "mean_score", "event_rate"} <= set(table[0])


def test_confidence_asks_the_upper_end(evidence: Make, judge: Judge) -> None:
    seen = calibrated(evidence, 0.1)
    found = judge({"kind": "calibration", "max": 1}, seen).check
    assert found.observed is not None
    assert found.interval is not None
    between = (found.observed + found.interval[1]) / 2
    assert judge({"kind": "calibration", "max": between}, seen).check.passed
    assert not judge({"kind": "calibration", "max": between, "confident": True}, seen).check.passed


def test_scores_that_are_no_probabilities_fail(evidence: Make, judge: Judge) -> None:
    result = judge({"kind": "calibration", "max": 1}, calibrated(evidence, 1.0)).check
    assert (result.passed, result.observed) == (False, None)
    assert "between 0 and 1" in result.message


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({}, "it has the key max"),
        ({"min": 1}, "calibration check key 'min'"),
        ({"max": "low"}, "finite number"),
        ({"max": 1, "metric": "auc"}, "calibration check key 'metric'"),
        ({"max": 1, "bins": 0}, "between 2 and 1000"),
    ],
)
def test_a_calibration_check_that_cannot_be_read_is_refused(
    check: dict[str, object], message: str, gate: Callable[[dict[str, object]], Gate]
) -> None:
    with pytest.raises(InvalidInput, match=message):
        gate({"kind": "calibration", **check})
