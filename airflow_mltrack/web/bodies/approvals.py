"""Asking for approval, approving, rejecting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from airflow_mltrack.web.bodies.shapes import ApiBody, ApiResponse, Identifier, Reason, StageName

if TYPE_CHECKING:
    from airflow_mltrack.entities.approvals import Approval


class RequestApprovalBody(ApiBody):
    """Ask that people approve a move. Whoever asks may not approve it."""

    stage: StageName
    reason: Reason = ""


class ApprovalBody(ApiBody):
    """Say yes or no to a move, as the user who is logged in."""

    stage: StageName
    decision: Literal["approved", "rejected"] = "approved"
    reason: Reason
    approval_id: Identifier | None = Field(
        default=None, description="Makes a repeated call the same answer; null makes one up."
    )


class ApprovalResponse(ApiResponse):
    """What one person said about one move, on one package and one verdict."""

    approval_id: str
    name: str
    version: int
    stage: str
    decision: str
    approver: str
    reason: str
    package_digest: str | None
    verdict_id: str | None
    requested_by: str | None
    created_at: datetime
    valid_until: datetime | None
    details: Mapping[str, Any]

    @classmethod
    def of(cls, approval: Approval) -> ApprovalResponse:
        """Write an approval down."""
        return cls.model_validate(approval)


class ApprovalListResponse(ApiResponse):
    """Answers about one version, newest first."""

    approvals: list[ApprovalResponse]
