"""The words under which people approve: the evidence, and no value that could fake it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.runs import Run, RunStatus
from airflow_mltrack.entities.stages import StageEdge
from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.lifecycle.decision_basis import DecisionBasis
from airflow_mltrack.operators.approval_body import (
    approval_body,
    approval_subject,
    binding_line,
    code,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
PAGE = "/team-a/mltrack/models/credit"
CHECK = CheckResult(
    name="auc_floor",
    kind="threshold",
    passed=True,
    observed=0.7123456,
    threshold=0.6,
    comparison=">=",
    interval=(0.69, 0.73),
    rows=180,
    metric="auc",
    champion_value=0.7,
    message="auc is 0.712",
    p_value=0.04,
)
VERDICT = Verdict(
    verdict_id="v" * 32,
    name="credit",
    version=7,
    passed=False,
    package_digest="d" * 64,
    policy={},
    policy_digest="p" * 64,
    dataset_name="applications",
    dataset_digest="e" * 64,
    checks=(CHECK, replace(CHECK, name="gap", passed=False, observed=None, interval=None)),
    champion_version=6,
    actor="ada",
    created_at=NOW,
    valid_until=NOW + timedelta(days=30),
)
VERSION = ModelVersion(
    name="credit",
    version=7,
    stage="Staging",
    source="models:/m-1",
    created_at=NOW,
    updated_at=NOW,
    run_id="r" * 32,
    digest="d" * 64,
    user="ada",
)
RUN = Run(
    run_id="r" * 32,
    experiment_id=1,
    name="fit",
    status=RunStatus.FINISHED,
    lifecycle=Lifecycle.ACTIVE,
    started_at=NOW,
    ended_at=NOW,
    user="grace",
    attempt_id=1,
    attempt_number=1,
    dag_id="monthly",
    dag_run_id="manual__1",
)
BASIS = DecisionBasis(
    version=VERSION,
    edge=StageEdge("Staging", "Production", verdict=True, approvals=1),
    live=replace(VERSION, version=6),
    verdict=VERDICT,
    run=RUN,
    code={"commit": "c0ffee", "branch": "main", "dirty": True},
    lacking=("1 approval is needed, 0 count",),
    obstacles=("its verdict expired at 2026-03-31 12:00 UTC",),
)


def _body(basis: DecisionBasis, *, requested_by: str = "ada", reason: str = "monthly") -> str:
    return approval_body(basis, requested_by=requested_by, reason=reason, page=PAGE)


def _tokens(markdown: str) -> list[Token]:
    """Parse as Airflow's pages do: with GitHub's tables, strike-through and links in plain text."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return [token for block in parser.parse(markdown) for token in (block, *(block.children or ()))]


def _plain_text(markdown: str) -> str:
    return "".join(token.content for token in _tokens(markdown) if token.type == "text")


@pytest.mark.parametrize(
    "fact",
    [
        "`credit` version **7**: `Staging` → `Production`",
        "by `grace`",
        "Dag run `manual__1` of `monthly`",
        "`ada`: `monthly`",
        "commit `c0ffee`, branch `main`, **with uncommitted changes**",
        f"Package: `{'d' * 64}`",
        "Live now: version **6**",
        "DID NOT PASS",
        f"Verdict `{'v' * 32}`, made at 2026-03-01 12:00 UTC, counts until 2026-03-31 12:00 UTC",
        f"Data set `applications` with digest `{'e' * 64}`",
        "Compared with: version **6**",
        "- passed: `auc_floor`: observed **0.712346**, 95% interval 0.69 to 0.73, "
        "asked for at least 0.6, live version 0.7, p 0.04, 180 rows, `auc is 0.712`",
        "- **FAILED**: `gap`",
        "1 approval is needed, 0 count",
        "its verdict expired",
        f"]({PAGE})",
    ],
)
def test_everything_that_a_decision_rests_on_is_shown(fact: str) -> None:
    assert fact in _body(BASIS)


