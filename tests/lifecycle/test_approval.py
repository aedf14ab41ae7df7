"""Asking for approval and answering: who may, when, and what is written down."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import GATED, OPEN
from airflow_mltrack.exceptions import (
    ApprovalRefused,
    Conflict,
    InvalidInput,
    NotFound,
    PromotionRefused,
)
from airflow_mltrack.lifecycle.approval import (
    approval_json,
    approve,
    list_approvals,
    request_approval,
)
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


@pytest.fixture
def staged(client: TrackingClient, add_version: AddVersion) -> ModelVersion:
    """Give a version in Staging of a gated model; it was not judged yet."""
    version = add_version(gates=POLICY, stages=GATED, user="ada", run_user="carl")
    promote(client, "credit", 1, "Staging", actor="ada")
    return version


@pytest.fixture
def judged(staged: ModelVersion, add_verdict: AddVerdict) -> ModelVersion:
    """Give the version with a passing verdict."""
    add_verdict(staged)
    return staged


def say(client: TrackingClient, approver: str = "bob", **given: object) -> Approval:
    facts: dict[str, object] = {"reason": "fine", **given}
    return approve(client, "credit", 1, "production", approver=approver, **facts)  # type: ignore[arg-type]


def nothing_was_said(client: TrackingClient) -> bool:
    told = {event.kind for event in list_history(client, "credit")}
    return list_approvals(client, "credit") == [] and "approval" not in told


def test_an_answer_is_kept_with_all_that_it_speaks_of(
    client: TrackingClient, staged: ModelVersion, add_verdict: AddVerdict
) -> None:
    verdict = add_verdict(staged)
    request_approval(client, "credit", 1, "Production", actor="rita")
    given = say(client, reason="read the report", details={"dag_id": "release"})
    assert (given.name, given.version, given.stage) == ("credit", 1, "Production")
    assert (given.decision, given.approver, given.requested_by) == (
        Decision.APPROVED,
        "bob",
        "rita",
    )
    assert (given.package_digest, given.verdict_id) == (staged.digest, verdict.verdict_id)
    assert given.valid_until == given.created_at + timedelta(days=30)
    assert given.details == {"dag_id": "release"}
    assert list_approvals(client, "credit") == list_approvals(client, "credit", 1) == [given]
    event = list_history(client, "credit")[-1]
    assert (event.kind, event.version, event.actor) == ("approval", 1, "bob")
    assert event.payload["approval_id"] == given.approval_id
    assert (event.payload["decision"], event.payload["stage"], event.payload["reason"]) == (
        "approved",
        "Production",
        "read the report",
    )
    assert verify_history(client, "credit").is_whole


@pytest.mark.usefixtures("judged")
def test_an_answer_is_written_as_json(client: TrackingClient) -> None:
    given = say(client, decision="rejected")
    data = json.loads(json.dumps(approval_json(given)))
    assert (data["decision"], data["approver"]) == ("rejected", "bob")
    assert data["created_at"] == given.created_at.isoformat()
    assert approval_json(replace(given, valid_until=None))["valid_until"] is None


@pytest.mark.parametrize(
    ("approver", "why"),
    [
        ("ada", "ada registered this version"),
        ("Ada ", "ada registered this version"),
        ("CARL", "carl trained this version"),
        ("rita", "rita asked for the approval"),
        ("RiTa", "rita asked for the approval"),
    ],
)
@pytest.mark.parametrize("decision", ["approved", "rejected"])
@pytest.mark.usefixtures("judged")
def test_four_eyes_are_asked_for_before_anything_is_written(
    client: TrackingClient, approver: str, why: str, decision: str
) -> None:
    request_approval(client, "credit", 1, "Production", actor="rita")
    with pytest.raises(ApprovalRefused, match=why) as caught:
        say(client, approver, decision=decision)
    assert "Ask somebody else" in str(caught.value)
    assert nothing_was_said(client)


@pytest.mark.usefixtures("staged")
def test_there_is_nothing_to_approve_before_the_verdict(client: TrackingClient) -> None:
    with pytest.raises(ApprovalRefused, match="no verdict exists") as caught:
        say(client)
    assert "mltrack models validate credit 1" in str(caught.value)
    assert nothing_was_said(client)
    assert say(client, decision="rejected").verdict_id is None


def test_a_failed_verdict_is_rejected_but_not_approved(
    client: TrackingClient, staged: ModelVersion, add_verdict: AddVerdict
) -> None:
    verdict = add_verdict(staged, passed=False)
    with pytest.raises(ApprovalRefused, match="its latest verdict did not pass"):
        say(client)
    assert say(client, decision="rejected").verdict_id == verdict.verdict_id


@pytest.mark.parametrize(
    "bad",
    [
        {"reason": ""},
        {"reason": " \t"},
        {"reason": "a\x00"},
        {"approver": ""},
        {"approver": " "},
        {"decision": "yes"},
        {"decision": ""},
        {"details": {"a": object()}},
    ],
)
@pytest.mark.usefixtures("judged")
def test_an_answer_that_says_nothing_is_refused(
    client: TrackingClient, bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        say(client, **bad)  # type: ignore[arg-type]
    assert nothing_was_said(client)


@pytest.mark.usefixtures("judged")
def test_what_is_not_there_is_not_approved(client: TrackingClient) -> None:
    for name, version in (("none", 1), ("credit", 9)):
        with pytest.raises(NotFound):
            approve(client, name, version, "Production", approver="bob", reason="fine")
        with pytest.raises(NotFound):
            request_approval(client, name, version, "Production", actor="rita")
    for stage, error in (("Live", InvalidInput), ("None", PromotionRefused)):
        with pytest.raises(error):
            approve(client, "credit", 1, stage, approver="bob", reason="fine")
        with pytest.raises(error):
            request_approval(client, "credit", 1, stage, actor="rita")
    assert nothing_was_said(client)


def test_who_was_shown_an_older_verdict_answers_again(
    client: TrackingClient, judged: ModelVersion, add_verdict: AddVerdict
) -> None:
    with client.store.transaction() as tx:
        (seen,) = tx.verdicts.list("credit", 1)
    latest = add_verdict(judged)
    for shown in (seen.verdict_id, None):
        with pytest.raises(ApprovalRefused, match=f"now there is verdict {latest.verdict_id}"):
            say(client, seen_verdict=shown)
    assert nothing_was_said(client)
    assert say(client, seen_verdict=latest.verdict_id).verdict_id == latest.verdict_id


@pytest.mark.usefixtures("judged")
def test_the_same_answer_given_twice_is_written_once(client: TrackingClient) -> None:
    first = say(client, approval_id="ti-7")
    assert say(client, approval_id="ti-7", reason="other words") == first
    assert list_approvals(client, "credit") == [first]
    assert [event.kind for event in list_history(client, "credit")].count("approval") == 1


@pytest.mark.parametrize(
    "other",
    [
        {"approver": "eve"},
        {"decision": "rejected"},
        {"version": 2},
        {"name": "other"},
        {"stage": "Archived"},
    ],
)
def test_an_id_stands_for_one_answer(
    client: TrackingClient, judged: ModelVersion, add_version: AddVersion, other: dict[str, object]
) -> None:
    add_version()
    add_version("other")
    say(client, approval_id="ti-7")
    given = {"name": "credit", "version": 1, "stage": "Production", "approver": "bob", **other}
    with pytest.raises(Conflict, match="bob has approved credit/1 for Production"):
        approve(client, **given, reason="fine", approval_id="ti-7")  # type: ignore[arg-type]


def test_an_answer_given_at_once_by_many_tries_is_written_once(
    client: TrackingClient, judged: ModelVersion
) -> None:
    answers: list[Approval] = []
    threads = [
        threading.Thread(target=lambda: answers.append(say(client, approval_id="ti-7")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 4
    assert set(map(repr, answers)) == {repr(answers[0])}
    assert verify_history(client, judged.name).is_whole


@pytest.mark.usefixtures("judged")
def test_a_repeated_answer_is_known_after_the_version_was_moved_on(client: TrackingClient) -> None:
    first = say(client, approval_id="ti-7")
    promote(client, "credit", 1, "Production", actor="ada", reason="better")
    assert say(client, approval_id="ti-7") == first


def test_asking_again_changes_nothing(
    client: TrackingClient, judged: ModelVersion, add_verdict: AddVerdict
) -> None:
    first = request_approval(
        client, "credit", 1, "production", actor="rita", reason="ready", details={"a": 1}
    )
    assert (first.kind, first.actor, first.version) == ("approval_requested", "rita", 1)
    assert (first.payload["stage"], first.payload["digest"]) == ("Production", judged.digest)
    assert (first.payload["reason"], first.payload["details"]) == ("ready", {"a": 1})
    assert request_approval(client, "credit", 1, "Production", actor="rita") == first
    other = request_approval(client, "credit", 1, "Production", actor="sam")
    assert other.event_id > first.event_id
    add_verdict(judged)
    again = request_approval(client, "credit", 1, "Production", actor="rita")
    assert again.payload["verdict_id"] != first.payload["verdict_id"]
    kinds = [event.kind for event in list_history(client, "credit")]
    assert kinds.count("approval_requested") == 3


def test_an_open_model_takes_approvals_that_nobody_asks_for(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version(stages=OPEN)
    given = approve(client, "credit", 1, "Production", approver="bob", reason="fine")
    assert (given.verdict_id, given.requested_by) == (None, None)
    done = promote(client, "credit", 1, "Production", actor="ada")
    assert done.event is not None
    assert done.event.payload["approvals"] == []


@pytest.mark.usefixtures("judged")
def test_the_way_back_of_a_former_holder_can_be_approved(
    client: TrackingClient, add_verdict: AddVerdict, judged: ModelVersion
) -> None:
    say(client)
    promote(client, "credit", 1, "Production", actor="ada", reason="better")
    promote(client, "credit", 1, "Archived", actor="ada", reason="worse")
    verdict = add_verdict(judged)
    request_approval(client, "credit", 1, "Production", actor="rita")
    given = say(client)
    assert (given.stage, given.verdict_id) == ("Production", verdict.verdict_id)
    with pytest.raises(PromotionRefused, match="no edge leads"):
        approve(client, "credit", 1, "Staging", approver="bob", reason="fine")


def test_a_version_that_was_never_live_has_no_way_back(
    client: TrackingClient, judged: ModelVersion
) -> None:
    promote(client, "credit", 1, "Archived", actor="ada", reason="withdrawn")
    with pytest.raises(PromotionRefused, match="no edge leads from Archived to Production"):
        say(client)
