"""The latency gate: the time of real calls, and how sure it is of their slowest twentieth."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from math import inf, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates import latency
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.model_package.manifest import PackageManifest
from airflow_mltrack.model_package.reader import LoadedModel
from airflow_mltrack.model_package.signature import infer_signature

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]

ROWS = pd.DataFrame({"x": np.arange(50.0), "note": ["n"] * 50})
QUICK: dict[str, object] = {"kind": "latency", "max_p95_ms": 60_000}


class Model:
    """Sleeps as long as its next pause says, and notes the rows it was given."""

    def __init__(self, *pauses: float) -> None:
        self.pauses = list(pauses)
        self.seen: list[pd.DataFrame] = []

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        if self.pauses:
            time.sleep(self.pauses.pop(0))
        self.seen.append(rows)
        return np.full((len(rows), 2), 0.5)


def served(model: object, training: pd.DataFrame = ROWS) -> LoadedModel:
    signature = infer_signature(training[["x"]])
    return LoadedModel(PackageManifest("skops", "", "Model", (), signature=signature), model)


def test_calls_are_timed_with_the_signature_check(evidence: MakeEvidence, judge: Judge) -> None:
    model = Model()
    outcome = judge({**QUICK, "calls": 30}, evidence(features=ROWS, candidate=served(model)))
    check = outcome.check
    assert check.passed
    assert check.metric == "p95_ms"
    data: Any = json.loads(json.dumps(outcome.data))
    assert 0 < data["p50_ms"] <= data["p95_ms"] <= data["max_ms"]
    assert check.observed == data["p95_ms"]
    assert (data["batch"], data["calls"]) == (1, 30)
    assert len(model.seen) == 30 + latency._WARM_UP
    assert all(list(rows.columns) == ["x"] for rows in model.seen)


def test_a_slow_twentieth_is_seen(evidence: MakeEvidence, judge: Judge) -> None:
    pauses = [0.0] * (latency._WARM_UP + 18) + [0.03, 0.05]
    seen = evidence(features=ROWS, candidate=served(Model(*pauses)))
    outcome = judge({"kind": "latency", "max_p95_ms": 20, "calls": 20}, seen)
    assert not outcome.check.passed
    assert outcome.check.observed is not None
    assert outcome.check.observed >= 30
    data: Any = outcome.data
    assert data["max_ms"] >= 50
    assert data["p50_ms"] < 20


def test_the_warm_up_is_not_counted(evidence: MakeEvidence, judge: Judge) -> None:
    pauses = [0.2] * latency._WARM_UP
    seen = evidence(features=ROWS, candidate=served(Model(*pauses)))
    data: Any = judge({**QUICK, "calls": 20}, seen).data
    assert data["max_ms"] < 200


def test_every_call_has_other_rows_and_they_repeat_at_the_end(
    evidence: MakeEvidence, judge: Judge
) -> None:
    model = Model()
    judge({**QUICK, "batch": 60, "calls": 20}, evidence(features=ROWS, candidate=served(model)))
    assert {len(rows) for rows in model.seen} == {60}
    assert model.seen[0]["x"].tolist() == [*range(50), *range(10)]
    assert model.seen[1]["x"].tolist()[:3] == [10, 11, 12]


def test_strange_values_are_checked_but_not_logged_again_and_again(
    evidence: MakeEvidence, judge: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    model = served(Model(), training=ROWS.head(3))
    with caplog.at_level(logging.WARNING):
        judge({**QUICK, "calls": 20}, evidence(features=ROWS, candidate=model))
        assert caplog.records == []
        model.predict_proba(ROWS)
    assert len(caplog.records) == 1


def test_a_call_that_fails_fails_the_check(evidence: MakeEvidence, judge: Judge) -> None:
    class Broken:
        def predict_proba(self, rows: pd.DataFrame) -> Any:
            raise ZeroDivisionError("one row is too few")

    check = judge(QUICK, evidence(features=ROWS, candidate=served(Broken()))).check
    assert (check.passed, check.observed) == (False, None)
    assert "ZeroDivisionError: one row is too few" in check.message


def test_a_model_that_is_much_too_slow_is_given_up(
    evidence: MakeEvidence, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "_PATIENCE", 0.02)
    seen = evidence(features=ROWS, candidate=served(Model(0.03, 0.03)))
    check = judge({"kind": "latency", "max_p95_ms": 0.01}, seen).check
    assert not check.passed
    assert "seconds already" in check.message


def test_the_interval_holds_the_quantile_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    true = -np.log(0.05)  # of an exponential distribution
    for level in (0.8, 0.95):
        hits = [
            low <= true <= high
            for low, high in (
                latency.quantile_interval(random.exponential(size=200), 0.95, level)
                for _ in range(400)
            )
        ]
        assert np.mean(hits) >= level - 0.03


def test_too_few_calls_bound_nothing_from_above(evidence: MakeEvidence, judge: Judge) -> None:
    assert latency.quantile_interval(np.arange(20.0), 0.95, 0.95)[1] == inf
    seen = evidence(features=ROWS, candidate=served(Model()))
    check = judge({**QUICK, "calls": 20, "confident": True}, seen).check
    assert (check.passed, check.interval) == (False, None)
    assert "too few calls" in check.message
    assert judge({**QUICK, "calls": 100, "confident": True}, seen).check.passed


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"max_p95_ms": -1},
        {"max_p95_ms": nan},
        {"max_p95_ms": "fast"},
        {"max_p95_ms": 5, "batch": 0},
        {"max_p95_ms": 5, "batch": 1.5},
        {"max_p95_ms": 5, "calls": 19},
        {"max_p95_ms": 5, "calls": 10**9},
        {"max_p95_ms": 5, "calls": True},
        {"max_p50_ms": 5},
    ],
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "latency", **bad})
