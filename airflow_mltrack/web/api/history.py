"""What happened to a model, and what was live when."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from airflow_mltrack.lifecycle import audit
from airflow_mltrack.web.api.calls import CallDep, Limit, Name, NumberToken, cut
from airflow_mltrack.web.bodies.history import HistoryEventResponse, HistoryResponse, LiveResponse
from airflow_mltrack.web.bodies.shapes import HIGHEST_VERSION

reading = APIRouter(tags=["history"])
_END_OF_TIME = datetime.max.replace(tzinfo=timezone.utc)


def _no_bare_number(text: object) -> object:
    """Refuse ``2026``, which would be read as seconds after 1970."""
    try:
        float(str(text))
    except ValueError:
        return text
    raise ValueError("is a number; a time is written 2026-01-31T09:30Z")


@reading.get("/models/{name}/history")
def list_history(
    name: Name,
    call: CallDep,
    version: Annotated[int | None, Query(ge=1, le=HIGHEST_VERSION)] = None,
    limit: Limit = 100,
    page_token: NumberToken = None,
) -> HistoryResponse:
    """List what happened to a model, or to one version, oldest first; also to one that is gone."""
    events = audit.list_history(call.client, name, version=version)
    page, last = cut([event for event in events if event.event_id > (page_token or 0)], limit)
    return HistoryResponse(
        events=[HistoryEventResponse.of(event) for event in page],
        next_page_token=None if last is None else str(last.event_id),
    )


@reading.get("/models/{name}/live")
def get_live(
    name: Name,
    call: CallDep,
    at: Annotated[
        datetime | None,
        BeforeValidator(_no_bare_number),
        Query(description="A time with its zone; left out: now.", examples=["2026-01-31T09:30Z"]),
    ] = None,
) -> LiveResponse:
    """Tell which version was live at a time, and which transition brought it there."""
    found = audit.live_at(call.client, name, _END_OF_TIME if at is None else at)
    return LiveResponse(
        name=name,
        at=at,
        version=None if found is None else found.version,
        stage=None if found is None else found.stage,
        since=None if found is None else found.since,
        event=None if found is None else HistoryEventResponse.of(found.event),
    )
