from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.announcing import Told
from tests.lifecycle.conftest import AddVerdict
from tests.web.conftest import POLICY, AddModelVersion, Announcements


def _move(api: httpx.Client, version: int, **body: object) -> httpx.Response:
    return api.post(
        f"/models/credit/versions/{version}/transitions", json={"stage": "Production", **body}
    )


def _error(answer: httpx.Response) -> dict[str, object]:
    error = answer.json()["error"]
    assert isinstance(error, dict)
    return error


def test_promotion_is_done_recorded_and_announced(
    api: httpx.Client,
    client: TrackingClient,
    register: AddModelVersion,
    announcements: Announcements,
) -> None:
    register()

    answer = _move(api, 1, stage="production", reason="Best so far.", expected_current=None)

    assert answer.status_code == 200
    done = answer.json()
    assert (done["version"]["stage"], done["changed"], done["previous"]) == (
        "Production",
        True,
        None,
    )
    assert done["asset_event"] == "sent"
    assert (done["event"]["actor"], done["event"]["reason"]) == ("olga", "Best so far.")
    assert done["event"]["payload"]["details"] == {"door": "rest"}
    [(who, where, facts)] = announcements.heard
    assert (who, where) == ("olga", "credit/Production")
    assert facts["version"] == 1
    assert facts["digest"] == done["version"]["digest"]
    with client.store.transaction() as tx:
        live = tx.registry.holder("credit")
    assert live is not None
    assert live.version == 1


def test_repeated_promotion_changes_and_announces_nothing(
    api: httpx.Client, register: AddModelVersion, announcements: Announcements
) -> None:
    register()
    first = _move(api, 1, intent="release 1").json()

    again = _move(api, 1, intent="release 1").json()

    assert (again["changed"], again["asset_event"]) == (False, None)
    assert again["event"] == first["event"]
    assert len(announcements.heard) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [(Told.NO_CONSUMER, "no consumer"), (RuntimeError("metadata database is away"), "failed")],
)
def test_promotion_stands_whatever_becomes_of_its_announcement(
    api: httpx.Client,
    register: AddModelVersion,
    announcements: Announcements,
    answer: Told | Exception,
    said: str,
) -> None:
    register()
    announcements.answer = answer

    done = _move(api, 1)

    assert done.status_code == 200
    assert done.json()["asset_event"] == said
    assert "metadata" not in done.text
    assert api.get("/models/credit").json()["live_version"] == 1


def test_expectation_that_is_left_out_null_or_a_number_is_three_things(
    api: httpx.Client, register: AddModelVersion
) -> None:
    register()
    register()
    assert _move(api, 1, expected_current=2).status_code == 409
    assert _move(api, 1).status_code == 200

    conflict = _move(api, 2, expected_current=None)
    assert conflict.status_code == 409
    assert _error(conflict)["code"] == "CONFLICT"
    assert "version 1" in str(_error(conflict)["message"])
    assert _move(api, 2, expected_current=1).json()["previous"]["version"] == 1


def test_refusal_lists_all_that_is_missing(api: httpx.Client, register: AddModelVersion) -> None:
    register(stages="gated", gates=POLICY)

    no_edge = _move(api, 1)
    assert no_edge.status_code == 409
    assert _error(no_edge)["code"] == "PROMOTION_REFUSED"
    assert "no edge leads from None to Production" in str(_error(no_edge)["reasons"])

    assert _move(api, 1, stage="Staging").status_code == 200
    refused = _error(_move(api, 1))
    assert refused["message"] == "credit version 1 may not become Production."
    reasons = str(refused["reasons"])
    for missing in ("no verdict exists", "1 approval is needed", "a reason is needed"):
        assert missing in reasons
    assert "mltrack models validate" in str(refused["hint"])


