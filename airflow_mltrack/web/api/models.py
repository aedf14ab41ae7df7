"""Registered models: list, show, create."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter

from airflow_mltrack.lifecycle.registration import create_model as create
from airflow_mltrack.web.api.calls import CallDep, Limit, Name, PageToken, cut
from airflow_mltrack.web.bodies.models import CreateModelBody, ModelListResponse, ModelResponse

reading = APIRouter(tags=["models"])
changing = APIRouter(tags=["models"])


@reading.get("/models")
def list_models(
    call: CallDep, limit: Limit = 100, page_token: PageToken = None
) -> ModelListResponse:
    """List the registered models by name, each with what is live."""
    with call.client.store.transaction() as tx:
        models = tx.registry.list_models()
        live = tx.registry.holders()
    after = [model for model in models if page_token is None or model.name > page_token]
    page, last = cut(after, limit)
    return ModelListResponse(
        models=[ModelResponse.of(model, live.get(model.name)) for model in page],
        next_page_token=None if last is None else last.name,
    )


@reading.get("/models/{name}")
def get_model(name: Name, call: CallDep) -> ModelResponse:
    """Show a registered model: what is live, its gates, its stage graph."""
    with call.client.store.transaction() as tx:
        return ModelResponse.of(tx.registry.get_model(name), tx.registry.holder(name))


@changing.post("/models", status_code=HTTPStatus.CREATED)
def create_model(body: CreateModelBody, call: CallDep) -> ModelResponse:
    """Make a registered model without a version."""
    model = create(
        call.client, body.name, actor=call.actor, description=body.description, tags=body.tags
    )
    return ModelResponse.of(model, None)
