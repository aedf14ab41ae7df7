"""Versions of registered models: create, read, change, move between stages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.lifecycle import registration, version_tags
from airflow_mltrack.lifecycle.model_sources import resolve_source
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.transition_facts import transition_facts
from airflow_mltrack.web.announcing import announce_safely
from airflow_mltrack.web.mlflow.calls import DETAILS, Call, Needs, Route, get, post
from airflow_mltrack.web.mlflow.errors import MISSING, MlflowError, invalid
from airflow_mltrack.web.mlflow.experiments import tags_out
from airflow_mltrack.web.mlflow.fields import flag, int64, pairs, tags, text
from airflow_mltrack.web.mlflow.locations import model_location
from airflow_mltrack.web.mlflow.moments import milliseconds

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.store.tracking_store import Transaction

REASON_TAG = "mltrack.reason"
"""Tag of a version in which a client says why it is moved: the protocol has no field for it."""
_NAME = {"name": text(required=True)}
_VERSION = {**_NAME, "version": text(required=True)}
_MOST_RESULTS = 10_000
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_HIGHEST = 2**31 - 1
"""The greatest number that the database has room for."""


def version_number(value: str) -> int:
    """Read a version's number, which there need not be.

    :raises MlflowError: when it is none.
    """
    if not _INTEGER.fullmatch(value):
        raise invalid(f"Parameter 'version' must be an integer, got '{value[:100]}'.")
    return int(value)


def find_version(tx: Transaction, name: str, number: int) -> ModelVersion:
    """Return a version.

    :raises MlflowError: when there is none.
    """
    missing = MlflowError(MISSING, f"Model Version (name={name[:250]}, version={number}) not found")
    if not 0 < number <= _HIGHEST:
        raise missing
    try:
        return tx.registry.get_version(name, number)
    except NotFound as error:
        raise missing from error


def version_out(version: ModelVersion) -> dict[str, Any]:
    """Write a version."""
    found = {
        "name": version.name,
        "version": str(version.version),
        "creation_timestamp": milliseconds(version.created_at),
        "last_updated_timestamp": milliseconds(version.updated_at),
        "user_id": version.user,
        "current_stage": version.stage,
        "description": version.description,
        "source": version.source,
        "run_id": version.run_id or "",
        "run_link": version.run_link,
        "status": version.status,
        "tags": tags_out(version.tags),
        "aliases": list(version.aliases),
    }
    return found | ({"model_id": version.model_id} if version.model_id else {})


def latest_by_stage(
    tx: Transaction, model: RegisteredModel, stages: Sequence[str]
) -> list[ModelVersion]:
    """Return the highest version in each of some stages, each stage once."""
    found: dict[str, ModelVersion] = {}
    for version in tx.registry.list_versions(model.name):  # the highest number comes first
        found.setdefault(version.stage, version)
    return [found[stage] for stage in dict.fromkeys(stages) if stage in found]


def _named(call: Call, tx: Transaction) -> ModelVersion:
    return find_version(tx, call["name"], version_number(call["version"]))


def _answer(call: Call, tx: Transaction) -> dict[str, Any]:
    return {"model_version": version_out(_named(call, tx))}


def _create(call: Call) -> dict[str, Any]:
    run_id, model_id = call.get("run_id") or None, call.get("model_id") or None
    with call.client.store.transaction() as tx:
        try:
            tx.registry.get_model(call["name"])
        except NotFound as error:
            raise MlflowError(
                MISSING, f"Registered Model with name={call['name'][:250]} not found"
            ) from error
        if run_id is not None:
            call.visible_run(tx, run_id)
    try:
        package = resolve_source(
            call.client,
            call["source"],
            run_id=run_id,
            model_id=model_id,
            may_see=call.may_see,
        )
    except (Conflict, InvalidInput) as error:
        raise invalid(f"Invalid model version source: {error}") from error
    with call.client.store.transaction() as tx:
        version = registration.add_version(
            tx,
            call["name"],
            package,
            actor=call.actor,
            run_id=run_id,
            run_link=call.get("run_link", ""),
            description=call.get("description", ""),
            tags=pairs("tags", call.get("tags", ())),
            details=DETAILS,
        )
        return {"model_version": version_out(version)}


def _get(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        return _answer(call, tx)


def _update(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        version = _named(call, tx)
        if "description" in call.fields:
            tx.registry.update_version(
                version.name, version.version, description=call["description"]
            )
        return _answer(call, tx)


def _transition(call: Call) -> dict[str, Any]:
    """Move a version: the model's rules decide, as through every other door."""
    with call.client.store.transaction() as tx:
        version = _named(call, tx)
    done = promote(
        call.client,
        version.name,
        version.version,
        call["stage"],
        actor=call.actor,
        reason=version.tags.get(REASON_TAG, ""),
        archive_others=call.get("archive_existing_versions", False),
        details=DETAILS,
    )
    if done.changed:
        facts = transition_facts(done, call.actor)
        announce_safely(call.announce, call.reader, done.version, facts)
    return {"model_version": version_out(done.version)}


def _delete(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        version = _named(call, tx)
    registration.delete_version(
        call.client, version.name, version.version, actor=call.actor, details=DETAILS
    )
    return {}


def _search(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        page = tx.registry.search_versions(
            filter=call.get("filter", ""),
            order_by=call.get("order_by", ()),
            max_results=call.get("max_results", _MOST_RESULTS),
            page_token=call.get("page_token"),
        )
    found: dict[str, Any] = {"model_versions": [version_out(item) for item in page.versions]}
    return found | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


def _download_uri(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        version = _named(call, tx)
        if version.model_id is None:
            return {"artifact_uri": version.source}
        model = tx.models.get(version.model_id)
    return {"artifact_uri": model_location(model.experiment_id, model.model_id)}


def _set_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        version = _named(call, tx)
    version_tags.set_version_tags(
        call.client,
        version.name,
        version.version,
        {call["key"]: call.get("value", "")},
        actor=call.actor,
        details=DETAILS,
    )
    return {}


def _delete_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        version = _named(call, tx)
    version_tags.delete_version_tag(
        call.client,
        version.name,
        version.version,
        call["key"],
        actor=call.actor,
        details=DETAILS,
    )
    return {}


ROUTES = (
    post(
        "/mlflow/model-versions/create",
        _create,
        {
            **_NAME,
            "source": text(required=True),
            "run_id": text(),
            "tags": tags(),
            "run_link": text(),
            "description": text(),
            "model_id": text(),
        },
    ),
    get("/mlflow/model-versions/get", _get, _VERSION),
    Route(
        "PATCH",
        "/mlflow/model-versions/update",
        _update,
        {**_VERSION, "description": text()},
        Needs.WRITE,
    ),
    post(
        "/mlflow/model-versions/transition-stage",
        _transition,
        {**_VERSION, "stage": text(required=True), "archive_existing_versions": flag()},
        Needs.PROMOTE,
    ),
    Route("DELETE", "/mlflow/model-versions/delete", _delete, _VERSION, Needs.PROMOTE),
    get(
        "/mlflow/model-versions/search",
        _search,
        {
            "filter": text(),
            "max_results": int64(),
            "order_by": text(repeated=True),
            "page_token": text(),
        },
    ),
    get("/mlflow/model-versions/get-download-uri", _download_uri, _VERSION),
    post(
        "/mlflow/model-versions/set-tag",
        _set_tag,
        {**_VERSION, "key": text(required=True), "value": text()},
    ),
    Route(
        "DELETE",
        "/mlflow/model-versions/delete-tag",
        _delete_tag,
        {**_VERSION, "key": text(required=True)},
        Needs.WRITE,
    ),
)
