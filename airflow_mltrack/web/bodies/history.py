"""What happened to a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from airflow_mltrack.lifecycle.history_words import tell
from airflow_mltrack.web.bodies.shapes import ApiResponse

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent


class HistoryEventResponse(ApiResponse):
    """One event of the hash-chained history."""

    event_id: int
    name: str
    version: int | None
    kind: str
    actor: str
    at: datetime
    words: str = Field(description="What happened, in one sentence.")
    reason: str = Field(description="Why; may be empty.")
    payload: Mapping[str, Any]
    previous_hash: str
    hash: str

    @classmethod
    def of(cls, event: HistoryEvent) -> HistoryEventResponse:
        """Write an event down, with its sentence."""
        told = tell(event)
        return cls(
            event_id=event.event_id,
            name=event.name,
            version=event.version,
            kind=event.kind,
            actor=event.actor,
            at=event.at,
            words=told.sentence,
            reason=told.reason,
            payload=event.payload,
            previous_hash=event.previous_hash,
            hash=event.hash,
        )


class HistoryResponse(ApiResponse):
    """One page of a model's history, oldest first."""

    events: list[HistoryEventResponse]
    next_page_token: str | None = Field(description="Ask for the next page with it; null: no more.")


class LiveResponse(ApiResponse):
    """Which version was live at a time."""

    name: str
    at: datetime | None = Field(description="The time asked about; null: now.")
    version: int | None = Field(description="null: none was live.")
    stage: str | None
    since: datetime | None
    event: HistoryEventResponse | None = Field(description="The transition that brought it there.")
