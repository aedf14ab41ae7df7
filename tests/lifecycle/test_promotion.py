"""Promotion: its rules, one by one and all at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import archive, live_version, promote
from airflow_mltrack.lifecycle.registration import set_policy
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


def stages(client: TrackingClient, name: str = "credit") -> dict[int, str]:
    with client.store.transaction() as tx:
        return {version.version: version.stage for version in tx.registry.list_versions(name)}


def test_an_open_model_lets_every_version_into_every_stage(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    for stage in ("staging", "PRODUCTION", "None", "Archived", "Production"):
        done = promote(client, "credit", 1, stage, actor="ada")
        assert done.changed
        assert done.version.stage.lower() == stage.lower()
    assert verify_history(client, "credit").is_whole


def test_the_old_holder_is_archived_in_the_same_breath(
    client: TrackingClient, add_version: AddVersion
) -> None:
    first, second = add_version(), add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    done = promote(client, "credit", 2, "Production", actor="bob", reason="better")
    assert done.previous is not None
    assert (done.previous.version, done.previous.stage) == (1, "Production")
    assert stages(client) == {1: "Archived", 2: "Production"}
    live = live_version(client, "credit")
    assert live == done.version
    displaced, moved = list_history(client, "credit")[-2:]
    assert (displaced.version, displaced.payload["from"], displaced.payload["to"]) == (
        1,
        "Production",
        "Archived",
    )
    assert (displaced.payload["displaced_by"], displaced.payload["digest"]) == (2, first.digest)
    assert moved == done.event
    assert (moved.actor, moved.payload["previous"], moved.payload["reason"]) == ("bob", 1, "better")
    assert moved.payload["digest"] == second.digest


def test_repeating_a_promotion_answers_with_the_first_ones_result(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    first = promote(client, "credit", 1, "Production", actor="ada", expected_current=None)
    again = promote(client, "credit", 1, "Production", actor="ada", expected_current=None)
    assert (again.changed, again.event, again.version) == (False, first.event, first.version)
    assert len(list_history(client, "credit")) == 1


def test_a_version_that_stands_there_from_the_start_has_no_transition(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    done = promote(client, "credit", 1, "None", actor="ada")
    assert (done.changed, done.event) == (False, None)


def test_somebody_elses_promotion_is_a_conflict_that_names_both(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for _ in range(3):
        add_version()
    promote(client, "credit", 1, "Production", actor="ada", expected_current=None)
    with pytest.raises(Conflict, match="expected no version in Production, found version 1"):
        promote(client, "credit", 2, "Production", actor="bob", expected_current=None)
    promote(client, "credit", 2, "Production", actor="bob", expected_current=1)
    with pytest.raises(Conflict, match="expected version 1 in Production, found version 2"):
        promote(client, "credit", 3, "Production", actor="eve", expected_current=1)
    assert stages(client) == {1: "Archived", 2: "Production", 3: "None"}


def test_archiving_the_live_version_leaves_production_empty(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    with pytest.raises(Conflict):
        archive(client, "credit", 1, actor="ada", expected_current=2)
    done = archive(client, "credit", 1, actor="ada", reason="bug", expected_current=1)
    assert (done.version.stage, done.previous) == ("Archived", None)
    assert live_version(client, "credit") is None


def test_staging_holds_several_versions_and_displaces_none(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for version in (1, 2):
        add_version()
        assert promote(client, "credit", version, "Staging", actor="ada").previous is None
    assert stages(client) == {1: "Staging", 2: "Staging"}
    staged = live_version(client, "credit", "staging")
    assert staged is not None
    assert staged.version == 2


def test_the_others_leave_a_stage_where_that_is_asked_for(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for version in range(1, 5):
        add_version()
        promote(client, "credit", version, "Staging" if version < 4 else "None", actor="ada")
    done = promote(
        client,
        "credit",
        4,
        "Staging",
        actor="bob",
        intent="i",
        details={"a": 1},
        archive_others=True,
    )
    assert (done.changed, done.previous) == (True, None)
    assert stages(client) == {1: "Archived", 2: "Archived", 3: "Archived", 4: "Staging"}
    *left, came = list_history(client, "credit")[-4:]
    assert came == done.event
    for event in left:
        assert (event.payload["to"], event.payload["displaced_by"]) == ("Archived", 4)
        assert (event.actor, event.payload["details"]) == ("bob", {"a": 1})
        assert "intent" not in event.payload
    for version in (1, 2):
        promote(client, "credit", version, "Production", actor="ada", archive_others=True)
    assert stages(client) == {1: "Archived", 2: "Production", 3: "Archived", 4: "Staging"}
    for stage in ("None", "Archived"):
        with pytest.raises(InvalidInput, match="versions leave a stage that is in use"):
            promote(client, "credit", 2, stage, actor="ada", archive_others=True)
    assert verify_history(client, "credit").is_whole


def test_the_others_leave_only_as_the_rules_let_them(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for _ in range(2):
        add_version(stages=GATED)
    promote(client, "credit", 1, "Staging", actor="ada")
    before = list_history(client, "credit")
    with pytest.raises(PromotionRefused, match="credit version 1 may not become Archived") as info:
        promote(client, "credit", 2, "Staging", actor="ada", archive_others=True)
    assert info.value.reasons == ("a reason is needed",)
    assert list_history(client, "credit") == before
    promote(client, "credit", 2, "Staging", actor="ada", reason="newer", archive_others=True)
    assert stages(client) == {1: "Archived", 2: "Staging"}


def test_what_is_not_there_is_not_promoted(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    add_version()
    foreign = add_verdict(add_version("other"))
    with client.store.transaction() as tx:
        tx.registry.create_version("credit", source="x")
        tx.registry.delete_version("credit", 2)
    for name, version in (("none", 1), ("credit", 2), ("credit", 9)):
        with pytest.raises(NotFound):
            promote(client, name, version, "Production", actor="ada")
    with pytest.raises(InvalidInput, match="None, Staging, Production, Archived"):
        promote(client, "credit", 1, "Live", actor="ada")
    with pytest.raises(NotFound, match="verdict"):
        promote(client, "credit", 1, "Production", actor="ada", verdict_id="none")
    with pytest.raises(NotFound, match="judges other/1, not credit/1"):
        promote(client, "credit", 1, "Production", actor="ada", verdict_id=foreign.verdict_id)
    for call in (list_history, verify_history, live_version):
        with pytest.raises(NotFound):
            call(client, "none")
    assert stages(client) == {1: "None"}


def test_a_package_that_is_not_complete_stays_out(client: TrackingClient) -> None:
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        logged = tx.models.create(experiment_id=experiment, name="model")
        tx.registry.create_model("credit")
        tx.registry.create_version("credit", source="x", model_id=logged.model_id)
    with pytest.raises(PromotionRefused, match="PENDING, not READY"):
        promote(client, "credit", 1, "Staging", actor="ada")
    with client.store.transaction() as tx:
        tx.models.finalize(logged.model_id, digest="d" * 64, size=1, manifest={})
    with pytest.raises(PromotionRefused, match=f"digest {'d' * 64}, None was registered"):
        promote(client, "credit", 1, "Production", actor="ada")
    assert promote(client, "credit", 1, "Archived", actor="ada").changed


@pytest.fixture
def gated(add_version: AddVersion) -> ModelVersion:
    """Give a version of a model that asks for a verdict."""
    return add_version(gates=POLICY)


def refusal(client: TrackingClient, version: ModelVersion, **given: str) -> PromotionRefused:
    with pytest.raises(PromotionRefused) as caught:
        promote(client, version.name, version.version, "Production", actor="ada", **given)  # type: ignore[arg-type]
    assert stages(client, version.name)[version.version] != "Production"
    return caught.value


def test_a_passing_verdict_opens_production(
    client: TrackingClient, gated: ModelVersion, add_verdict: AddVerdict
) -> None:
    verdict = add_verdict(gated)
    done = promote(
        client,
        "credit",
        1,
        "Production",
        actor="ada",
        verdict_id=verdict.verdict_id,
        details={"a": 1},
    )
    assert done.event is not None
    assert done.event.payload["verdict_id"] == verdict.verdict_id
    assert done.event.payload["details"] == {"a": 1}


def test_a_gated_model_asks_for_nothing_below_production(
    client: TrackingClient, gated: ModelVersion
) -> None:
    assert promote(client, "credit", gated.version, "Staging", actor="ada").changed


def test_without_a_verdict_production_is_closed_and_the_command_named(
    client: TrackingClient, gated: ModelVersion
) -> None:
    error = refusal(client, gated)
    assert error.reasons == ("no verdict exists for this version",)
    assert "mltrack models validate credit 1" in error.hint


def test_a_failed_verdict_says_what_failed(
    client: TrackingClient, gated: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(gated)
    add_verdict(gated, passed=False)
    assert "auc is 0.6, asked for >= 0.7" in str(refusal(client, gated))


def test_everything_that_is_missing_is_listed_at_once(
    client: TrackingClient, gated: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(
        gated,
        passed=False,
        valid_until=gated.created_at - timedelta(days=1),
        package_digest="f" * 64,
        policy_digest="0" * 64,
        champion_version=7,
    )
    error = refusal(client, gated)
    for expected in ("did not pass", "expired", "f" * 64, "another policy", "version 7 was"):
        assert any(expected in reason for reason in error.reasons), expected
    assert gated.digest is not None
    assert gated.digest in str(error)
    assert len(error.reasons) == 5


def test_a_verdict_counts_only_against_the_version_it_was_compared_with(
    client: TrackingClient, gated: ModelVersion, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    second = add_version()
    add_verdict(gated)
    add_verdict(second)
    promote(client, "credit", 1, "Production", actor="ada")
    assert "no version was in Production, now it is version 1" in str(refusal(client, second))
    add_verdict(second)
    assert promote(client, "credit", 2, "Production", actor="ada").changed


def test_an_open_model_refuses_a_verdict_that_its_caller_relies_on_and_that_failed(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version()
    failed = add_verdict(version, passed=False)
    assert "did not pass" in str(refusal(client, version, verdict_id=failed.verdict_id))
    passed = add_verdict(version)
    promote(client, "credit", 1, "Production", actor="ada", verdict_id=passed.verdict_id)


def test_an_older_verdict_than_the_latest_does_not_count(
    client: TrackingClient, gated: ModelVersion, add_verdict: AddVerdict
) -> None:
    older, newer = add_verdict(gated), add_verdict(gated)
    error = refusal(client, gated, verdict_id=older.verdict_id)
    assert error.reasons == (f"verdict {older.verdict_id} was followed by {newer.verdict_id}",)


def test_a_changed_policy_closes_production_until_it_is_judged_again(
    client: TrackingClient, gated: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(gated)
    stricter: dict[str, object] = {"checks": [{"metric": "auc", "min": 0.9}]}
    set_policy(client, "credit", actor="ada", gates=stricter)
    assert "another policy" in str(refusal(client, gated))


def test_a_verdict_without_end_does_not_expire(
    client: TrackingClient, gated: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(gated, valid_until=None)
    assert promote(client, "credit", 1, "Production", actor="ada").changed


def test_a_refused_promotion_leaves_no_trace(
    client: TrackingClient, gated: ModelVersion, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(gated)
    promote(client, "credit", 1, "Production", actor="ada")
    before = list_history(client, "credit")
    refusal(client, add_version())
    assert list_history(client, "credit") == before
    assert stages(client) == {1: "Production", 2: "None"}
