"""A registered model's history in words: the same ones through every door."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_mltrack.entities.history import HistoryEvent
from airflow_mltrack.entities.stages import GATED, OPEN
from airflow_mltrack.lifecycle.history_words import tell

GATES = {"checks": [{"metric": "auc", "min": 0.7}]}


def _event(kind: str, payload: dict[str, object]) -> HistoryEvent:
    at = datetime(2026, 1, 2, tzinfo=timezone.utc)
    return HistoryEvent(7, "credit", 3, kind, "ann", at, payload, "0" * 64, "a" * 64)


def _move(**payload: object) -> dict[str, object]:
    return {"from": "Staging", "to": "Production", "via": "promotion", **payload}


@pytest.mark.parametrize(
    ("kind", "payload", "sentence"),
    [
        ("created", {}, "Created"),
        ("created", {"gates": {}, "stages": OPEN.to_json()}, "Created"),
        (
            "created",
            {"gates": GATES, "stages": GATED.to_json()},
            "Created: check auc added; stages open → gated",
        ),
        ("registered", {"source": "models:/m-1"}, "Registered"),
        (
            "policy",
            {"from": {"gates": {}}, "to": {"gates": GATES}},
            "Rules changed: check auc added",
        ),
        ("policy", {}, "Rules changed"),
        ("verdict", {"passed": True}, "Judged: it passed"),
        ("verdict", {"passed": False}, "Judged: it did not pass"),
        ("approval_requested", {"stage": "Production"}, "Approval for Production asked for"),
        ("approval", {"decision": "approved", "stage": "Live"}, "Approved for Live"),
        ("approval", {"decision": "rejected", "stage": "Live"}, "Rejected for Live"),
        ("transition", _move(), "Staging → Production"),
        ("transition", _move(previous=2), "Staging → Production, in place of version 2"),
        (
            "transition",
            {"from": "Production", "to": "Archived", "displaced_by": 4},
            "Production → Archived, displaced by version 4",
        ),
        (
            "transition",
            _move(via="rollback", emergency=False, previous=4),
            "Rollback: Staging → Production, in place of version 4",
        ),
        (
            "transition",
            _move(via="rollback", emergency=True, previous=4),
            "Emergency rollback: Staging → Production, in place of version 4",
        ),
        (
            "transition",
            {"from": "Production", "to": "Old", "via": "rollback", "displaced_by": 1},
            "Production → Old, rolled back to version 1",
        ),
        (
            "transition",
            {
                "from": "Production",
                "to": "Old",
                "via": "rollback",
                "displaced_by": 1,
                "emergency": True,
            },
            "Production → Old, rolled back to version 1 in an emergency",
        ),
        ("alias", {"alias": "best", "from": None, "to": 3}, "Alias best given to version 3"),
        (
            "alias",
            {"alias": "best", "from": 2, "to": 3},
            "Alias best moved from version 2 to version 3",
        ),
        ("alias", {"alias": "best", "from": 3, "to": None}, "Alias best taken from version 3"),
        ("tag", {"key": "license", "value": "mit"}, "Tag license set"),
        ("tag", {"key": "license", "deleted": True}, "Tag license deleted"),
        ("renamed", {"from": "a", "to": "b"}, "Renamed from a to b"),
        ("deleted", {"versions": [1, 2]}, "Deleted with 2 versions"),
        ("deleted", {"versions": [1]}, "Deleted with 1 version"),
        ("deleted", {"stage": "None"}, "Deleted"),
        ("of a later release", {}, "of a later release"),
    ],
)
def test_every_kind_of_event_has_a_sentence(
    kind: str, payload: dict[str, object], sentence: str
) -> None:
    assert tell(_event(kind, payload)).sentence == sentence


def test_what_the_sentence_leaves_out_stays_as_facts() -> None:
    payload: dict[str, object] = {
        "run_id": "r1",
        "digest": None,
        "checks": [1],
        "details": {"dag_id": "d", "x": {}},
    }
    told = tell(_event("registered", payload))
    assert told.facts == (("run_id", "r1"), ("checks", "[1]"), ("details.dag_id", "d"))


def test_what_a_model_came_with_is_no_rule_of_it() -> None:
    told = tell(_event("created", {"gates": {}, "tags": {"team": "risk"}, "description": "PD"}))
    assert told.sentence == "Created"
    assert told.facts == (("tags.team", "risk"), ("description", "PD"))


def test_a_move_keeps_what_it_rests_on_as_facts() -> None:
    payload = _move(
        previous=2, verdict_id="v", approvals=["a", "b"], intent="k", digest="d", emergency=False
    )
    assert dict(tell(_event("transition", payload)).facts) == {
        "verdict_id": "v",
        "approvals": '["a", "b"]',
        "intent": "k",
        "digest": "d",
    }


def test_a_change_of_rules_tells_each_of_them() -> None:
    stricter = {"checks": [{"metric": "auc", "min": 0.8}]}
    told = tell(_event("policy", {"from": {"gates": GATES}, "to": {"gates": stricter}}))
    assert told.sentence == "Rules changed: check auc changed"
    assert told.facts == (("check auc", "auc at least 0.8 (before: auc at least 0.7)"),)


def test_the_reason_stands_beside_the_sentence() -> None:
    told = tell(_event("transition", _move(reason="It is better.")))
    assert (told.sentence, told.reason) == ("Staging → Production", "It is better.")
    assert told.with_reason == "Staging → Production. It is better."
    assert tell(_event("transition", _move(reason=""))).with_reason == "Staging → Production"
    assert tell(_event("of a later release", {"reason": "Who knows."})).reason == "Who knows."


def test_the_task_that_did_it_is_named() -> None:
    details = {"dag_id": "credit", "dag_run_id": "manual__1", "task_id": "promote", "try_number": 1}
    assert tell(_event("transition", _move(details=details))).task == "credit manual__1 promote"
    assert tell(_event("transition", _move(details={}))).task == ""


@pytest.mark.parametrize(
    "kind",
    [
        "created",
        "policy",
        "verdict",
        "approval",
        "transition",
        "alias",
        "tag",
        "renamed",
        "deleted",
    ],
)
@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"from": 1, "to": [], "stages": 3, "gates": "none", "reason": 5, "details": "x"},
        {"from": {"gates": 1}, "to": {"stages": {"edges": 1}}, "versions": 3},
    ],
)
def test_an_event_that_was_edited_by_hand_can_be_looked_at(
    kind: str, payload: dict[str, object]
) -> None:
    assert tell(_event(kind, payload)).sentence
