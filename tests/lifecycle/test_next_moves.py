"""Where a version may go next."""

from __future__ import annotations

import pytest

from airflow_mltrack.entities.stages import GATED, OPEN
from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.next_moves import NextMove, next_moves
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion


def _moves(client: TrackingClient, version: int) -> dict[str, NextMove]:
    with client.store.transaction() as tx:
        return {move.edge.target: move for move in next_moves(tx, "credit", version)}


def test_every_edge_from_where_a_version_stands_is_looked_at(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version(stages=OPEN)
    moves = _moves(client, 1)
    assert list(moves) == ["Staging", "Production", "Archived"]
    assert {move.missing for move in moves.values()} == {()}
    assert not any(move.is_rollback or move.barred for move in moves.values())


def test_gates_ask_for_a_verdict_also_where_the_graph_does_not(
    client: TrackingClient, add_version: AddVersion
) -> None:
    add_version(stages=OPEN, gates=POLICY)
    moves = _moves(client, 1)
    assert moves["Production"].edge.verdict
    assert moves["Production"].missing == ("no verdict exists for this version",)
    assert "mltrack models validate credit 1" in moves["Production"].hint
    assert moves["Staging"].missing == ()


def test_a_move_says_who_approved_and_who_may_not(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version(stages=GATED, gates=POLICY, user="ada")
    promote(client, "credit", 1, "Staging", actor="ada")
    add_verdict(version)
    request_approval(client, "credit", 1, "Production", actor="ben")
    move = _moves(client, 1)["Production"]
    assert move.missing == ("1 approval is needed, 0 count",)
    assert move.barred == ("ada registered this version", "ben asked for the approval")
    given = approve(client, "credit", 1, "Production", approver="eve", reason="good")
    move = _moves(client, 1)["Production"]
    assert (move.missing, move.approvals) == ((), (given,))


def test_a_former_holder_may_come_back_by_rolling_back(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    one, two = add_version(stages=OPEN, gates=POLICY), add_version()
    for version in (one, two):
        add_verdict(version)
        promote(client, "credit", version.version, "Production", actor="ada")
    add_version(stages=GATED)
    moves = _moves(client, 1)
    assert list(moves) == ["Production"]
    assert moves["Production"].is_rollback
    assert len(moves["Production"].missing) == 2
    assert _moves(client, 2)["Archived"].is_rollback is False


def test_unknown_names_are_not_found(client: TrackingClient, add_version: AddVersion) -> None:
    add_version()
    with pytest.raises(NotFound):
        _moves(client, 9)
