"""Whether the history is as it was written."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import Field

from airflow_mltrack.web.bodies.shapes import ApiResponse

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.audit import ChainReport


class ChainHeadResponse(ApiResponse):
    """The end of a model's chain. Kept elsewhere, it shows when something was cut off."""

    name: str
    event_id: int
    hash: str
    at: datetime


class ChainHeadsResponse(ApiResponse):
    """The ends of all chains."""

    heads: list[ChainHeadResponse]


class FindingResponse(ApiResponse):
    """Something that is not as it was recorded."""

    what: str
    event_id: int | None
    message: str


class ChainReportResponse(ApiResponse):
    """What walking one model's chain has shown."""

    name: str
    is_whole: bool
    events: int
    head: ChainHeadResponse | None
    findings: list[FindingResponse] = Field(description="The first place in the chain first.")

    @classmethod
    def of(cls, report: ChainReport) -> ChainReportResponse:
        """Write a report down."""
        return cls.model_validate(report)


class AuditResponse(ApiResponse):
    """What walking the chains has shown."""

    is_whole: bool = Field(description="Whether nothing was found anywhere.")
    chains: list[ChainReportResponse]
