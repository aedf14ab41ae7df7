"""Ask for approval, approve, reject: four eyes before a version moves."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.exceptions import (
    ApprovalRefused,
    Conflict,
    InvalidInput,
    NotFound,
    PromotionRefused,
)
from airflow_mltrack.lifecycle.approval_rules import REQUESTED, barred_people, person, requests_for
from airflow_mltrack.lifecycle.holders import ever_live
from airflow_mltrack.lifecycle.stage_rules import find_edge, rollback_edge
from airflow_mltrack.lifecycle.transitions import UNSET, Unset

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.entities.stages import StageEdge
    from airflow_mltrack.entities.verdicts import Verdict
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def request_approval(
    client: TrackingClient,
    name: str,
    version: int,
    stage: str,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> HistoryEvent:
    """Ask that people approve a move; whoever asks may not approve it.

    Asking again for the same package and verdict changes nothing.

    :param stage: where the version is to go.
    :param actor: who asks.
    :param details: JSON-able facts for the history, for example Dag and Dag run.
    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the model has no such stage.
    :raises PromotionRefused: when the move is not allowed from where the version stands.
    """

    def work(tx: Transaction) -> HistoryEvent:
        model, found = tx.registry.lock(name), tx.registry.get_version(name, version)
        target = edge_to_approve(tx, model, found, stage).target
        verdict = tx.verdicts.latest(name, version)
        verdict_id = None if verdict is None else verdict.verdict_id
        for event in requests_for(tx, found, target):
            if (event.actor, event.payload.get("verdict_id")) == (actor, verdict_id):
                return event
        return tx.history.append(
            name=name,
            version=version,
            kind=REQUESTED,
            actor=actor,
            payload={
                "stage": target,
                "digest": found.digest,
                "verdict_id": verdict_id,
                "reason": reason,
                "details": dict(details or {}),
            },
        )

    return client.transact(work)


def approve(
    client: TrackingClient,
    name: str,
    version: int,
    stage: str,
    *,
    approver: str,
    reason: str,
    decision: Decision | str = Decision.APPROVED,
    approval_id: str | None = None,
    seen_verdict: str | Literal[Unset.UNSET] | None = UNSET,
    details: Mapping[str, object] | None = None,
) -> Approval:
    """Record what a person says about a move; it counts for this package and this verdict.

    :param stage: where the version is to go.
    :param approver: who says it: neither the author of the version or of its run, nor whoever asked
        for the approval.
    :param reason: why; not empty.
    :param decision: ``approved`` or ``rejected``.
    :param approval_id: makes two calls the same one; None makes one up.
    :param seen_verdict: id of the verdict that the person was shown, None for no verdict; must
        still be the version's latest. Left out, the latest one is taken as seen.
    :param details: JSON-able facts for the record, for example Dag and Dag run.
    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the reason is empty, or the model has no such stage.
    :raises PromotionRefused: when the move is not allowed from where the version stands.
    :raises Conflict: when the ``approval_id`` was used for another answer.
    :raises ApprovalRefused: when the person may not approve, there is no passing verdict to
        approve on where the move asks for one, or another verdict was made since.
    """
    said = _decision(decision)
    key = approval_id or uuid.uuid4().hex

    def work(tx: Transaction) -> Approval:
        model, found = tx.registry.lock(name), tx.registry.get_version(name, version)
        if (known := _known(tx, key)) is not None:
            return _same_answer(known, name, version, model.stages.canonical(stage), approver, said)
        edge = edge_to_approve(tx, model, found, stage)
        verdict = tx.verdicts.latest(name, version)
        _check_seen(found, edge, verdict, seen_verdict, approver)
        if said is Decision.APPROVED:
            _check_verdict(found, edge, verdict, approver)
        _check_person(tx, found, edge.target, approver)
        now = tx.now()
        asked = requests_for(tx, found, edge.target)
        days = edge.approval_days
        approval = tx.approvals.add(
            Approval(
                approval_id=key,
                name=name,
                version=version,
                stage=edge.target,
                decision=said,
                approver=approver,
                reason=reason,
                package_digest=found.digest,
                verdict_id=None if verdict is None else verdict.verdict_id,
                created_at=now,
                requested_by=asked[-1].actor if asked else None,
                valid_until=None if days is None else now + timedelta(days=days),
                details=dict(details or {}),
            )
        )
        _record(tx, approval)
        return approval

    return client.transact(work)


def list_approvals(client: TrackingClient, name: str, version: int | None = None) -> list[Approval]:
    """Return the answers about a model or one of its versions, newest first."""
    with client.store.transaction() as tx:
        return tx.approvals.list(name, version)


def approval_json(approval: Approval) -> dict[str, object]:
    """Return an approval as JSON-able data."""
    data = asdict(approval)
    data["decision"] = approval.decision.value
    for key in ("created_at", "valid_until"):
        moment = data[key]
        data[key] = None if moment is None else moment.isoformat()
    return data


def _decision(value: Decision | str) -> Decision:
    try:
        return Decision(value)
    except ValueError as error:
        known = " or ".join(item.value for item in Decision)
        raise InvalidInput("decision", value, f"it is {known}.") from error


def edge_to_approve(
    tx: Transaction, model: RegisteredModel, found: ModelVersion, stage: str
) -> StageEdge:
    """Return the move that is to be approved: an edge, or the way back of a former holder."""
    target = model.stages.canonical(stage)
    try:
        return find_edge(model, found, target)
    except PromotionRefused:
        if target != model.stages.exclusive or found.version not in ever_live(tx, model):
            raise
        return rollback_edge(model, found)


def _check_person(tx: Transaction, found: ModelVersion, stage: str, approver: str) -> None:
    why = barred_people(tx, found, stage).get(person(approver))
    if why is not None:
        raise ApprovalRefused(
            found.name, found.version, stage, approver, f"{why}.", "Ask somebody else to approve."
        )


def _check_verdict(
    found: ModelVersion, edge: StageEdge, verdict: Verdict | None, approver: str
) -> None:
    if edge.verdict and (verdict is None or not verdict.passed):
        what = "no verdict exists" if verdict is None else "its latest verdict did not pass"
        raise ApprovalRefused(
            found.name,
            found.version,
            edge.target,
            approver,
            f"{what}, so there is nothing to approve on.",
            f"Judge it first: mltrack models validate {found.name} {found.version}",
        )


def _check_seen(
    found: ModelVersion,
    edge: StageEdge,
    verdict: Verdict | None,
    seen: str | Literal[Unset.UNSET] | None,
    approver: str,
) -> None:
    latest = None if verdict is None else verdict.verdict_id
    if seen is not UNSET and seen != latest:
        raise ApprovalRefused(
            found.name,
            found.version,
            edge.target,
            approver,
            f"the answer is about {_verdict_words(seen)}, and now there is "
            f"{_verdict_words(latest)}.",
            "Look at what is there now, then answer again.",
        )


def _verdict_words(verdict_id: str | None) -> str:
    return "no verdict" if verdict_id is None else f"verdict {verdict_id}"


def _known(tx: Transaction, approval_id: str) -> Approval | None:
    try:
        return tx.approvals.get(approval_id)
    except NotFound:
        return None


def _same_answer(
    known: Approval, name: str, version: int, stage: str, approver: str, decision: Decision
) -> Approval:
    """Return what was recorded under this id before, if it is what is said now."""
    told = (known.name, known.version, known.stage, known.decision, person(known.approver))
    if told != (name, version, stage, decision, person(approver)):
        raise Conflict(
            "approval",
            known.approval_id,
            f"{known.approver} has {known.decision.value} {known.name}/{known.version} for "
            f"{known.stage} under this id already.",
            "Use an id of its own for each answer.",
        )
    return known


def _record(tx: Transaction, approval: Approval) -> None:
    tx.history.append(
        name=approval.name,
        version=approval.version,
        kind="approval",
        actor=approval.approver,
        payload={
            "approval_id": approval.approval_id,
            "decision": approval.decision.value,
            "stage": approval.stage,
            "reason": approval.reason,
            "verdict_id": approval.verdict_id,
            "sha256": tx.approvals.digests(approval.name, approval.approval_id)[
                approval.approval_id
            ],
            "details": dict(approval.details),
        },
    )
