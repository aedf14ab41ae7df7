"""What a person looks at who is to approve a move: the evidence, and what else is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.approval import edge_to_approve
from airflow_mltrack.lifecycle.approval_rules import count_approvals
from airflow_mltrack.lifecycle.stage_rules import examine

if TYPE_CHECKING:
    from airflow_mltrack.entities.approvals import Approval
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.entities.stages import StageEdge
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


@dataclass(frozen=True, slots=True)
class DecisionBasis:
    """Everything that was true of one move at one moment."""

    version: ModelVersion
    edge: StageEdge
    """The move, and what it asks for."""
    live: ModelVersion | None
    """The version that is live now."""
    verdict: Verdict | None
    """The version's latest verdict."""
    run: Run | None
    """The run that trained it; None when it is not known or was removed."""
    code: Mapping[str, object] = field(default_factory=dict)
    """Commit, branch, dirty flag, ... as the package holds them; empty when it holds none."""
    approvals: tuple[Approval, ...] = ()
    """Those that count already."""
    lacking: tuple[str, ...] = ()
    """What approvals are missing or rejected, one sentence each."""
    obstacles: tuple[str, ...] = ()
    """What stands in the way beside approvals, one sentence each."""

    @property
    def verdict_id(self) -> str | None:
        """Id of the verdict that an answer is about."""
        return None if self.verdict is None else self.verdict.verdict_id

    @property
    def is_approved(self) -> bool:
        """Whether the move asks for approvals and has all of them."""
        return bool(self.edge.approvals) and not self.lacking


def find_basis(client: TrackingClient, name: str, version: int, stage: str) -> DecisionBasis:
    """Collect what is known about a move, in one transaction.

    :param stage: where the version is to go, in any case.
    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the model has no such stage.
    :raises PromotionRefused: when the move is not allowed from where the version stands.
    """
    with client.store.transaction() as tx:
        model, found = tx.registry.get_model(name), tx.registry.get_version(name, version)
        edge = edge_to_approve(tx, model, found, stage)
        verdict = tx.verdicts.latest(name, version)
        counted = count_approvals(tx, found, edge, verdict)
        beside = examine(tx, model, found, replace(edge, approvals=0), reason="given")
        return DecisionBasis(
            found,
            edge,
            tx.registry.holder(name),
            verdict,
            _run_of(tx, found),
            _code_of(tx, found),
            counted.approvals,
            counted.reasons,
            beside.reasons,
        )


def _run_of(tx: Transaction, found: ModelVersion) -> Run | None:
    if found.run_id is None:
        return None
    try:
        return tx.runs.get(found.run_id)
    except NotFound:  # the run was removed for good; the version stays
        return None


def _code_of(tx: Transaction, found: ModelVersion) -> Mapping[str, object]:
    if found.model_id is None:
        return {}
    code = tx.models.get(found.model_id).manifest.get("code")
    return code if isinstance(code, Mapping) else {}
