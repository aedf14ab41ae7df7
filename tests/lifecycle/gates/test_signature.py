"""The signature gate: callers of the live version can call the candidate."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.model_package.manifest import PackageManifest
from airflow_mltrack.model_package.reader import LoadedModel
from airflow_mltrack.model_package.signature import Column, Signature

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]

LIVE = Signature((Column("age", "long", "int64"), Column("job", "string", "object")))


def package(signature: Signature | None) -> LoadedModel:
    return LoadedModel(PackageManifest("skops", "", "Model", (), signature=signature), None)


def between(evidence: MakeEvidence, live: Signature | None, new: Signature | None) -> Evidence:
    seen = evidence(0.3, champion=0.3, candidate=package(new))
    assert seen.champion is not None
    return replace(seen, champion=replace(seen.champion, model=package(live)))


def test_the_same_signature_passes(evidence: MakeEvidence, judge: Judge) -> None:
    check = judge({"kind": "signature"}, between(evidence, LIVE, LIVE)).check
    assert (check.passed, check.observed, check.threshold, check.comparison) == (True, 0, 0, "<=")
    assert (check.name, check.metric) == ("signature", "breaking_changes")
    assert "version 4 now live" in check.message


def test_every_change_that_breaks_is_counted_and_listed(
    evidence: MakeEvidence, judge: Judge
) -> None:
    new = Signature((Column("age", "integer", "int32"), Column("income", "double", "float64")))
    outcome = judge({"kind": "signature"}, between(evidence, LIVE, new))
    assert (outcome.check.passed, outcome.check.observed) == (False, 2)
    assert "'age' was long" in outcome.check.message
    assert "'income' is new" in outcome.check.message
    data: Any = json.loads(json.dumps(outcome.data))
    assert data["live_version"] == 4
    assert {(change["part"], change["breaks"]) for change in data["changes"]} == {
        ("column age", True),
        ("column income", True),
        ("column job", False),
    }


def test_strict_counts_harmless_changes_as_well(evidence: MakeEvidence, judge: Judge) -> None:
    seen = between(evidence, LIVE, Signature(LIVE.columns[:1]))
    assert judge({"kind": "signature"}, seen).check.passed
    strict = judge({"kind": "signature", "strict": True}, seen).check
    assert (strict.passed, strict.observed) == (False, 1)
    assert "no longer asked for" in strict.message
    assert judge({"kind": "signature", "strict": True}, between(evidence, LIVE, LIVE)).check.passed


def test_without_a_live_version_it_passes_and_says_so(evidence: MakeEvidence, judge: Judge) -> None:
    check = judge({"kind": "signature"}, evidence(0.3)).check
    assert (check.passed, check.observed) == (True, None)
    assert "no other version is in Production" in check.message


@pytest.mark.parametrize(
    ("live", "new", "whose"),
    [(None, LIVE, "version 4 now live has none"), (LIVE, None, "the candidate has none")],
)
def test_a_package_without_a_signature_cannot_be_compared(
    evidence: MakeEvidence,
    judge: Judge,
    live: Signature | None,
    new: Signature | None,
    whose: str,
) -> None:
    check = judge({"kind": "signature"}, between(evidence, live, new)).check
    assert (check.passed, check.observed) == (False, None)
    assert whose in check.message


def test_a_live_version_that_cannot_score_the_rows_is_compared_all_the_same(
    evidence: MakeEvidence, judge: Judge
) -> None:
    seen = between(evidence, LIVE, LIVE)
    assert seen.champion is not None
    failing = replace(seen.champion, scored=InvalidInput("columns", [], "one is missing."))
    assert judge({"kind": "signature"}, replace(seen, champion=failing)).check.passed


@pytest.mark.parametrize(
    "bad", [{"strict": "yes"}, {"stict": True}, {"max": 0}, {"severity": "none"}, {"name": ""}]
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "signature", **bad})
