"""Going back: to the version before, or a named one, with packages that are really loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import psycopg
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import GATED, OPEN, StageGraph
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.package_check import check_loads
from airflow_mltrack.lifecycle.promotion import archive, live_version, promote
from airflow_mltrack.lifecycle.registration import (
    delete_version,
    register_model,
    rename_model,
    set_policy,
)
from airflow_mltrack.lifecycle.rollback import rollback, rollback_target
from airflow_mltrack.lifecycle.transitions import Transition
from airflow_mltrack.model_package.code_version import CodeVersion
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_uri import load_model
from tests.lifecycle.conftest import POLICY, AddVerdict

FEATURES = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 7})
CODE = CodeVersion(commit=None, reason="not asked for")

Release = Callable[..., list[ModelVersion]]


@pytest.fixture(scope="module")
def fitted() -> LogisticRegression:
    return LogisticRegression().fit(FEATURES, (FEATURES["a"] > 10).astype(int))


@pytest.fixture
def release(client: TrackingClient, fitted: LogisticRegression) -> Release:
    """Give a function that logs and registers packages, and promotes them one after another."""

    def make(number: int = 1, name: str = "credit", **given: object) -> list[ModelVersion]:
        versions = []
        with client.start_run("training", heartbeat=False, user="carl") as run:
            for seed in range(number):
                facts = {"example": FEATURES.head(2), "code": CODE, "seeds": {"s": seed}, **given}
                logged = run.log_model(fitted, "model", **facts)  # type: ignore[arg-type]
                versions.append(
                    register_model(client, name, f"models:/{logged.model_id}", actor="ada")
                )
        for version in versions:
            promote(client, name, version.version, "Production", actor="ada")
        return versions

    return make


def back(client: TrackingClient, **given: object) -> Transition:
    facts: dict[str, object] = {"actor": "bob", "reason": "worse", **given}
    return rollback(client, "credit", **facts)  # type: ignore[arg-type]


def live(client: TrackingClient, name: str = "credit") -> int | None:
    found = live_version(client, name)
    return None if found is None else found.version


def refusal(client: TrackingClient, **given: object) -> PromotionRefused:
    before, stood = list_history(client, "credit"), live(client)
    with pytest.raises(PromotionRefused) as caught:
        back(client, **given)
    assert (live(client), list_history(client, "credit")) == (stood, before)
    return caught.value


def test_one_step_back_and_the_history_says_why(client: TrackingClient, release: Release) -> None:
    release(2)
    target = rollback_target(client, "credit")
    assert target is not None
    assert target.version == 1
    done = back(client, reason="more bad loans", details={"dag_id": "watch"}, expected_current=2)
    assert (done.changed, done.version.version, done.version.stage) == (True, 1, "Production")
    assert done.previous is not None
    assert (done.previous.version, done.previous.stage) == (2, "Production")
    left, came = list_history(client, "credit")[-2:]
    assert came == done.event
    assert (came.actor, came.payload["via"], came.payload["emergency"]) == (
        "bob",
        "rollback",
        False,
    )
    assert (came.payload["reason"], came.payload["previous"]) == ("more bad loans", 2)
    assert came.payload["details"] == {"dag_id": "watch"}
    assert (left.version, left.payload["to"], left.payload["displaced_by"]) == (2, "Archived", 1)
    assert load_model(client, "models:/credit/Production").predict(FEATURES) is not None
    assert verify_history(client, "credit").is_whole


def test_going_back_twice_goes_two_steps_and_then_there_is_nothing(
    client: TrackingClient, release: Release
) -> None:
    release(3)
    assert back(client).version.version == 2
    assert back(client).version.version == 1
    assert rollback_target(client, "credit") is None
    with pytest.raises(NotFound, match="Nothing was in Production before version 1"):
        back(client)
    promote(client, "credit", 3, "Production", actor="ada")
    assert back(client).version.version == 1


def test_going_back_to_a_named_version(client: TrackingClient, release: Release) -> None:
    release(3)
    done = back(client, to_version=1)
    assert (done.version.version, live(client)) == (1, 1)
    assert rollback_target(client, "credit") is None
    assert back(client, to_version=3).version.version == 3
    target = rollback_target(client, "credit")
    assert target is not None
    assert target.version == 1


def test_what_was_never_live_is_promoted_not_gone_back_to(
    client: TrackingClient, release: Release
) -> None:
    release(2)
    release(1)
    archive(client, "credit", 3, actor="ada")
    register_again = refusal(client, to_version=register(client))
    assert register_again.reasons == ("it was never there, so there is no going back to it",)
    assert "mltrack models promote credit 4 Production" in register_again.hint


def register(client: TrackingClient) -> int:
    """Register one more version that goes nowhere."""
    with client.store.transaction() as tx:
        return tx.registry.create_version("credit", source="x").version


def test_there_must_be_a_model_a_version_and_a_way(
    client: TrackingClient, release: Release
) -> None:
    with pytest.raises(NotFound, match="registered model 'credit'"):
        back(client)
    release(1)
    with pytest.raises(NotFound, match="Nothing was in Production before version 1"):
        back(client)
    with pytest.raises(NotFound, match="credit/9"):
        back(client, to_version=9)
    with pytest.raises(Conflict, match="it is live already"):
        back(client, to_version=1)
    archive(client, "credit", 1, actor="ada")
    delete_version(client, "credit", 1, actor="ada")
    with pytest.raises(NotFound, match="Nothing was in Production"):
        back(client)


@pytest.mark.parametrize("reason", ["", "  "])
def test_going_back_asks_for_a_reason(
    client: TrackingClient, release: Release, reason: str
) -> None:
    release(2)
    for emergency in (False, True):
        with pytest.raises(InvalidInput, match="going back needs one"):
            back(client, reason=reason, emergency=emergency)
    assert live(client) == 2


def test_a_free_stage_gets_back_its_last_holder(client: TrackingClient, release: Release) -> None:
    release(2)
    archive(client, "credit", 2, actor="ada")
    done = back(client, expected_current=None)
    assert (done.version.version, done.previous) == (2, None)


def test_a_version_that_was_deleted_is_passed_over(
    client: TrackingClient, release: Release
) -> None:
    release(3)
    delete_version(client, "credit", 2, actor="ada")
    assert back(client).version.version == 1
    promote(client, "credit", 3, "Production", actor="ada")
    delete_version(client, "credit", 3, actor="ada")
    assert back(client).version.version == 1
    with pytest.raises(NotFound, match="credit/2"):
        back(client, to_version=2)


def test_the_past_is_known_under_a_new_name(client: TrackingClient, release: Release) -> None:
    release(2)
    rename_model(client, "credit", "lending", actor="ada")
    done = rollback(client, "lending", actor="bob", reason="worse")
    assert (done.version.version, live(client, "lending")) == (1, 1)
    release(1)  # another model takes the old name
    with pytest.raises(NotFound, match="Nothing was in Production before version 3"):
        back(client)
    rename_model(client, "lending", "Production", actor="ada")
    assert rollback_target(client, "Production") is None
    promote(client, "Production", 2, "Production", actor="ada")
    done = rollback(client, "Production", actor="bob", reason="worse")
    assert done.version.version == 1
    for name in ("credit", "lending", "Production"):
        assert verify_history(client, name).is_whole


def test_another_live_stage_has_a_past_of_its_own(client: TrackingClient, release: Release) -> None:
    release(2)
    archive(client, "credit", 2, actor="ada")
    promote(client, "credit", 1, "Staging", actor="ada")
    set_policy(
        client,
        "credit",
        actor="ada",
        stages=StageGraph(OPEN.stages, "Staging", "Archived", OPEN.edges),
    )
    assert live(client) == 1
    promote(client, "credit", 2, "Staging", actor="ada")
    done = back(client)
    assert (done.version.version, done.version.stage) == (1, "Staging")
    assert back(client, to_version=2).version.stage == "Staging"


def files(client: TrackingClient, version: int) -> dict[str, str]:
    with client.store.transaction() as tx:
        model_id = tx.registry.get_version("credit", version).model_id
        return {file.path: file.key for file in tx.artifacts.walk(model_id=model_id)}


@pytest.mark.parametrize("emergency", [False, True])
def test_bytes_that_changed_stop_it_also_in_an_emergency(
    client: TrackingClient, release: Release, emergency: bool
) -> None:
    release(2)
    client.artifact_store.put_bytes(files(client, 1)["model.skops"], b"something else")
    error = refusal(client, emergency=emergency)
    (reason,) = error.reasons
    assert "its package cannot be used" in reason
    assert "its sha256 is" in reason
    assert "recorded was" in reason
    assert "go back further: --to VERSION" in error.hint


def test_bytes_that_are_gone_stop_it(client: TrackingClient, release: Release) -> None:
    release(2)
    client.artifact_store.delete(files(client, 1)["MLmodel"])
    assert "its package cannot be used" in str(refusal(client))


def test_a_version_that_points_elsewhere_now_is_not_gone_back_to(
    client: TrackingClient, release: Release, database_url: str
) -> None:
    first, second = release(2)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE model_versions SET logged_model = "
            "(SELECT logged_model FROM model_versions WHERE version = 2) WHERE version = 1"
        )
    message = str(refusal(client, emergency=True))
    assert str(first.digest) in message
    assert str(second.digest) in message


def test_a_pickle_is_gone_back_to_only_by_name(client: TrackingClient, release: Release) -> None:
    release(2, format="pickle")
    assert "pickle" in str(refusal(client))
    assert back(client, allow_pickle=True).version.version == 1


def test_a_version_without_a_package_of_ours_cannot_be_checked(
    client: TrackingClient, release: Release
) -> None:
    with client.store.transaction() as tx:
        tx.registry.create_model("credit")
    promote(client, "credit", register(client), "Production", actor="ada")
    release(1)
    assert "its package cannot be used" in str(refusal(client))


@pytest.fixture
def governed(client: TrackingClient, release: Release) -> list[ModelVersion]:
    """Give two versions that were live, of a model that became gated since."""
    versions = release(2)
    set_policy(client, "credit", actor="ada", gates=POLICY, stages="gated")
    return versions


@pytest.mark.usefixtures("governed")
def test_a_gated_model_goes_back_with_what_going_live_asks_for(
    client: TrackingClient, add_verdict: AddVerdict, governed: list[ModelVersion]
) -> None:
    error = refusal(client)
    assert error.reasons == (
        "no verdict exists for this version",
        "1 approval is needed, 0 count",
    )
    assert error.hint.endswith("In an emergency go back without: --emergency")
    assert "mltrack models validate credit 1" in error.hint
    verdict = add_verdict(replace(governed[0], stage="Archived"))
    assert refusal(client).reasons == ("1 approval is needed, 0 count",)
    request_approval(client, "credit", 1, "Production", actor="rita")
    given = approve(client, "credit", 1, "Production", approver="bob", reason="read it")
    done = back(client)
    assert done.event is not None
    assert done.event.payload["emergency"] is False
    assert done.event.payload["verdict_id"] == verdict.verdict_id
    assert done.event.payload["approvals"] == [given.approval_id]
    assert verify_history(client, "credit").is_whole


def test_a_verdict_from_when_it_went_live_first_does_not_open_the_way_back(
    client: TrackingClient, add_verdict: AddVerdict, governed: list[ModelVersion]
) -> None:
    add_verdict(governed[0], champion_version=None)
    reasons = refusal(client).reasons
    assert "no version was in Production, now it is version 2" in reasons[0]


@pytest.mark.usefixtures("governed")
def test_an_emergency_needs_none_of_it_and_is_marked_so(client: TrackingClient) -> None:
    done = back(client, emergency=True, reason="prices are wrong")
    assert (done.version.version, live(client)) == (1, 1)
    assert done.event is not None
    payload = done.event.payload
    assert (payload["via"], payload["emergency"]) == ("rollback", True)
    assert (payload["verdict_id"], payload["approvals"]) == (None, [])
    assert verify_history(client, "credit").is_whole


def test_somebody_elses_release_is_a_conflict(client: TrackingClient, release: Release) -> None:
    release(3)
    for expected in (1, 2, None):
        with pytest.raises(Conflict, match="found version 3"):
            back(client, expected_current=expected)
    assert live(client) == 3


def test_a_promotion_while_the_package_is_loaded_is_a_conflict(
    client: TrackingClient, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(3)
    back(client, to_version=2)

    def promote_meanwhile(*given: object, **named: object) -> None:
        promote(client, "credit", 3, "Production", actor="eve")
        check_loads(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("airflow_mltrack.lifecycle.rollback.check_loads", promote_meanwhile)
    with pytest.raises(Conflict, match="expected version 2 in Production, found version 3"):
        back(client)
    assert live(client) == 3
    assert verify_history(client, "credit").is_whole


def test_who_came_back_while_the_package_was_loaded_is_there_already(
    client: TrackingClient, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(2)

    def promote_meanwhile(*_: object, **__: object) -> None:
        promote(client, "credit", 1, "Production", actor="eve")

    monkeypatch.setattr("airflow_mltrack.lifecycle.rollback.check_loads", promote_meanwhile)
    done = back(client)
    assert (done.changed, done.version.version) == (False, 1)
    assert done.event is not None
    assert (done.event.actor, done.event.payload["via"]) == ("eve", "promotion")


def test_the_same_intent_goes_back_once(client: TrackingClient, release: Release) -> None:
    release(3)
    first = back(client, intent="incident-7")
    assert first.version.version == 2
    before = list_history(client, "credit")
    again = back(client, intent="incident-7")
    assert (again.changed, again.event, again.version) == (False, first.event, first.version)
    assert not back(client, intent="incident-7", to_version=2).changed
    promote(client, "credit", 3, "Production", actor="ada")
    later = back(client, intent="incident-7", expected_current=1)
    assert (later.changed, later.event, live(client)) == (False, first.event, 3)
    assert list_history(client, "credit")[: len(before)] == before
    with pytest.raises(Conflict, match="moved version 2 to Production already, by rollback"):
        back(client, intent="incident-7", to_version=1)


def test_an_intent_of_a_promotion_is_no_intent_of_a_rollback(
    client: TrackingClient, release: Release
) -> None:
    release(1)
    release(1)
    promote(client, "credit", 1, "Production", actor="ada", intent="release-1")
    for to_version in (None, 1):
        with pytest.raises(Conflict, match="already, by promotion"):
            back(client, intent="release-1", to_version=to_version)
    back(client, intent="incident-1")
    with pytest.raises(Conflict, match="already, by rollback"):
        promote(client, "credit", 2, "Production", actor="ada", intent="incident-1")


def test_a_gated_model_that_went_back_in_an_emergency_goes_on_by_its_rules(
    client: TrackingClient, add_verdict: AddVerdict, governed: list[ModelVersion]
) -> None:
    back(client, emergency=True)
    with pytest.raises(PromotionRefused, match="no edge leads from Archived to Production"):
        promote(client, "credit", 2, "Production", actor="ada", reason="again")
    add_verdict(governed[1])
    approve(client, "credit", 2, "Production", approver="bob", reason="repaired")
    assert (
        rollback(client, "credit", actor="ada", reason="repaired", to_version=2).version.stage
        == GATED.exclusive
    )
