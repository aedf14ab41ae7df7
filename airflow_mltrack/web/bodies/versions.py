"""Model versions, and what each lacks for its next stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field

from airflow_mltrack.web.bodies.shapes import ApiResponse
from airflow_mltrack.web.bodies.stages import StageEdgeResponse

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.lifecycle.next_moves import NextMove


class VersionResponse(ApiResponse):
    """One package under a registered name."""

    name: str
    version: int
    stage: str
    status: str
    source: str
    model_id: str | None
    run_id: str | None = Field(
        description="null: none, or one of a Dag that the caller may not see."
    )
    digest: str | None = Field(description="sha256 of the package.")
    user: str = Field(description="Who registered it.")
    description: str
    created_at: datetime
    updated_at: datetime
    tags: Mapping[str, str]
    aliases: list[str]

    @classmethod
    def of(cls, version: ModelVersion, *, with_run: bool) -> VersionResponse:
        """Write a version down.

        :param with_run: whether the caller may know of its run.
        """
        facts = asdict(version) | ({} if with_run else {"run_id": None})
        return cls.model_validate(facts)


class VersionListResponse(ApiResponse):
    """One page of a model's versions, highest number first."""

    versions: list[VersionResponse]
    next_page_token: str | None = Field(description="Ask for the next page with it; null: no more.")


class NextMoveResponse(ApiResponse):
    """A move that the version may make."""

    asks: StageEdgeResponse = Field(description="The move, and what it asks for.")
    is_rollback: bool = Field(description="Whether it is made by rolling back.")
    missing: list[str] = Field(
        description="What the version lacks for it, one sentence each; a reason is not counted."
    )
    approvals: list[str] = Field(description="Ids of the approvals that count now.")
    may_not_approve: list[str] = Field(description="Who may not approve it, and why.")

    @classmethod
    def of(cls, move: NextMove) -> NextMoveResponse:
        """Write a move down."""
        return cls(
            asks=StageEdgeResponse.of(move.edge),
            is_rollback=move.is_rollback,
            missing=list(move.missing),
            approvals=[approval.approval_id for approval in move.approvals],
            may_not_approve=list(move.barred),
        )


class VersionDetailResponse(VersionResponse):
    """A version, and where it may go from here."""

    next_moves: list[NextMoveResponse]
