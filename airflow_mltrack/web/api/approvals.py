"""Approvals: ask for them, give them, list them."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from airflow_mltrack.lifecycle import approval
from airflow_mltrack.web.api.calls import DETAILS, CallDep, Name, Version
from airflow_mltrack.web.bodies.approvals import (
    ApprovalBody,
    ApprovalListResponse,
    ApprovalResponse,
    RequestApprovalBody,
)
from airflow_mltrack.web.bodies.history import HistoryEventResponse

reading = APIRouter(tags=["approvals"])
changing = APIRouter(tags=["approvals"])


@reading.get("/models/{name}/versions/{version}/approvals")
def list_approvals(name: Name, version: Version, call: CallDep) -> ApprovalListResponse:
    """List what people said about a version, newest first."""
    with call.client.store.transaction() as tx:
        tx.registry.get_version(name, version)
        answers = tx.approvals.list(name, version)
    return ApprovalListResponse(approvals=[ApprovalResponse.of(answer) for answer in answers])


@changing.post(
    "/models/{name}/versions/{version}/approval-requests", status_code=HTTPStatus.CREATED
)
def request_approval(
    name: Name, version: Version, body: RequestApprovalBody, call: CallDep
) -> HistoryEventResponse:
    """Ask that people approve a move; whoever asks may not approve it."""
    event = approval.request_approval(
        call.client,
        name,
        version,
        body.stage,
        actor=call.actor,
        reason=body.reason,
        details=DETAILS,
    )
    return HistoryEventResponse.of(event)


@changing.post("/models/{name}/versions/{version}/approvals", status_code=HTTPStatus.CREATED)
def approve(name: Name, version: Version, body: ApprovalBody, call: CallDep) -> ApprovalResponse:
    """Approve or reject a move, as the user who is logged in."""
    answer = approval.approve(
        call.client,
        name,
        version,
        body.stage,
        approver=call.actor,
        reason=body.reason,
        decision=body.decision,
        approval_id=body.approval_id,
        details=DETAILS,
    )
    return ApprovalResponse.of(answer)
