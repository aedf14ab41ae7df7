"""Builds the JSON API: its routers, each behind the guard that it needs, and its errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI

from airflow_mltrack.web.api import (
    aliases,
    approvals,
    audit,
    evidence,
    history,
    models,
    openapi,
    policies,
    transitions,
    verdicts,
    versions,
    webhooks,
)
from airflow_mltrack.web.api.answers import keep_private
from airflow_mltrack.web.api.body_limit import BodyLimit
from airflow_mltrack.web.api.calls import tell_webhooks
from airflow_mltrack.web.api.errors import ERROR_ANSWERS, add_json_errors
from airflow_mltrack.web.guards import check_intended, make_guard

if TYPE_CHECKING:
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Access
    from airflow_mltrack.web.announcing import Announce

READING = (models, versions, verdicts, approvals, history, evidence, audit, openapi)
"""Modules with a router of routes that change nothing, for everybody who may read."""
CHANGING = (models, policies, transitions, approvals, aliases)
"""Modules with a router of routes that change something, for those who may promote."""


def create_api(
    get_client: Callable[[], TrackingClient], access: Access, announce: Announce
) -> FastAPI:
    """Create the API, to be mounted at ``/api``; see :func:`airflow_mltrack.web.app.create_app`."""
    api = FastAPI(
        title="MLTrack",
        version="1",
        summary="Registered models: what is live, why, who approved it, and how to change it.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        responses=ERROR_ANSWERS,
        dependencies=[Depends(keep_private)],
    )
    api.state.get_client, api.state.announce = get_client, announce
    may_read, may_promote = Depends(make_guard(access.reader)), Depends(make_guard(access.promoter))
    intended, soon = Depends(check_intended), Depends(tell_webhooks)
    recorded, discreetly = Depends(access.record), Depends(access.record_discreetly)
    for module in READING:
        api.include_router(module.reading, prefix="/v1", dependencies=[may_read])
    for module in CHANGING:
        api.include_router(
            module.changing, prefix="/v1", dependencies=[may_promote, intended, recorded, soon]
        )
    # An address may be a secret: those who only read do not see it, and no log gets it.
    api.include_router(webhooks.reading, prefix="/v1", dependencies=[may_promote])
    api.include_router(
        webhooks.changing, prefix="/v1", dependencies=[may_promote, intended, discreetly]
    )
    api.add_middleware(BodyLimit)
    add_json_errors(api)
    return api
