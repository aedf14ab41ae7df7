"""What people see who are to approve: collected once, for every door."""

from __future__ import annotations

import pytest

from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.exceptions import ApprovalRefused, PromotionRefused
from airflow_mltrack.lifecycle.approval import approve
from airflow_mltrack.lifecycle.decision_basis import find_basis
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.transition_facts import transition_facts
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


def test_the_basis_tells_approvals_from_other_obstacles(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version(gates=POLICY, stages=GATED, user="ada")
    promote(client, "credit", 1, "Staging", actor="ada")
    bare = find_basis(client, "credit", 1, "production")
    assert (bare.edge.source, bare.edge.target) == ("Staging", "Production")
    assert (bare.verdict, bare.verdict_id, bare.run, bare.live) == (None, None, None, None)
    assert bare.lacking == ("1 approval is needed, 0 count",)
    assert bare.obstacles == ("no verdict exists for this version",)
    verdict = add_verdict(version)
    approval = approve(client, "credit", 1, "Production", approver="bob", reason="good")
    ready = find_basis(client, "credit", 1, "Production")
    assert ready.verdict == verdict
    assert (ready.approvals, ready.lacking, ready.obstacles) == ((approval,), (), ())
    assert ready.is_approved


def test_a_move_that_asks_for_no_approval_is_not_approved(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    basis = find_basis(client, "credit", 1, "Production")
    assert not basis.is_approved
    assert basis.lacking == ()


def test_a_move_that_is_not_allowed_has_no_basis(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version(stages=GATED)
    with pytest.raises(PromotionRefused, match="no edge leads from None to Production"):
        find_basis(client, "credit", 1, "Production")


def test_an_answer_about_evidence_that_was_replaced_is_refused(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version()
    seen = add_verdict(version).verdict_id
    latest = add_verdict(version).verdict_id
    with pytest.raises(ApprovalRefused, match=f"verdict {seen}, and now there is verdict {latest}"):
        approve(client, "credit", 1, "Production", approver="bob", reason="good", seen_verdict=seen)
    with pytest.raises(ApprovalRefused, match="is about no verdict"):
        approve(client, "credit", 1, "Production", approver="bob", reason="bad", seen_verdict=None)
    given = approve(
        client, "credit", 1, "Production", approver="bob", reason="good", seen_verdict=latest
    )
    assert given.verdict_id == latest


def test_the_facts_of_a_move_stay_when_it_is_told_again(
    client: TrackingClient, add_version: AddVersion
) -> None:
    version = add_version()
    done = promote(client, "credit", 1, "Staging", actor="ada", intent="once")
    promote(client, "credit", 1, "Production", actor="bob")
    again = promote(client, "credit", 1, "Staging", actor="eve", intent="once")
    assert not again.changed
    assert transition_facts(again, "eve") == transition_facts(done, "ada")
    assert transition_facts(again, "eve") == {
        "name": "credit",
        "version": 1,
        "stage": "Staging",
        "digest": version.digest,
        "verdict_id": None,
        "run_id": None,
        "previous_version": None,
        "actor": "ada",
        "approvals": [],
    }


def test_a_version_that_stood_there_from_the_start_has_facts_too(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    found = promote(client, "credit", 1, "None", actor="ada")
    assert transition_facts(found, "ada")["stage"] == "None"
    assert transition_facts(found, "ada")["actor"] == "ada"
