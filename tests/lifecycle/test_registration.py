"""Registration: idempotent, recorded, refused where it must be."""

from __future__ import annotations

import threading

import pytest

from airflow_mltrack.entities.lineage import LineageNode
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.lifecycle.promotion import list_history, promote, verify_history
from airflow_mltrack.lifecycle.registration import (
    delete_alias,
    delete_model,
    delete_version,
    register_model,
    rename_model,
    set_alias,
    set_policy,
)
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVersion


def logged(client: TrackingClient, *, ready: bool = True) -> tuple[str, str]:
    """Make a run with a logged model; return both ids."""
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        run, attempt = tx.runs.open(experiment_id=experiment)
        model = tx.models.create(
            experiment_id=experiment,
            name="pd-model",
            run_id=run.run_id,
            attempt_id=attempt.attempt_id,
            model_type="skops",
        )
        if ready:
            tx.models.finalize(model.model_id, digest="d" * 64, size=1, manifest={})
    return run.run_id, model.model_id


def kinds(client: TrackingClient, name: str = "credit") -> list[str]:
    return [event.kind for event in list_history(client, name)]


def test_a_logged_model_becomes_version_one_of_a_new_model(client: TrackingClient) -> None:
    run_id, model_id = logged(client)
    version = register_model(
        client,
        "credit",
        f"models:/{model_id}",
        actor="ada",
        description="first",
        tags={"team": "risk"},
        details={"dag_id": "credit_sweep"},
    )
    assert (version.name, version.version, version.stage) == ("credit", 1, "None")
    assert (version.model_id, version.run_id, version.digest) == (model_id, run_id, "d" * 64)
    assert (version.user, version.description, version.tags) == ("ada", "first", {"team": "risk"})
    created, registered = list_history(client, "credit")
    assert (created.kind, created.version, registered.kind, registered.version) == (
        "created",
        None,
        "registered",
        1,
    )
    assert registered.payload == {
        "source": f"models:/{model_id}",
        "run_id": run_id,
        "digest": "d" * 64,
        "model_type": "skops",
        "details": {"dag_id": "credit_sweep"},
    }
    assert verify_history(client, "credit") is None


def test_a_runs_model_is_registered_by_name(client: TrackingClient) -> None:
    run_id, model_id = logged(client)
    version = register_model(client, "credit", f"runs:/{run_id}/pd-model", actor="ada")
    assert version.source == f"models:/{model_id}"


def test_registering_again_returns_the_version_that_is_there(client: TrackingClient) -> None:
    _, model_id = logged(client)
    first = register_model(client, "credit", f"models:/{model_id}", actor="ada")
    again = register_model(client, "credit", f"models:/{model_id}", actor="bob", description="x")
    assert again == first
    assert kinds(client) == ["created", "registered"]
    other = register_model(client, "lending", f"models:/{model_id}", actor="ada")
    assert (other.name, other.version) == ("lending", 1)


