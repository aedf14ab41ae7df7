"""Which moves a stage graph lets through, and what it says to the others."""

from __future__ import annotations

import itertools

import pytest

from airflow_mltrack.entities.registry import ModelVersion, Stage
from airflow_mltrack.entities.stages import GATED, OPEN, StageEdge, StageGraph, stage_graph
from airflow_mltrack.exceptions import Conflict, InvalidInput, PromotionRefused
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import archive, live_version, missing_for, promote
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_uri import resolve_version
from tests.lifecycle.conftest import POLICY, AddApproval, AddVerdict, AddVersion

LADDER = stage_graph(
    {
        "stages": ["Draft", "Shadow", "Pre Prod", "Champion", "Retired"],
        "exclusive": "Champion",
        "edges": [
            {"from": "Draft", "to": "Shadow"},
            {"from": "Shadow", "to": "Pre Prod", "verdict": True},
            {"from": "Pre Prod", "to": "Champion", "approvals": 2, "approval_days": 1},
            {"from": "Champion", "to": "Retired", "reason": True},
        ],
    }
)


def place(client: TrackingClient, version: ModelVersion, stage: str) -> None:
    """Let a version stand in a stage without asking any rule."""
    if version.stage == stage:
        return
    with client.store.transaction() as tx:
        tx.registry.move(version.name, version.version, stage)
        tx.history.append(
            name=version.name,
            version=version.version,
            kind="transition",
            actor="ada",
            payload={"from": version.stage, "to": stage},
        )


@pytest.mark.parametrize("graph", [OPEN, GATED, LADDER], ids=["open", "gated", "ladder"])
def test_every_edge_may_be_gone_and_nothing_else(
    client: TrackingClient,
    add_version: AddVersion,
    add_verdict: AddVerdict,
    add_approval: AddApproval,
    graph: StageGraph,
) -> None:
    for number, (source, target) in enumerate(itertools.permutations(graph.stages, 2)):
        version = add_version(f"m{number}", stages=graph, gates=POLICY if graph != OPEN else {})
        place(client, version, source)
        add_verdict(version)
        for person in ("bob", "eve"):
            add_approval(version, person, stage=target)
        edge = graph.edge(source, target)
        if edge is None:
            with pytest.raises(PromotionRefused) as caught:
                promote(client, version.name, 1, target, actor="ada", reason="why not")
            (reason,) = caught.value.reasons
            assert reason.startswith(f"no edge leads from {source} to {target}; ")
            for stage in graph.stages:
                assert (stage in reason.partition(";")[2].partition("goes")[2]) == (
                    stage in graph.targets(source)
                )
            assert missing_for(client, version.name, 1, target) == (reason,)
        else:
            assert missing_for(client, version.name, 1, target) == ()
            done = promote(client, version.name, 1, target, actor="ada", reason="why not")
            assert (done.changed, done.version.stage) == (True, target)
        assert verify_history(client, version.name).is_whole


def test_from_a_dead_end_one_goes_nowhere_but_back(
    client: TrackingClient, add_version: AddVersion
) -> None:
    place(client, add_version(stages=GATED), "Archived")
    with pytest.raises(PromotionRefused, match="from Archived one goes nowhere") as caught:
        promote(client, "credit", 1, "Production", actor="ada")
    assert "mltrack models rollback credit" in str(caught.value)
    with pytest.raises(PromotionRefused, match="one goes nowhere") as caught:
        promote(client, "credit", 1, "Staging", actor="ada")
    assert "step by step" in str(caught.value)


