"""Approvals on the way into Production: how many, by whom, of what, and until when."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from airflow_mltrack.entities.approvals import Decision
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import GATED, StageGraph
from airflow_mltrack.exceptions import PromotionRefused
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import live_version, missing_for, promote
from airflow_mltrack.lifecycle.registration import set_policy
from airflow_mltrack.lifecycle.transitions import Transition
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddApproval, AddVerdict, AddVersion


def asking_for(approvals: int, **changes: object) -> StageGraph:
    """Give the gated profile with other approvals on the way into Production."""
    data = GATED.to_json()
    edges: list[dict[str, object]] = data["edges"]  # type: ignore[assignment]
    for edge in edges:
        if edge["to"] == "Production":
            edge |= {"approvals": approvals, **changes}
    return StageGraph.from_json(data)


@pytest.fixture
def staged(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> ModelVersion:
    """Give a version in Staging, judged, that lacks its approval only."""
    version = add_version(gates=POLICY, stages=GATED, user="ada", run_user="carl")
    promote(client, "credit", 1, "Staging", actor="ada")
    add_verdict(version)
    return version


def go_live(client: TrackingClient, version: int = 1, actor: str = "ada") -> Transition:
    return promote(client, "credit", version, "Production", actor=actor, reason="better")


def missing(client: TrackingClient) -> tuple[str, ...]:
    """Promote, which must be refused; return what is missing."""
    with pytest.raises(PromotionRefused) as caught:
        go_live(client)
    assert live_version(client, "credit") is None
    assert missing_for(client, "credit", 1, "Production") == caught.value.reasons
    return caught.value.reasons


def test_an_approval_opens_production_and_stands_in_the_history(
    client: TrackingClient, staged: ModelVersion
) -> None:
    given = approve(client, "credit", 1, "Production", approver="bob", reason="read the report")
    done = go_live(client)
    assert done.event is not None
    assert done.event.payload["approvals"] == [given.approval_id]
    assert done.event.payload["verdict_id"] == given.verdict_id
    assert verify_history(client, "credit").is_whole


@pytest.mark.usefixtures("staged")
def test_without_approvals_the_refusal_says_how_to_ask(client: TrackingClient) -> None:
    with pytest.raises(PromotionRefused) as caught:
        go_live(client)
    assert caught.value.reasons == ("1 approval is needed, 0 count",)
    assert "mltrack models approve credit 1 Production" in caught.value.hint


def test_everything_that_a_gated_move_lacks_is_told_at_once(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version(gates=POLICY, stages=GATED)
    promote(client, "credit", 1, "Staging", actor="ada")
    with pytest.raises(PromotionRefused) as caught:
        promote(client, "credit", 1, "Production", actor="ada")
    assert caught.value.reasons == (
        "no verdict exists for this version",
        "1 approval is needed, 0 count",
        "a reason is needed",
    )
    assert "mltrack models validate credit 1" in caught.value.hint


@pytest.mark.parametrize(
    ("approver", "why"),
    [
        ("ada", "ada registered this version"),
        ("ADA", "ada registered this version"),
        (" Ada ", "ada registered this version"),
        ("\uff41\uff44\uff41", "ada registered this version"),
        ("carl", "carl trained this version"),
        ("Carl", "carl trained this version"),
        ("rita", "Rita asked for the approval"),
        ("RITA", "Rita asked for the approval"),
    ],
)
def test_who_made_it_or_asked_for_it_does_not_count(
    client: TrackingClient,
    staged: ModelVersion,
    add_approval: AddApproval,
    approver: str,
    why: str,
) -> None:
    request_approval(client, "credit", 1, "Production", actor="Rita")
    add_approval(staged, approver)
    needed, void = missing(client)
    assert needed == "1 approval is needed, 0 count"
    assert void == f"the answer of {approver} does not count: {why}"


def test_who_asks_after_having_approved_does_not_count_either(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    add_approval(staged, "bob")
    assert missing_for(client, "credit", 1, "Production") == ()
    request_approval(client, "credit", 1, "Production", actor="bob")
    assert "bob asked for the approval" in missing(client)[1]


def test_whoever_promotes_may_have_approved(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    add_approval(staged, "bob")
    assert go_live(client, actor="bob").changed


def test_a_rejection_stops_the_move_and_says_why(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    add_approval(staged, "bob")
    add_approval(staged, "eve", decision=Decision.REJECTED, reason="wrong data")
    assert missing(client) == ("eve rejected it: wrong data",)


def test_of_each_person_the_last_answer_counts(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    add_approval(staged, "bob")
    add_approval(staged, "Bob ", decision=Decision.REJECTED, reason="thought again")
    assert missing(client) == (
        "Bob  rejected it: thought again",
        "1 approval is needed, 0 count",
    )
    add_approval(staged, "BOB")
    assert go_live(client).changed


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"package_digest": "f" * 64}, f"it was given for package {'f' * 64}, this is "),
        ({"verdict_id": "other"}, "it was given on verdict other, another one was made since"),
        ({"verdict_id": None}, "it was given on verdict None, another one was made since"),
    ],
)
def test_an_approval_of_something_else_does_not_count(
    client: TrackingClient,
    staged: ModelVersion,
    add_approval: AddApproval,
    changes: dict[str, object],
    why: str,
) -> None:
    add_approval(staged, **changes)
    add_approval(staged, "eve", stage="Archived")
    add_approval(staged, "dora", decision=Decision.REJECTED, **changes)
    needed, *void = missing(client)
    assert needed == "1 approval is needed, 0 count"
    assert len(void) == 2
    assert all(why in reason for reason in void)


def test_a_new_verdict_needs_new_approvals(
    client: TrackingClient,
    staged: ModelVersion,
    add_approval: AddApproval,
    add_verdict: AddVerdict,
) -> None:
    add_approval(staged)
    add_verdict(staged)
    assert "another one was made since" in missing(client)[1]
    add_approval(staged)
    assert go_live(client).changed


def test_an_approval_expires(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    with client.store.transaction() as tx:
        now = tx.now()
    add_approval(staged, valid_until=now)
    assert f"it expired at {now:%Y-%m-%d %H:%M} UTC" in missing(client)[1]
    add_approval(staged, "eve", decision=Decision.REJECTED, valid_until=now - timedelta(days=1))
    add_approval(staged, "dora", valid_until=None)
    assert go_live(client).changed


@pytest.mark.parametrize(("days", "lasts"), [(2, timedelta(days=2)), (None, None)])
def test_the_graph_says_how_long_an_approval_counts(
    client: TrackingClient, staged: ModelVersion, days: float | None, lasts: timedelta | None
) -> None:
    set_policy(client, "credit", actor="ada", stages=asking_for(1, approval_days=days))
    given = approve(client, "credit", 1, "Production", approver="bob", reason="fine")
    assert (given.valid_until and given.valid_until - given.created_at) == lasts


def test_two_approvals_are_by_two_people(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    set_policy(client, "credit", actor="ada", stages=asking_for(2))
    assert missing(client) == ("2 approvals are needed, 0 count",)
    first = add_approval(staged, "bob")
    assert missing(client) == ("2 approvals are needed, 1 count",)
    for again in ("bob", "BOB", " bob"):
        add_approval(staged, again)
        assert missing(client) == ("2 approvals are needed, 1 count",)
    other = add_approval(staged, "eve")
    done = go_live(client)
    assert done.event is not None
    assert len(done.event.payload["approvals"]) == 2  # type: ignore[arg-type]
    assert other.approval_id in done.event.payload["approvals"]  # type: ignore[operator]
    assert first.approval_id not in done.event.payload["approvals"]  # type: ignore[operator]


def test_an_approval_is_not_used_by_another_version(
    client: TrackingClient,
    staged: ModelVersion,
    add_version: AddVersion,
    add_verdict: AddVerdict,
    add_approval: AddApproval,
) -> None:
    add_approval(add_version())
    add_approval(add_version("other", gates=POLICY, stages=GATED))
    assert missing(client) == ("1 approval is needed, 0 count",)


def test_the_author_of_a_run_that_was_removed_is_not_known(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE model_versions SET run_id = 'removed'")
    add_approval(staged, "carl")
    assert go_live(client).changed


def test_a_refused_move_leaves_no_trace(
    client: TrackingClient, staged: ModelVersion, add_approval: AddApproval
) -> None:
    add_approval(staged, "ada")
    before = list_history(client, "credit")
    missing(client)
    assert list_history(client, "credit") == before
