"""Where a version may go next: what each move asks for, what is missing, who may not approve it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.lifecycle.approval_rules import barred_people
from airflow_mltrack.lifecycle.holders import ever_live
from airflow_mltrack.lifecycle.stage_rules import examine, find_edge, rollback_edge

if TYPE_CHECKING:
    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.entities.stages import StageEdge
    from airflow_mltrack.store.tracking_store import Transaction


@dataclass(frozen=True, slots=True)
class NextMove:
    """A move that a version may make."""

    edge: StageEdge
    """What it asks for, gates included."""
    is_rollback: bool
    """Whether it is only for a version that was live before."""
    missing: tuple[str, ...]
    """One sentence for each thing by the records; the package's bytes are not read."""
    hint: str
    """The next step; empty when nothing is missing."""
    approvals: tuple[Approval, ...]
    """Those that count now."""
    barred: tuple[str, ...]
    """Who may not approve it, and why, one sentence each; empty where it asks for no approval."""


def next_moves(tx: Transaction, name: str, version: int) -> list[NextMove]:
    """Look at every move from where a version stands, in the order of its model's graph.

    A reason is taken as given.

    :raises NotFound: when there is no such model or version.
    """
    model, found = tx.registry.get_model(name), tx.registry.get_version(name, version)
    targets = model.stages.targets(found.stage)
    moves = [_move(tx, model, found, find_edge(model, found, stage)) for stage in targets]
    live = model.stages.exclusive
    if live not in (found.stage, *targets) and version in ever_live(tx, model):
        moves.append(_move(tx, model, found, rollback_edge(model, found), is_rollback=True))
    return moves


def _move(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    edge: StageEdge,
    *,
    is_rollback: bool = False,
) -> NextMove:
    grounds = examine(tx, model, found, edge, reason="given")
    barred = barred_people(tx, found, edge.target) if edge.approvals else {}
    return NextMove(
        edge,
        is_rollback,
        grounds.reasons,
        grounds.hint,
        grounds.approvals,
        tuple(sorted(barred.values())),
    )
