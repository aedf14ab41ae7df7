"""The facts on the page of a registered model: rules, versions, evidence, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.lifecycle.audit import verify_history
from airflow_mltrack.lifecycle.deployments import deployments
from airflow_mltrack.lifecycle.history_words import ToldEvent, tell
from airflow_mltrack.lifecycle.holders import whole_history
from airflow_mltrack.lifecycle.next_moves import next_moves
from airflow_mltrack.lifecycle.policy_words import edge_words, gate_lines
from airflow_mltrack.lifecycle.rollback import rollback_target
from airflow_mltrack.web.run_table import visible_runs

if TYPE_CHECKING:
    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.lifecycle.audit import ChainReport
    from airflow_mltrack.lifecycle.deployments import Deployment
    from airflow_mltrack.lifecycle.next_moves import NextMove
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Reader

WATCHED = 8
"""Most versions whose next moves are looked at."""


@dataclass(frozen=True, slots=True)
class StageCard:
    """A stage: who stands in it, and where one may go from there."""

    name: str
    is_live: bool
    versions: Sequence[int]
    moves: Sequence[tuple[str, str]]
    """Target, and what the move asks for in words."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the page shows."""

    model: RegisteredModel
    versions: Sequence[ModelVersion]
    """Highest number first."""
    live: ModelVersion | None
    verdicts: Mapping[int, Verdict]
    """The latest one, by version."""
    visible_runs: frozenset[str]
    """Ids of the runs that the reader may see."""
    stages: Sequence[StageCard]
    asks_for_nothing: bool
    """Whether every move between two stages is allowed and asks for nothing."""
    gates: Sequence[str]
    """What a verdict needs, one line for each check."""
    moves: Mapping[int, Sequence[NextMove]]
    """Of versions that somebody may want to move, without those that only take it out of use."""
    approvals: Sequence[Approval]
    """Newest first."""
    counting: frozenset[str]
    """Ids of the approvals that count for a move now."""
    deployments: Sequence[Deployment]
    """Every time that a version was live, the latest first."""
    chain: ChainReport
    history: Sequence[ToldEvent]
    """Newest first, as many as the page shows."""


def find_model(client: TrackingClient, reader: Reader, name: str, shown: int) -> ModelFacts:
    """Collect the facts about a model.

    :param shown: most versions, approvals and events.
    :raises NotFound: when there is no such model.
    """
    chain, target = verify_history(client, name), rollback_target(client, name)
    with client.store.transaction() as tx:
        model, versions = tx.registry.get_model(name), tx.registry.list_versions(name)
        events = whole_history(tx, name)
        moves = _moves(tx, model, versions, target)
        run_ids = [version.run_id for version in versions[:shown] if version.run_id]
        runs = tx.runs.get_many(run_ids)
        return ModelFacts(
            model=model,
            versions=versions,
            live=tx.registry.holder(name),
            # Newest first: read backwards, the latest verdict of each version stays.
            verdicts={v.version: v for v in reversed(tx.verdicts.list(name))},
            visible_runs=frozenset(run.run_id for run in visible_runs(reader, runs)),
            stages=_cards(model, versions),
            asks_for_nothing=_asks_for_nothing(model),
            gates=gate_lines(model.gates),
            moves=moves,
            approvals=tx.approvals.list(name)[:shown],
            counting=frozenset(
                approval.approval_id
                for found in moves.values()
                for move in found
                for approval in move.approvals
            ),
            deployments=deployments(events)[::-1][:shown],
            chain=chain,
            history=[tell(event) for event in reversed(tx.history.list(name)[-shown:])],
        )


def _cards(model: RegisteredModel, versions: Sequence[ModelVersion]) -> list[StageCard]:
    graph = model.stages
    return [
        StageCard(
            stage,
            stage == graph.exclusive,
            [version.version for version in versions if version.stage == stage],
            [(edge.target, edge_words(edge)) for edge in graph.edges if edge.source == stage],
        )
        for stage in graph.stages
    ]


def _asks_for_nothing(model: RegisteredModel) -> bool:
    stages = model.stages.stages
    return (
        not model.gates
        and len(model.stages.edges) == len(stages) * (len(stages) - 1)
        and all(edge_words(edge) == "nothing" for edge in model.stages.edges)
    )


def _moves(
    tx: Transaction,
    model: RegisteredModel,
    versions: Sequence[ModelVersion],
    target: ModelVersion | None,
) -> dict[int, list[NextMove]]:
    """Look at the next moves of the newest versions in use, and of the one to go back to."""
    if _asks_for_nothing(model):
        return {}
    back = None if target is None else target.version
    in_use = [
        version.version
        for version in versions
        if version.stage != model.stages.displaced_to or version.version == back
    ]
    found = {}
    for version in in_use[:WATCHED]:
        moves = [
            move for move in next_moves(tx, model.name, version) if not _withdraws(move, model)
        ]
        if moves:
            found[version] = moves
    return found


def _withdraws(move: NextMove, model: RegisteredModel) -> bool:
    """Tell a move out of use that can be made: nobody looks for what it lacks."""
    return move.edge.target == model.stages.displaced_to and not move.missing