def test_a_stage_of_the_enumeration_is_a_stage(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version()
    done = promote(client, "credit", 1, Stage.PRODUCTION, actor="ada")
    assert done.version.stage == "Production"


@pytest.mark.parametrize("stage", ["Production", "", "7", "latest", "pre-prod"])
def test_a_stage_that_the_model_does_not_have_is_named_with_those_that_it_has(
    client: TrackingClient, add_version: AddVersion, stage: str
) -> None:
    add_version(stages=LADDER)
    with pytest.raises(InvalidInput, match="Draft, Shadow, Pre Prod, Champion, Retired"):
        promote(client, "credit", 1, stage, actor="ada")
    with pytest.raises(InvalidInput, match="Draft, Shadow, Pre Prod, Champion, Retired"):
        missing_for(client, "credit", 1, stage)


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_where_a_reason_is_asked_for_nothing_moves_without(
    client: TrackingClient, add_version: AddVersion, reason: str
) -> None:
    add_version(stages=GATED)
    assert promote(client, "credit", 1, "Staging", actor="ada").changed
    with pytest.raises(PromotionRefused) as caught:
        promote(client, "credit", 1, "Archived", actor="ada", reason=reason)
    assert (caught.value.reasons, caught.value.hint) == (("a reason is needed",), "Say why.")
    with pytest.raises(PromotionRefused, match="a reason is needed"):
        archive(client, "credit", 1, actor="ada")
    done = archive(client, "credit", 1, actor="ada", reason="wrong data")
    assert done.event is not None
    assert done.event.payload["reason"] == "wrong data"


def test_a_model_with_stages_of_its_own_goes_its_own_way(
    client: TrackingClient,
    add_version: AddVersion,
    add_verdict: AddVerdict,
    add_approval: AddApproval,
) -> None:
    for _ in range(2):
        version = add_version(stages=LADDER, gates=POLICY)
        promote(client, "credit", version.version, "shadow", actor="ada")
        add_verdict(version)
        promote(client, "credit", version.version, "PRE PROD", actor="ada")
        for person in ("bob", "eve"):
            add_approval(version, person, stage="Champion")
        done = promote(client, "credit", version.version, "Champion", actor="ada")
    assert done.previous is not None
    assert (done.previous.version, done.previous.stage) == (1, "Champion")
    live = live_version(client, "credit")
    assert live is not None
    assert (live.version, live.stage) == (2, "Champion")
    for uri, version_number in (
        ("models:/credit/Champion", 2),
        ("models:/credit/champion", 2),
        ("models:/credit/Retired", 1),
        ("models:/credit/latest", 2),
    ):
        assert resolve_version(client, uri).version == version_number
    with pytest.raises(InvalidInput, match="it is one of Draft, Shadow"):
        resolve_version(client, "models:/credit/Production")
    moved = [
        (event.version, event.payload["to"])
        for event in list_history(client, "credit")
        if event.kind == "transition"
    ]
    assert moved[-2:] == [(1, "Retired"), (2, "Champion")]


def test_gates_ask_for_a_verdict_where_the_graph_does_not(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    graph = StageGraph(
        ("A", "B", "C"), "C", "A", (StageEdge("A", "B"), StageEdge("B", "C"), StageEdge("A", "C"))
    )
    version = add_version(stages=graph, gates=POLICY)
    assert missing_for(client, "credit", 1, "B") == ()
    assert missing_for(client, "credit", 1, "C") == ("no verdict exists for this version",)
    add_verdict(version)
    assert promote(client, "credit", 1, "C", actor="ada").changed


def test_a_graph_that_asks_for_verdicts_needs_gates_to_give_them_under(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version(stages=GATED)
    place(client, version, "Staging")
    add_verdict(version)
    with pytest.raises(PromotionRefused, match="the model has no gates"):
        promote(client, "credit", 1, "Production", actor="ada", reason="r")


def test_both_moves_of_one_promotion_are_of_one_time(
    client: TrackingClient, add_version: AddVersion
) -> None:
    for version in (1, 2):
        add_version()
        promote(client, "credit", version, "Production", actor="ada")
    left, came = list_history(client, "credit")[-2:]
    assert (left.payload["to"], came.payload["to"]) == ("Archived", "Production")
    assert left.at == came.at


def test_a_model_whose_rules_change_while_the_package_is_read_is_asked_again(
    client: TrackingClient,
    add_version: AddVersion,
    add_verdict: AddVerdict,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = add_version()
    transact, calls = client.transact, 0

    def change_rules_first(work: object, **given: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            add_version(gates=POLICY)
            add_verdict(version)
        return transact(work, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "transact", change_rules_first)
    with pytest.raises(Conflict, match="was changed in the meantime"):
        promote(client, "credit", 1, "Production", actor="ada")
    assert promote(client, "credit", 1, "Production", actor="ada").changed