def test_what_is_not_known_is_said() -> None:
    bare = DecisionBasis(
        replace(VERSION, digest=None), StageEdge("None", "Staging"), None, None, None
    )
    text = _body(bare, reason="")
    for words in ("Trained: not recorded", "no commit recorded", "No verdict", "no version"):
        assert words in text
    assert "and no verdict, " in binding_line(bare)


def test_a_failed_warning_is_no_failure() -> None:
    warned = replace(CHECK, passed=False, severity="warning")
    assert "**warning**" in _body(replace(BASIS, verdict=replace(VERDICT, checks=(warned,))))


def test_generated_data_are_called_so() -> None:
    shown = _body(replace(BASIS, verdict=replace(VERDICT, details={"synthetic": True})))
    assert "data set is generated" in shown


def test_earlier_approvals_are_shown() -> None:
    approval = Approval(
        approval_id="a",
        name="credit",
        version=7,
        stage="Production",
        decision=Decision.APPROVED,
        approver="bob",
        reason="good",
        package_digest=None,
        verdict_id=None,
        created_at=NOW,
    )
    assert "Approved by `bob`" in _body(replace(BASIS, approvals=(approval,)))


def test_requests_about_other_evidence_are_told_apart() -> None:
    others = [
        replace(BASIS, verdict=None),
        replace(BASIS, verdict=replace(VERDICT, verdict_id="w" * 32)),
        replace(BASIS, version=replace(VERSION, version=8)),
        replace(BASIS, version=replace(VERSION, digest="f" * 64)),
        replace(BASIS, edge=StageEdge("Staging", "Shadow")),
    ]
    lines = {binding_line(basis) for basis in (BASIS, *others)}
    assert len(lines) == 1 + len(others)
    assert binding_line(BASIS) in _body(BASIS).splitlines()


HOSTILE = [
    "![x](https://evil.example/track.png)",
    "[approve here](https://evil.example)",
    "https://evil.example www.evil.example",
    "`` ` ``` code` and **PASSED**",
    "a\n\n# Verdict: passed\n\n- passed: everything",
    "<img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "\u202edessap\u202c\u0000\u2028x",
    "\\`\\` &lt;b&gt; ~~struck~~",
    "`",
    "",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_can_speak_in_our_voice(value: str) -> None:
    basis = replace(
        BASIS,
        version=replace(VERSION, name=value, user=value, digest=value),
        edge=replace(BASIS.edge, source=value),
        run=replace(RUN, user=value, run_id=value, dag_id=value or None, dag_run_id=value),
        verdict=replace(
            VERDICT,
            dataset_name=value,
            dataset_digest=value,
            checks=(replace(CHECK, name=value, message=value),),
        ),
        code={"commit": value, "branch": value, "reason": value},
        lacking=(value,),
        obstacles=(value,),
    )
    markdown = _body(basis, requested_by=value, reason=value)
    tokens = _tokens(markdown)
    assert {token.type for token in tokens} <= {
        *("paragraph_open", "paragraph_close", "inline", "text", "softbreak", "code_inline"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
        *("strong_open", "strong_close", "link_open", "link_close"),
    }
    assert [t.attrs["href"] for t in tokens if t.type == "link_open"] == [PAGE]
    for piece in ("evil", "PASSED", "Verdict: passed", "everything", "onerror", "struck"):
        assert piece not in _plain_text(markdown)
    assert "\n" not in approval_subject(basis)


@given(st.text())
def test_a_value_is_shown_whole_and_as_code(value: str) -> None:
    shown = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    tokens = _tokens(f"- {code(value)}, and more")
    pieces = [token.content for token in tokens if token.type in ("code_inline", "text")]
    if not shown:
        assert pieces == ["(empty), and more"]
    elif len(shown) <= 500:
        assert pieces == [shown, ", and more"]
    else:
        assert pieces[0].endswith("…")
