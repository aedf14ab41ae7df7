"""``mltrack models request-approval``, ``approve``, ``reject`` and ``approvals``."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.registration import delete_model
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import ActAs, CommandLine, Outcome, Register
from tests.lifecycle.conftest import AddVerdict

Say = Callable[..., Outcome]


@pytest.fixture
def say(mltrack: CommandLine, act_as: ActAs) -> Say:
    """Give a function with which somebody approves or rejects version 1 for Production."""

    def run(user: str, word: str = "approve", *words: str, reason: str = "I looked") -> Outcome:
        act_as(user)
        return mltrack(
            *("models", word, "credit", "1", "production", "--reason", reason),
            *("--format", "json", *words),
        )

    return run


def test_an_approval_is_recorded_and_says_what_is_still_missing(
    say: Say, candidate: ModelVersion, add_verdict: AddVerdict
) -> None:
    verdict = add_verdict(candidate)
    done = say("bob")
    assert done.code == 0, done.err
    assert (done.json["approver"], done.json["decision"]) == ("bob", "approved")
    assert (done.json["stage"], done.json["verdict_id"]) == ("Production", verdict.verdict_id)
    assert done.json["still_missing"] == []
    assert "Nothing is missing for Production any more." in done.err


def test_whoever_made_it_or_asked_for_it_may_not_approve(
    say: Say, mltrack: CommandLine, act_as: ActAs, candidate: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(candidate)
    act_as("ben")
    asked = mltrack(
        *("models", "request-approval", "credit", "1", "Production", "--reason", "please"),
        *("--format", "json"),
    )
    assert asked.code == 0
    assert asked.json["asked_by"] == "ben"
    assert asked.json["may_not_approve"] == [
        "ada registered this version",
        "ben asked for the approval",
    ]
    for user in ("ada", "ben", "BEN"):
        refused = say(user)
        assert refused.code == ExitCode.CONFLICT
        assert refused.out == ""
        assert "Ask somebody else to approve." in refused.err
    act_as("ben")
    table = mltrack("models", "request-approval", "credit", "1", "Production").out
    assert "ben asked for the approval" in table


def test_there_is_nothing_to_approve_without_a_passing_verdict(
    say: Say, candidate: ModelVersion, add_verdict: AddVerdict
) -> None:
    refused = say("bob")
    assert refused.code == ExitCode.CONFLICT
    assert "mltrack models validate credit 1" in refused.err
    add_verdict(candidate, passed=False)
    assert say("bob").code == ExitCode.CONFLICT


def test_a_rejection_stops_the_move(
    say: Say, candidate: ModelVersion, add_verdict: AddVerdict, mltrack: CommandLine
) -> None:
    add_verdict(candidate)
    say("bob")
    rejected = say("eve", "reject", reason="too few rows")
    assert rejected.json["decision"] == "rejected"
    assert rejected.json["still_missing"] == ["eve rejected it: too few rows"]
    assert mltrack("models", "check", "credit", "1", "Production").code == ExitCode.CONFLICT
    assert say("eve").json["still_missing"] == []


def test_approvals_are_listed_with_whether_they_count(
    say: Say, candidate: ModelVersion, add_verdict: AddVerdict, mltrack: CommandLine
) -> None:
    assert "Nobody has approved" in mltrack("models", "approvals", "credit").err
    add_verdict(candidate)
    say("bob")
    say("eve", "reject", reason="too few rows")
    rows = mltrack("models", "approvals", "credit", "1", "--format", "json").json
    assert [(row["approver"], row["decision"], row["counts"]) for row in rows] == [
        ("eve", "rejected", False),
        ("bob", "approved", True),
    ]
    add_verdict(candidate)
    rows = mltrack("models", "approvals", "credit", "--format", "json").json
    assert [row["counts"] for row in rows] == [False, False]
    assert "too few rows" in mltrack("models", "approvals", "credit").out
    assert "approver" in mltrack("models", "approvals", "credit", "--format", "csv").out


def test_an_approval_that_was_used_counts_for_nothing_any_more(
    say: Say, candidate: ModelVersion, add_verdict: AddVerdict, mltrack: CommandLine
) -> None:
    add_verdict(candidate)
    say("bob")
    assert mltrack("models", "promote", "credit", "1", "Production", "--reason", "go").code == 0
    (row,) = mltrack("models", "approvals", "credit", "--format", "json").json
    assert row["counts"] is None


def test_approvals_outlive_their_model(
    say: Say,
    candidate: ModelVersion,
    add_verdict: AddVerdict,
    mltrack: CommandLine,
    client: TrackingClient,
) -> None:
    add_verdict(candidate)
    say("bob")
    delete_model(client, "credit", actor="ada", reason="not used")
    (row,) = mltrack("models", "approvals", "credit", "--format", "json").json
    assert (row["approver"], row["counts"]) == ("bob", None)


@pytest.mark.parametrize("word", ["approve", "reject", "request-approval"])
def test_what_does_not_exist_is_said(
    mltrack: CommandLine, register: Register, act_as: ActAs, word: str
) -> None:
    register(stages="gated")
    act_as("bob")
    reason = ("--reason", "x")
    assert mltrack("models", word, "nobody", "1", "Staging", *reason).code == 3
    assert mltrack("models", word, "credit", "9", "Staging", *reason).code == 3
    assert mltrack("models", word, "credit", "1", "Stagin", *reason).code == 2
    no_edge = mltrack("models", word, "credit", "1", "Production", *reason)
    assert no_edge.code == ExitCode.CONFLICT
    assert "only to Staging, Archived" in no_edge.err


def test_an_answer_needs_a_reason(
    say: Say, mltrack: CommandLine, candidate: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(candidate)
    assert mltrack("models", "approve", "credit", "1", "Production").code == 2
    for word in ("approve", "reject"):
        assert say("bob", word, reason=" ").code == ExitCode.INVALID_INPUT


def test_approvals_of_nobody_are_not_found(mltrack: CommandLine, register: Register) -> None:
    register()
    assert mltrack("models", "approvals", "nobody").code == ExitCode.NOT_FOUND
    assert mltrack("models", "approvals", "credit", "9").code == ExitCode.NOT_FOUND
