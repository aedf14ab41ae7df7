"""The function gate: a user's own code decides, and only trusted code is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.function import JudgedRows
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]

CODE = """
import numpy as np

seen = []

def look(rows):
    seen.append(rows)
    return True

def give(rows):
    return rows.params["answer"]

def share(rows):
    return (rows.score > rows.params["cutoff"]).mean()

def numpy_flag(rows):
    return np.bool_(True)

def numpy_answer(rows):
    return {"value": np.float32(0.5), "passed": np.bool_(True),
            "evidence": {"counts": np.arange(3), "best": np.int64(7), "zero": np.array(1.5)}}

def spoil(rows):
    rows.score[:] = 0
    rows.target[:] = 0
    rows.features["x"] = 0
    rows.params["cutoff"]["deep"] = 0
    return True

def fail(rows):
    raise KeyError("margin")

def leave(rows):
    raise SystemExit(0)

def endless(rows):
    answer = {"value": 1.0, "evidence": {}}
    answer["evidence"]["again"] = answer["evidence"]
    return answer

def keyed(rows):
    return {1: 2}

def unkeyed(rows):
    return {"value": 1.0, "evidence": {1: 2}}

def nan_evidence(rows):
    return {"value": 1.0, "evidence": {"x": float("nan")}}

def large(rows):
    return {"value": 1.0, "evidence": {"x": "y" * 2_000_000}}

def frame(rows):
    return rows.features

def nothing(rows):
    return None

def not_a_number(rows):
    return np.nan

def infinite(rows):
    return {"value": 10 ** 400}

def complex_number(rows):
    return 1j
