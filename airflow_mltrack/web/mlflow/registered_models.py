"""Registered models, their tags and aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import Conflict, NotFound
from airflow_mltrack.lifecycle import registration
from airflow_mltrack.web.mlflow.calls import DETAILS, Call, Needs, Route, get, post
from airflow_mltrack.web.mlflow.errors import EXISTS, MISSING, MlflowError, invalid
from airflow_mltrack.web.mlflow.experiments import tags_out
from airflow_mltrack.web.mlflow.fields import int64, pairs, tags, text
from airflow_mltrack.web.mlflow.model_versions import (
    find_version,
    latest_by_stage,
    version_number,
    version_out,
)
from airflow_mltrack.web.mlflow.moments import milliseconds
from airflow_mltrack.web.mlflow.not_implemented import not_implemented

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import RegisteredModel
    from airflow_mltrack.store.tracking_store import Transaction

_NAME = {"name": text(required=True)}
_ALIAS = {**_NAME, "alias": text(required=True)}
_KEY = {**_NAME, "key": text(required=True)}
_LATEST = {**_NAME, "stages": text(repeated=True)}
_PROMPT_TAG = "mlflow.prompt.is_prompt"
"""With it clients keep a prompt as if it were a registered model."""


def find_model(tx: Transaction, name: str) -> RegisteredModel:
    """Return a registered model.

    :raises MlflowError: when there is none.
    """
    try:
        return tx.registry.get_model(name)
    except NotFound as error:
        raise MlflowError(MISSING, f"Registered Model with name={name[:250]} not found") from error


def model_out(tx: Transaction, model: RegisteredModel) -> dict[str, Any]:
    """Write a registered model."""
    latest = latest_by_stage(tx, model, model.stages.stages)
    return {
        "name": model.name,
        "creation_timestamp": milliseconds(model.created_at),
        "last_updated_timestamp": milliseconds(model.updated_at),
        "description": model.description,
        "latest_versions": [version_out(version) for version in latest],
        "tags": tags_out(model.tags),
        "aliases": [
            {"alias": alias, "version": str(version)}
            for alias, version in sorted(model.aliases.items())
        ],
    }


def _answer(tx: Transaction, name: str) -> dict[str, Any]:
    return {"registered_model": model_out(tx, find_model(tx, name))}


def _create(call: Call) -> dict[str, Any]:
    name, given = call["name"], pairs("tags", call.get("tags", ()))
    if given.get(_PROMPT_TAG) == "true":
        raise not_implemented()
    try:
        registration.create_model(
            call.client,
            name,
            actor=call.actor,
            description=call.get("description", ""),
            tags=given,
            details=DETAILS,
        )
    except Conflict as error:
        raise MlflowError(
            EXISTS, f"Registered Model (name={name[:250]}) already exists."
        ) from error
    with call.client.store.transaction() as tx:
        return _answer(tx, name)


def _get(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        return _answer(tx, call["name"])


def _update(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        find_model(tx, call["name"])
        if "description" in call.fields:
            tx.registry.update_model(call["name"], description=call["description"])
        return _answer(tx, call["name"])


def _rename(call: Call) -> dict[str, Any]:
    try:
        registration.rename_model(
            call.client, call["name"], call["new_name"], actor=call.actor, details=DETAILS
        )
    except Conflict as error:
        raise MlflowError(EXISTS, str(error)) from error
    with call.client.store.transaction() as tx:
        return _answer(tx, call["new_name"])


def _delete(call: Call) -> dict[str, Any]:
    registration.delete_model(call.client, call["name"], actor=call.actor, details=DETAILS)
    return {}


def _search(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        page = tx.registry.search_models(
            filter=call.get("filter", ""),
            order_by=call.get("order_by", ()),
            max_results=call.get("max_results", 100),
            page_token=call.get("page_token"),
        )
        found: dict[str, Any] = {"registered_models": [model_out(tx, it) for it in page.models]}
    return found | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


def _latest_versions(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        model = find_model(tx, call["name"])
        stages = [model.stages.canonical(stage) for stage in call.get("stages", ())]
        found = latest_by_stage(tx, model, stages or model.stages.stages)
    return {"model_versions": [version_out(version) for version in found]}


def _set_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        find_model(tx, call["name"])
        tx.registry.set_model_tags(call["name"], {call["key"]: call.get("value", "")})
    return {}


def _delete_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        find_model(tx, call["name"])
        tx.registry.delete_model_tag(call["name"], call["key"])
    return {}


def _set_alias(call: Call) -> dict[str, Any]:
    number = version_number(call["version"])
    with call.client.store.transaction() as tx:
        find_version(tx, call["name"], number)
    registration.set_alias(
        call.client, call["name"], call["alias"], number, actor=call.actor, details=DETAILS
    )
    return {}


def _delete_alias(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        find_model(tx, call["name"])
    registration.delete_alias(
        call.client, call["name"], call["alias"], actor=call.actor, details=DETAILS
    )
    return {}


def _get_alias(call: Call) -> dict[str, Any]:
    name, alias = call["name"], call["alias"]
    with call.client.store.transaction() as tx:
        find_model(tx, name)
        try:
            latest = tx.registry.latest_version(name) if alias.lower() == "latest" else None
            found = latest or tx.registry.get_by_alias(name, alias)
        except NotFound as error:
            # 400, not 404: this is what clients of this protocol look for.
            raise invalid(f"Registered model alias {alias[:255]} not found.") from error
    return {"model_version": version_out(found)}


ROUTES = (
    post(
        "/mlflow/registered-models/create",
        _create,
        {**_NAME, "tags": tags(), "description": text()},
    ),
    get("/mlflow/registered-models/get", _get, _NAME),
    Route(
        "PATCH",
        "/mlflow/registered-models/update",
        _update,
        {**_NAME, "description": text()},
        Needs.WRITE,
    ),
    post(
        "/mlflow/registered-models/rename",
        _rename,
        {**_NAME, "new_name": text(required=True)},
        Needs.PROMOTE,
    ),
    Route("DELETE", "/mlflow/registered-models/delete", _delete, _NAME, Needs.PROMOTE),
    get(
        "/mlflow/registered-models/search",
        _search,
        {
            "filter": text(),
            "max_results": int64(),
            "order_by": text(repeated=True),
            "page_token": text(),
        },
    ),
    get("/mlflow/registered-models/get-latest-versions", _latest_versions, _LATEST),
    post("/mlflow/registered-models/get-latest-versions", _latest_versions, _LATEST, Needs.READ),
    post("/mlflow/registered-models/set-tag", _set_tag, {**_KEY, "value": text()}),
    Route("DELETE", "/mlflow/registered-models/delete-tag", _delete_tag, _KEY, Needs.WRITE),
    post(
        "/mlflow/registered-models/alias",
        _set_alias,
        {**_ALIAS, "version": text(required=True)},
        Needs.PROMOTE,
    ),
    Route("DELETE", "/mlflow/registered-models/alias", _delete_alias, _ALIAS, Needs.PROMOTE),
    get("/mlflow/registered-models/alias", _get_alias, _ALIAS),
)