def test_gated_release_goes_through_rest_alone_and_needs_four_eyes(
    api: httpx.Client, register: AddModelVersion, add_verdict: AddVerdict
) -> None:
    version = register(stages="gated", gates=POLICY)
    _move(api, 1, stage="Staging")
    verdict = add_verdict(version)
    asked = api.post(
        "/models/credit/versions/1/approval-requests",
        json={"stage": "Production", "reason": "Please look."},
    )
    assert asked.status_code == 201
    assert asked.json()["actor"] == "olga"

    approval = {"stage": "Production", "reason": "Looks right.", "approval_id": "a1"}
    for who in ("olga", "OLGA", "ada"):
        own = api.post(
            "/models/credit/versions/1/approvals", json=approval, headers={"x-reader": who}
        )
        assert own.status_code == 403, who
        assert _error(own)["code"] == "APPROVAL_REFUSED"
    given = api.post(
        "/models/credit/versions/1/approvals", json=approval, headers={"x-reader": "bob"}
    )
    assert given.status_code == 201
    assert (given.json()["approver"], given.json()["requested_by"]) == ("bob", "olga")
    assert given.json()["verdict_id"] == verdict.verdict_id

    done = _move(api, 1, reason="Approved.", verdict_id=verdict.verdict_id)
    assert done.status_code == 200, done.text
    assert done.json()["event"]["payload"]["approvals"] == ["a1"]


def test_rollback_brings_the_version_before_and_says_whether_it_was_an_emergency(
    api: httpx.Client, register: AddModelVersion, announcements: Announcements
) -> None:
    register()
    register()
    _move(api, 1)
    _move(api, 2)

    back = api.post("/models/credit/rollback", json={"reason": "Wrong scores.", "emergency": True})

    assert back.status_code == 200, back.text
    done = back.json()
    assert (done["version"]["version"], done["previous"]["version"]) == (1, 2)
    assert done["event"]["payload"]["emergency"] is True
    assert announcements.heard[-1][2]["emergency"] is True
    nothing = api.post("/models/credit/rollback", json={"reason": "Further."})
    assert (nothing.status_code, _error(nothing)["code"]) == (404, "NOT_FOUND")


def test_rollback_says_why(api: httpx.Client, register: AddModelVersion) -> None:
    register()
    answer = api.post("/models/credit/rollback", json={"reason": " "})

    assert answer.status_code == 400
    assert _error(answer)["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"stage": "Production", "expected_current": "1"},
        {"stage": "Production", "expected_current": True},
        {"stage": "Production", "expected_current": 0},
        {"stage": "Production", "expected_current": 10**40},
        {"stage": "Production", "expectedcurrent": 1},
        {"stage": "Production", "reason": "x" * 5_001},
        {"stage": "Production", "reason": "a\x00b"},
        {"stage": "Production", "intent": ""},
        {"stage": 7},
        [],
        "Production",
    ],
)
def test_body_that_breaks_its_form_is_refused_before_anything_happens(
    api: httpx.Client, register: AddModelVersion, body: object
) -> None:
    register()
    answer = api.post("/models/credit/versions/1/transitions", json=body)

    assert answer.status_code == 400
    assert _error(answer)["code"] == "INVALID_REQUEST"
    assert _error(answer)["reasons"]
    assert api.get("/models/credit").json()["live_version"] is None


def test_package_that_is_gone_stops_going_back_and_no_place_is_named(
    api: httpx.Client, client: TrackingClient, register: AddModelVersion
) -> None:
    first = register()
    register()
    _move(api, 1)
    _move(api, 2)
    assert first.model_id is not None
    with client.store.transaction() as tx:
        for file in tx.artifacts.walk(model_id=first.model_id):
            Path(client.settings.artifact_uri, file.key).unlink()

    refused = api.post("/models/credit/rollback", json={"reason": "Back.", "emergency": True})

    assert (refused.status_code, _error(refused)["code"]) == (409, "PROMOTION_REFUSED")
    assert "its package cannot be used" in str(_error(refused)["reasons"])
    assert client.settings.artifact_uri not in refused.text
    assert "/tmp" not in refused.text  # noqa: S108 - a place that must not show
    assert api.get("/models/credit").json()["live_version"] == 2
