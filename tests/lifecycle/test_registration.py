"""Registration: idempotent, recorded, refused where it must be."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from airflow_mltrack.entities.lineage import LineageNode
from airflow_mltrack.entities.stages import GATED, OPEN
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound, PromotionRefused
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import (
    create_model,
    delete_alias,
    delete_model,
    delete_version,
    register_model,
    rename_model,
    set_alias,
    set_policy,
)
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.canonical_json import canonical_value
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_uri import resolve_version
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
        "tags": {"team": "risk"},
        "description": "first",
        "details": {"dag_id": "credit_sweep"},
    }
    assert verify_history(client, "credit").is_whole


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


def test_registering_again_adds_tags_that_are_not_there_and_changes_none(
    client: TrackingClient,
) -> None:
    _, model_id = logged(client)
    uri = f"models:/{model_id}"
    register_model(client, "credit", uri, actor="ada", tags={"team": "risk"})
    again = register_model(client, "credit", uri, actor="bob", tags={"team": "x", "source": "ci"})
    assert again.tags == {"team": "risk", "source": "ci"}
    register_model(client, "credit", uri, actor="eve", tags={"source": "ci"})
    assert kinds(client) == ["created", "registered", "tag"]


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
    assert verify_history(client, "credit").is_whole


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
    register_model(client, "credit", uris[2], actor="bob", gates=stricter, stages="gated")
    change = list_history(client, "credit")[-2]
    assert (change.kind, change.actor) == ("policy", "bob")
    assert change.payload["from"] == {"gates": POLICY, "stages": canonical_value(OPEN.to_json())}
    assert change.payload["to"] == {"gates": stricter, "stages": canonical_value(GATED.to_json())}


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
    governed = set_policy(client, "credit", actor="ada", stages="gated", reason="audit")
    assert (governed.gates, governed.stages) == (POLICY, GATED)
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
    assert verify_history(client, "credit").is_whole
    assert add_version().version == 3


def test_a_live_version_of_a_gated_model_is_not_deleted(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    set_policy(client, "credit", actor="ada", stages="gated")
    with pytest.raises(Conflict, match="live in Production"):
        delete_version(client, "credit", 1, actor="ada")
    with pytest.raises(Conflict, match="version 1 is live"):
        delete_model(client, "credit", actor="ada")
    promote(client, "credit", 1, "Archived", actor="ada", reason="retired")
    delete_model(client, "credit", actor="ada")


def test_a_rename_stands_in_both_chains(client: TrackingClient, add_version: AddVersion) -> None:
    add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    renamed = rename_model(client, "credit", "lending", actor="ada", reason="new unit")
    assert renamed.name == "lending"
    assert kinds(client, "credit") == ["transition", "renamed"]
    assert kinds(client, "lending") == ["renamed"]
    assert verify_history(client, "credit").is_whole
    assert verify_history(client, "lending").is_whole


def test_a_model_is_made_without_a_version(client: TrackingClient) -> None:
    made = create_model(client, "credit", actor="ada", description="PD", tags={"team": "risk"})
    assert (made.name, made.description, made.tags) == ("credit", "PD", {"team": "risk"})
    (created,) = list_history(client, "credit")
    assert (created.kind, created.actor) == ("created", "ada")
    rules = {"gates": {}, "stages": canonical_value(OPEN.to_json())}
    assert created.payload == {**rules, "tags": {"team": "risk"}, "description": "PD"}
    with pytest.raises(Conflict, match="it exists already"):
        create_model(client, "credit", actor="bob")
    with pytest.raises(InvalidInput, match="registered model name"):
        create_model(client, "a/b", actor="ada")
    assert kinds(client) == ["created"]


@pytest.mark.parametrize(
    ("patterns", "gated"),
    [
        ((), set()),
        (("*",), {"credit", "credit-uk", "Credit"}),
        (("credit*",), {"credit", "credit-uk"}),
        (("other", "Cr?dit"), {"Credit"}),
    ],
)
def test_a_site_makes_new_models_gated_by_name(
    settings: Settings, patterns: tuple[str, ...], gated: set[str]
) -> None:
    with TrackingClient(replace(settings, gated_models=patterns)) as client:
        for name in ("credit", "credit-uk", "Credit"):
            _, model_id = logged(client)
            if name == "credit":
                create_model(client, name, actor="ada")
            register_model(client, name, f"models:/{model_id}", actor="ada")
        with client.store.transaction() as tx:
            found = {model.name: model.stages for model in tx.registry.list_models()}
    assert {name for name, graph in found.items() if graph == GATED} == gated
    assert {name for name, graph in found.items() if graph == OPEN} == set(found) - gated


def test_a_models_own_graph_comes_before_the_sites(settings: Settings) -> None:
    with TrackingClient(replace(settings, gated_models=("*",))) as client:
        _, model_id = logged(client)
        register_model(client, "credit", f"models:/{model_id}", actor="ada", stages="open")
        assert kinds(client) == ["created", "policy", "registered"]
        assert promote(client, "credit", 1, "Production", actor="ada").changed


def test_a_graph_of_a_models_own_is_recorded_and_used_for_its_first_version(
    client: TrackingClient,
) -> None:
    _, model_id = logged(client)
    graph = {
        "stages": ["New", "Live"],
        "exclusive": "Live",
        "edges": [{"from": "New", "to": "Live"}],
    }
    version = register_model(client, "credit", f"models:/{model_id}", actor="ada", stages=graph)
    assert version.stage == "New"
    change = list_history(client, "credit")[1]
    assert change.payload["to"] == {"gates": {}, "stages": {**graph, "displaced_to": "New"}}
    assert verify_history(client, "credit").is_whole


@pytest.mark.parametrize("stages", ["strict", {"stages": ["A"]}, {}])
def test_a_graph_that_cannot_be_read_is_refused_before_anything_happens(
    client: TrackingClient, add_version: AddVersion, stages: str | dict[str, object]
) -> None:
    _, model_id = logged(client)
    with pytest.raises(InvalidInput):
        register_model(client, "new", f"models:/{model_id}", actor="ada", stages=stages)
    add_version()
    with pytest.raises(InvalidInput):
        set_policy(client, "credit", actor="ada", stages=stages)
    with client.store.transaction() as tx:
        assert [model.name for model in tx.registry.list_models()] == ["credit"]


def test_a_graph_without_the_stage_of_a_version_is_refused(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    promote(client, "credit", 1, "Staging", actor="ada")
    graph = {
        "stages": ["None", "Production"],
        "exclusive": "Production",
        "edges": [{"from": "None", "to": "Production"}],
    }
    with pytest.raises(Conflict, match="version 1 stands in Staging"):
        set_policy(client, "credit", actor="ada", stages=graph)
    assert kinds(client) == ["transition"]
    promote(client, "credit", 1, "None", actor="ada")
    set_policy(client, "credit", actor="ada", stages=graph, reason="two stages will do")
    assert list_history(client, "credit")[-1].payload["reason"] == "two stages will do"


def test_rules_do_not_change_for_a_model_that_is_not_there(client: TrackingClient) -> None:
    for rules in ({"gates": POLICY}, {"stages": "gated"}, {}):
        with pytest.raises(NotFound):
            set_policy(client, "credit", actor="ada", **rules)


def test_neither_deleting_nor_renaming_is_a_way_around_the_rules(client: TrackingClient) -> None:
    for away in ("delete", "rename"):
        _, model_id = logged(client)
        register_model(
            client, away, f"models:/{model_id}", actor="ada", gates=POLICY, stages="gated"
        )
        if away == "delete":
            delete_model(client, away, actor="eve")
        else:
            rename_model(client, away, "elsewhere", actor="eve")
        _, model_id = logged(client)
        version = register_model(client, away, f"models:/{model_id}", actor="eve")
        assert version.version == 2
        with pytest.raises(PromotionRefused, match="no edge leads from None to Production"):
            promote(client, away, 2, "Production", actor="eve")
        created = [event for event in list_history(client, away) if event.kind == "created"][-1]
        assert created.payload == {"gates": POLICY, "stages": canonical_value(GATED.to_json())}
        assert verify_history(client, away).is_whole


def test_aliases_lead_to_their_version_whatever_its_stage(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for _ in range(2):
        add_version(gates=POLICY, stages=GATED)
    set_alias(client, "credit", "champion", 1, actor="ada")
    set_alias(client, "credit", "challenger", 2, actor="ada")
    assert resolve_version(client, "models:/credit@champion").version == 1
    set_alias(client, "credit", "champion", 2, actor="ada")
    assert resolve_version(client, "models:/credit@champion").version == 2
    for bad in ("", "latest", "v2", "a b", "a@b", "a/b"):
        with pytest.raises(InvalidInput, match="alias"):
            set_alias(client, "credit", bad, 1, actor="ada")
    with pytest.raises(NotFound, match="credit@none"):
        resolve_version(client, "models:/credit@none")
    assert kinds(client) == ["policy", "policy", "alias", "alias", "alias"]