def test_tasks_that_register_at_once_make_one_model_and_a_version_each(
    client: TrackingClient,
) -> None:
    models = [logged(client)[1] for _ in range(4)] * 2
    threads = [
        threading.Thread(
            target=register_model,
            args=(client, "credit", f"models:/{model}"),
            kwargs={"actor": "a"},
        )
        for model in models
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with client.store.transaction() as tx:
        versions = tx.registry.list_versions("credit")
    assert [version.version for version in versions] == [4, 3, 2, 1]
    assert {version.model_id for version in versions} == set(models)
    assert sorted(kinds(client)) == ["created"] + ["registered"] * 4
    assert verify_history(client, "credit") is None


def test_lineage_leads_from_the_run_to_the_version(client: TrackingClient) -> None:
    run_id, model_id = logged(client)
    register_model(client, "credit", f"models:/{model_id}", actor="ada")
    with client.store.transaction() as tx:
        edges = tx.lineage.upstream(LineageNode("model_version", "credit/1"))
    assert {(edge.source.kind, edge.source.id, edge.relation) for edge in edges} == {
        ("model", model_id, "registered_as"),
        ("run", run_id, "produced"),
    }


def test_an_incomplete_package_is_refused_and_no_model_is_made(client: TrackingClient) -> None:
    _, model_id = logged(client, ready=False)
    with pytest.raises(Conflict, match="PENDING"):
        register_model(client, "credit", f"models:/{model_id}", actor="ada")
    with client.store.transaction() as tx:
        assert tx.registry.list_models() == []


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a\x00b", "x" * 251])
def test_a_bad_name_is_refused(client: TrackingClient, name: str) -> None:
    _, model_id = logged(client)
    with pytest.raises(InvalidInput, match="registered model name"):
        register_model(client, name, f"models:/{model_id}", actor="ada")


def test_a_uri_that_leads_nowhere_is_not_found(client: TrackingClient) -> None:
    with pytest.raises(NotFound):
        register_model(client, "credit", f"models:/m-{'0' * 32}", actor="ada")
    with pytest.raises(InvalidInput, match="model URI"):
        register_model(client, "credit", "s3://bucket/model", actor="ada")


def test_gates_are_set_once_and_each_change_is_recorded(client: TrackingClient) -> None:
    uris = [f"models:/{logged(client)[1]}" for _ in range(3)]
    register_model(client, "credit", uris[0], actor="ada", gates=POLICY)
    register_model(client, "credit", uris[1], actor="ada", gates=POLICY)
    assert kinds(client) == ["created", "policy", "registered", "registered"]
    stricter = {"checks": [{"metric": "auc", "min": 0.8}]}
    register_model(client, "credit", uris[2], actor="bob", gates=stricter, requires_verdict=True)
    change = list_history(client, "credit")[-2]
    assert (change.kind, change.actor) == ("policy", "bob")
    assert change.payload["from"] == {"gates": POLICY, "requires_verdict": False}
    assert change.payload["to"] == {"gates": stricter, "requires_verdict": True}


def test_a_policy_that_cannot_be_read_is_refused_before_anything_happens(
    client: TrackingClient,
) -> None:
    _, model_id = logged(client)
    bad = {"checks": [{"metric": "acu", "min": 0.7}]}
    with pytest.raises(InvalidInput, match="Did you mean auc"):
        register_model(client, "credit", f"models:/{model_id}", actor="ada", gates=bad)
    with pytest.raises(NotFound):
        list_history(client, "credit")


def test_a_policy_is_changed_and_removed_on_the_record(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    assert set_policy(client, "credit", actor="ada", gates=POLICY).gates == POLICY
    assert set_policy(client, "credit", actor="ada", gates=POLICY).gates == POLICY
    required = set_policy(client, "credit", actor="ada", requires_verdict=True, reason="audit")
    assert (required.gates, required.requires_verdict) == (POLICY, True)
    assert set_policy(client, "credit", actor="ada", gates={}).gates == {}
    assert kinds(client) == ["policy"] * 3
    with pytest.raises(InvalidInput):
        set_policy(client, "credit", actor="ada", gates={"checks": []})


def test_aliases_move_on_the_record(client: TrackingClient, add_version: AddVersion) -> None:
    add_version()
    add_version()
    set_alias(client, "credit", "champion", 1, actor="ada")
    set_alias(client, "credit", "champion", 1, actor="ada")
    moved = set_alias(client, "credit", "champion", 2, actor="bob", reason="better")
    assert moved.aliases == ("champion",)
    assert delete_alias(client, "credit", "champion", actor="ada") == 2
    assert delete_alias(client, "credit", "champion", actor="ada") is None
    steps = [
        (event.payload["from"], event.payload["to"]) for event in list_history(client, "credit")
    ]
    assert steps == [(None, 1), (1, 2), (2, None)]
    with pytest.raises(NotFound):
        set_alias(client, "credit", "champion", 9, actor="ada")


def test_deletions_are_recorded_and_the_history_outlives_them(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    add_version()
    delete_version(client, "credit", 1, actor="ada", reason="wrong data")
    delete_model(client, "credit", actor="ada")
    first, second = list_history(client, "credit")
    assert (first.kind, first.version, first.payload["reason"]) == ("deleted", 1, "wrong data")
    assert (second.kind, second.version, second.payload["versions"]) == ("deleted", None, [2])
    assert verify_history(client, "credit") is None
    assert add_version().version == 3


def test_a_live_version_of_a_gated_model_is_not_deleted(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    set_policy(client, "credit", actor="ada", requires_verdict=True)
    with pytest.raises(Conflict, match="live in Production"):
        delete_version(client, "credit", 1, actor="ada")
    with pytest.raises(Conflict, match="version 1 is live"):
        delete_model(client, "credit", actor="ada")
    promote(client, "credit", 1, "Archived", actor="ada")
    delete_model(client, "credit", actor="ada")


def test_a_rename_stands_in_both_chains(client: TrackingClient, add_version: AddVersion) -> None:
    add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    renamed = rename_model(client, "credit", "lending", actor="ada", reason="new unit")
    assert renamed.name == "lending"
    assert kinds(client, "credit") == ["transition", "renamed"]
    assert kinds(client, "lending") == ["renamed"]
    assert verify_history(client, "credit") is None
    assert verify_history(client, "lending") is None
