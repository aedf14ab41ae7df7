"""Promoting and rolling back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from airflow_mltrack.web.announcing import Told
from airflow_mltrack.web.bodies.history import HistoryEventResponse
from airflow_mltrack.web.bodies.shapes import (
    ApiBody,
    ApiResponse,
    Identifier,
    Intent,
    Reason,
    StageName,
    VersionNumber,
)
from airflow_mltrack.web.bodies.versions import VersionResponse

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.transitions import Expected


class _CompareAndSet(ApiBody):
    expected_current: VersionNumber | None = Field(
        default=None,
        description="The version that you believe to be live, null for nobody; something else is "
        "a conflict. Left out, anything may be live.",
    )
    intent: Intent | None = None

    @property
    def expected(self) -> Expected:
        """What is expected to be live; null and nothing at all are two things."""
        from airflow_mltrack.lifecycle.transitions import UNSET

        return self.expected_current if "expected_current" in self.model_fields_set else UNSET


class TransitionBody(_CompareAndSet):
    """The stage that a version is to stand in."""

    stage: StageName
    reason: Reason = ""
    verdict_id: Identifier | None = Field(
        default=None, description="The verdict that you rely on; must be the version's latest one."
    )


class RollbackBody(_CompareAndSet):
    """Which version is to be live again, and why."""

    reason: Reason
    to_version: VersionNumber | None = Field(
        default=None, description="A version that was live before; null: the one before."
    )
    emergency: bool = Field(
        default=False, description="Go back without verdict and approvals; the history says so."
    )


class TransitionResponse(ApiResponse):
    """What a promotion or a rollback did, or found done."""

    version: VersionResponse = Field(description="As it stands now.")
    previous: VersionResponse | None = Field(
        description="The version that had to leave the live stage for it; null: none did."
    )
    event: HistoryEventResponse | None = Field(
        description="The transition in the history; null: the version stood there from the start."
    )
    changed: bool = Field(description="false: it was done before, and nothing was recorded.")
    asset_event: Told | None = Field(
        description="What became of the Airflow asset event; null: nothing changed, none was due."
    )
