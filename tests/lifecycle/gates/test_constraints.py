"""The constraints gate: the share of judged rows that training never saw the like of."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import nan

import pandas as pd
import pytest
from scipy.stats import beta

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.model_package.manifest import PackageManifest
from airflow_mltrack.model_package.reader import LoadedModel
from airflow_mltrack.model_package.signature import Signature, infer_signature

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]

TRAINING = pd.DataFrame({"age": [20, 30, 40, 50], "job": ["a", "b", "a", "b"]})
CHECK: dict[str, object] = {"kind": "constraints", "max_share": 0.1}


def package(signature: Signature | None) -> LoadedModel:
    return LoadedModel(PackageManifest("skops", "", "Model", (), signature=signature), None)


def judged(evidence: MakeEvidence, strange: int) -> Evidence:
    """Give 100 rows; the first ones have a strange age, and the very first a strange job too."""
    rows = pd.DataFrame({"age": [99] * strange + [30] * (100 - strange), "job": ["a"] * 100})
    rows.loc[0, "job"] = "z"
    return evidence(features=rows, candidate=package(infer_signature(TRAINING)))


def test_rows_are_counted_once_and_columns_apart(evidence: MakeEvidence, judge: Judge) -> None:
    outcome = judge(CHECK, judged(evidence, 12))
    assert (outcome.check.passed, outcome.check.observed) == (False, 0.12)
    assert json.loads(json.dumps(outcome.data)) == {
        "rows": 100,
        "violating_rows": 12,
        "columns": {"age": {"range": 12}, "job": {"category": 1}},
    }
    assert "12 of 100 rows" in outcome.check.message
    assert "most in column age" in outcome.check.message


def test_the_interval_is_the_exact_binomial_one(evidence: MakeEvidence, judge: Judge) -> None:
    check = judge(CHECK, judged(evidence, 5)).check
    assert check.passed
    assert check.interval == pytest.approx((beta.ppf(0.025, 5, 96), beta.ppf(0.975, 6, 95)))
    assert check.method == "clopper-pearson"


def test_confidence_asks_the_upper_end(evidence: MakeEvidence, judge: Judge) -> None:
    seen = judged(evidence, 5)  # at most 11.3% with 95% confidence
    assert judge(CHECK, seen).check.passed
    assert not judge({**CHECK, "confident": True}, seen).check.passed
    assert judge({**CHECK, "confident": True, "confidence": 0.8}, seen).check.passed


def test_rows_like_those_of_training_pass_with_a_limit_of_zero(
    evidence: MakeEvidence, judge: Judge
) -> None:
    seen = evidence(features=TRAINING, candidate=package(infer_signature(TRAINING)))
    check = judge({"kind": "constraints", "max_share": 0}, seen).check
    assert (check.passed, check.observed) == (True, 0.0)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        Signature(array=("float64", 2)),
        infer_signature(TRAINING, constraints=False),
    ],
)
def test_a_package_without_recorded_values_fails_with_the_reason(
    evidence: MakeEvidence, judge: Judge, signature: Signature | None
) -> None:
    check = judge(CHECK, evidence(features=TRAINING, candidate=package(signature))).check
    assert (check.passed, check.observed) == (False, None)
    assert "Log the model with training_data" in check.message


def test_rows_that_do_not_fit_fail_with_the_reason(evidence: MakeEvidence, judge: Judge) -> None:
    rows = TRAINING.assign(age=["x"] * 4)
    seen = evidence(features=rows, candidate=package(infer_signature(TRAINING)))
    check = judge(CHECK, seen).check
    assert not check.passed
    assert "column 'age'" in check.message


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"max_share": -0.1},
        {"max_share": 1.1},
        {"max_share": nan},
        {"max_share": "0.1"},
        {"max_share": True},
        {"max_share": 0.1, "column": "age"},
    ],
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "constraints", **bad})