"""


@pytest.fixture(autouse=True)
def my_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a package with functions that can be imported from here."""
    name = f"checks_{tmp_path.name}"
    (tmp_path / "modules" / name).mkdir(parents=True)
    (tmp_path / "modules" / name / "__init__.py").touch()
    (tmp_path / "modules" / name / "margin.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path / "modules")


@pytest.fixture
def module(tmp_path: Path) -> str:
    """Give the dotted name of the module with the functions."""
    return f"checks_{tmp_path.name}.margin"


@pytest.fixture
def ask(
    evidence: MakeEvidence, judge: Judge, module: str, tmp_path: Path
) -> Callable[..., Outcome]:
    """Give a function that judges by a function of the module."""

    def ask(name: str, champion: float | None = None, **fields: object) -> Outcome:
        seen = evidence(
            0.3,
            champion=champion,
            features=pd.DataFrame({"x": np.arange(400.0)}),
            trusted_modules=(f"checks_{tmp_path.name}",),
        )
        return judge({"kind": "function", "function": f"{module}.{name}", **fields}, seen)

    return ask


def test_a_number_is_held_against_the_limit(
    ask: Callable[..., Outcome], score: Callable[[float], NDArray[np.float64]], module: str
) -> None:
    expected = float((score(0.3) > 0.5).mean())
    check = ask("share", params={"cutoff": 0.5}, min=0.1).check
    assert (check.passed, check.observed, check.threshold) == (True, expected, 0.1)
    assert (check.comparison, check.kind, check.metric) == (">=", "function", f"{module}.share")
    assert check.name == f"{module}.share"
    assert "asked for >= 0.1" in check.message
    assert not ask("share", params={"cutoff": 0.5}, max=0.1).check.passed


@pytest.mark.parametrize(("answer", "passed"), [(True, True), (False, False)])
def test_yes_or_no_decides_alone(ask: Callable[..., Outcome], answer: bool, passed: bool) -> None:
    check = ask("give", params={"answer": answer}).check
    assert (check.passed, check.observed, check.threshold) == (passed, None, None)
    assert ("says yes" if passed else "says no") in check.message


@pytest.mark.parametrize(
    ("answer", "limit", "passed"),
    [
        ({"value": 3}, {"min": 2}, True),
        ({"value": 3}, {"max": 2}, False),
        ({"value": 3, "passed": True}, {}, True),
        ({"value": 3, "passed": False}, {}, False),
        ({"passed": True}, {}, True),
        ({"value": 3, "passed": True}, {"max": 2}, False),
        ({"value": 3, "passed": False}, {"min": 2}, False),
        ({"value": 3, "passed": True}, {"min": 2}, True),
        ({"value": 3, "passed": None}, {"min": 2}, True),
    ],
)
def test_a_mapping_needs_all_that_it_says(
    ask: Callable[..., Outcome],
    answer: dict[str, object],
    limit: dict[str, object],
    passed: bool,
) -> None:
    check = ask("give", params={"answer": answer}, **limit).check
    assert (check.passed, check.observed) == (passed, answer.get("value"))


def test_message_and_evidence_are_kept(ask: Callable[..., Outcome]) -> None:
    answer = {"passed": True, "message": "all is well", "evidence": {"by": {"region": [1, 2.5]}}}
    outcome = ask("give", params={"answer": answer})
    assert outcome.check.message.endswith("says yes: all is well")
    assert json.loads(json.dumps(outcome.data)) == {"by": {"region": [1, 2.5]}}


def test_numpy_answers_are_plain_answers(ask: Callable[..., Outcome]) -> None:
    assert ask("numpy_flag").check.passed
    outcome = ask("numpy_answer", min=0.5)
    assert (outcome.check.passed, outcome.check.observed) == (True, 0.5)
    assert json.loads(json.dumps(outcome.data)) == {"counts": [0, 1, 2], "best": 7, "zero": 1.5}


def test_the_function_sees_the_judged_rows(
    ask: Callable[..., Outcome],
    score: Callable[[float], NDArray[np.float64]],
    target: NDArray[np.int64],
    module: str,
) -> None:
    import importlib

    assert ask("look", champion=0.6, params={"cutoff": 1}).check.passed
    assert ask("look").check.passed
    rows, alone = importlib.import_module(module).seen
    assert isinstance(rows, JudgedRows)
    assert (rows.target == target).all()
    assert (rows.score == score(0.3)).all()
    assert np.array_equal(rows.champion_score, score(0.6))  # type: ignore[arg-type]
    assert list(rows.features.columns) == ["x"]
    assert rows.params == {"cutoff": 1}
    assert (alone.champion_score, alone.params) == (None, {})
    with pytest.raises(FrozenInstanceError):
        rows.score = rows.target  # type: ignore[misc,assignment]


def test_what_the_function_changes_stays_with_it(
    evidence: MakeEvidence, gate: Callable[[dict[str, object]], Gate], module: str, tmp_path: Path
) -> None:
    seen = evidence(
        0.3,
        features=pd.DataFrame({"x": np.arange(400.0)}),
        trusted_modules=(f"checks_{tmp_path.name}",),
    )
    before = (seen.target.sum(), seen.score.sum(), seen.features["x"].sum())
    params: dict[str, Any] = {"cutoff": {"deep": 1}}
    check: dict[str, object] = {
        "kind": "function",
        "function": f"{module}.spoil",
        "params": params,
    }
    assert gate(check).judge(seen).check.passed
    assert (seen.target.sum(), seen.score.sum(), seen.features["x"].sum()) == before
    assert params == {"cutoff": {"deep": 1}}


@pytest.mark.parametrize(
    ("name", "limit", "reason"),
    [
        ("fail", {}, "KeyError: 'margin'"),
        ("leave", {}, "SystemExit"),
        ("endless", {"min": 0}, "RecursionError"),
        ("keyed", {}, "answer key"),
        ("unkeyed", {"min": 0}, "payload key"),
        ("nan_evidence", {"min": 0}, "NaN"),
        ("large", {"min": 0}, "answer evidence"),
        ("frame", {"min": 0}, "returned a DataFrame"),
        ("nothing", {}, "returned a NoneType"),
        ("not_a_number", {"min": 0}, "finite number"),
        ("infinite", {"min": 0}, "finite number"),
        ("complex_number", {"min": 0}, "returned a complex"),
        ("share_", {"min": 0}, "Did you mean share"),
        ("np", {"min": 0}, "not a function"),
    ],
)
def test_what_is_no_answer_fails_with_the_reason(
    ask: Callable[..., Outcome], name: str, limit: dict[str, object], reason: str
) -> None:
    check = ask(name, **limit).check
    assert (check.passed, check.observed) == (False, None)
    assert "could not be measured" in check.message
    assert reason in check.message


@pytest.mark.parametrize(
    ("answer", "limit", "reason"),
    [
        (3, {}, "neither min nor max"),
        (True, {"min": 0}, "no value"),
        ({"passed": True}, {"min": 0}, "no value"),
        ({"value": 3}, {}, "neither min nor max"),
        ({"value": True}, {"min": 0}, "answer value"),
        ({"value": "3"}, {"min": 0}, "answer value"),
        ({"passed": 1}, {}, "answer passed"),
        ({"passed": True, "message": 3}, {}, "answer message"),
        ({"passed": True, "evidence": [1]}, {}, "answer evidence"),
        ({"pased": True}, {}, "Did you mean passed"),
        ({}, {}, "neither min nor max"),
        ("yes", {}, "returned a str"),
        ([True], {}, "returned a list"),
    ],
)
def test_a_wrong_answer_fails_with_the_reason(
    ask: Callable[..., Outcome], answer: object, limit: dict[str, object], reason: str
) -> None:
    check = ask("give", params={"answer": answer}, **limit).check
    assert not check.passed
    assert reason in check.message


def test_untrusted_code_is_never_imported(
    evidence: MakeEvidence, judge: Judge, module: str
) -> None:
    import sys

    check: dict[str, object] = {"kind": "function", "function": f"{module}.look"}
    result = judge(check, evidence(0.3, trusted_modules=("sklearn",))).check
    assert not result.passed
    assert "MLTRACK_TRUSTED_MODULES" in result.message
    assert module not in sys.modules


def test_a_champion_that_cannot_score_fails_the_check(
    evidence: MakeEvidence, judge: Judge, module: str, tmp_path: Path
) -> None:
    seen = evidence(0.3, champion=0.3, trusted_modules=(f"checks_{tmp_path.name}",))
    assert seen.champion is not None
    unable = replace(seen.champion, scored=InvalidInput("columns", ["x"], "age is missing."))
    check: dict[str, object] = {"kind": "function", "function": f"{module}.look"}
    result = judge(check, replace(seen, champion=unable)).check
    assert not result.passed
    assert "age is missing" in result.message


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"function": ""},
        {"function": "check"},
        {"function": 3},
        {"function": "mine._check"},
        {"function": "mine.tests.check"},
        {"function": "mine.a b.check"},
        {"function": "mine.check", "params": [1]},
        {"function": "mine.check", "min": 1, "max": 2},
        {"function": "mine.check", "min": nan},
        {"function": "mine.check", "min": "1"},
        {"function": "mine.check", "confident": True},
        {"function": "mine.check", "metric": "auc"},
    ],
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "function", **bad})
