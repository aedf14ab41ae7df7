"""Builds the app that speaks MLflow's protocol, every route behind the guard that it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask

from airflow_mltrack.lifecycle.webhooks.outbox import deliver_soon
from airflow_mltrack.web.guards import check_intended, make_guard
from airflow_mltrack.web.mlflow.bodies import read_body, transfer_slots
from airflow_mltrack.web.mlflow.calls import Needs, Route, open_call
from airflow_mltrack.web.mlflow.errors import add_errors, invalid
from airflow_mltrack.web.mlflow.fields import read_fields, read_json, read_query
from airflow_mltrack.web.mlflow.openapi import describe_route
from airflow_mltrack.web.rendering import PRIVATE

if TYPE_CHECKING:
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Access
    from airflow_mltrack.web.announcing import Announce

_REGISTRY = ("/mlflow/registered-models/", "/mlflow/model-versions/")


def create_mlflow(
    get_client: Callable[[], TrackingClient],
    access: Access,
    announce: Announce,
    routes: Sequence[Route],
    routers: Mapping[Needs, Sequence[APIRouter]] = MappingProxyType({}),
) -> FastAPI:
    """Create the app, to be mounted where clients look for the protocol.

    :param get_client: gives the tracking client; called once for each request, so it should cache.
    :param access: decides who may read, write and promote.
    :param announce: tells those who wait for it that a version has come to a stage.
    :param routes: what it answers.
    :param routers: what it answers to requests whose bodies are no fields, but files.
    """
    app = FastAPI(
        title="MLflow's protocol",
        version="2.0",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.get_client, app.state.announce = get_client, announce
    guards = {
        Needs.READ: [Depends(make_guard(access.reader))],
        Needs.WRITE: [Depends(make_guard(access.writer)), Depends(check_intended)],
        Needs.PROMOTE: [Depends(make_guard(access.promoter)), Depends(check_intended)],
    }
    for route in routes:
        app.add_api_route(
            route.path,
            _endpoint(route),
            methods=[route.method],
            dependencies=guards[route.needs],
            response_class=JSONResponse,
            name=f"{route.method} {route.path}",
            summary=f"{route.method} {route.path}",
            openapi_extra=describe_route(route),
        )
    for needs, listed in routers.items():
        for router in listed:
            app.include_router(router, dependencies=guards[needs])
    add_errors(app)
    return app


def _endpoint(route: Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        fields = await _read(route, request)
        call = open_call(request, fields)
        work = partial(route.handler, call)
        answer = await run_sync(work, limiter=transfer_slots() if route.slow else None)
        if route.undo is not None and await request.is_disconnected():
            await run_sync(route.undo, call, answer)
        if isinstance(answer, Response):
            return answer
        soon = BackgroundTask(deliver_soon, call.client) if _changes_registry(route) else None
        return JSONResponse(dict(answer), headers=PRIVATE, background=soon)

    return endpoint


def _changes_registry(route: Route) -> bool:
    """Say whether webhooks may want to hear of what a route does."""
    return route.needs is not Needs.READ and route.path.startswith(_REGISTRY)


async def _read(route: Route, request: Request) -> dict[str, Any]:
    in_path = {name: field for name, field in route.shape.items() if name in request.path_params}
    fields = read_fields(in_path, dict(request.path_params))
    rest = {name: field for name, field in route.shape.items() if name not in in_path}
    if route.by_query and request.query_params:
        return fields | read_query(rest, request.query_params.multi_items())
    body = await read_body(request)
    if not route.by_query and body.strip():
        _check_content_type(request)
    return fields | read_fields(rest, read_json(body))


def _check_content_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise invalid(f"Bad Request. Content-Type must be application/json, not {kind[:100]!r}.")
