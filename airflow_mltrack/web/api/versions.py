"""Model versions: list, show with what is missing."""

from __future__ import annotations

from fastapi import APIRouter

from airflow_mltrack.lifecycle.next_moves import next_moves
from airflow_mltrack.web.api.calls import CallDep, Limit, Name, NumberToken, Version, cut
from airflow_mltrack.web.bodies.versions import (
    NextMoveResponse,
    VersionDetailResponse,
    VersionListResponse,
)

reading = APIRouter(tags=["versions"])


@reading.get("/models/{name}/versions")
def list_versions(
    name: Name, call: CallDep, limit: Limit = 100, page_token: NumberToken = None
) -> VersionListResponse:
    """List a model's versions, highest number first."""
    with call.client.store.transaction() as tx:
        versions = tx.registry.list_versions(name)
        older = [item for item in versions if page_token is None or item.version < page_token]
        page, last = cut(older, limit)
        return VersionListResponse(
            versions=call.version_responses(tx, page),
            next_page_token=None if last is None else str(last.version),
        )


@reading.get("/models/{name}/versions/{version}")
def get_version(name: Name, version: Version, call: CallDep) -> VersionDetailResponse:
    """Show a version, and where it may go next, with what it lacks for each move."""
    with call.client.store.transaction() as tx:
        found = tx.registry.get_version(name, version)
        return VersionDetailResponse(
            **call.version_response(tx, found).model_dump(),
            next_moves=[NextMoveResponse.of(move) for move in next_moves(tx, name, version)],
        )
