"""Logged models: the packages that runs produce."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.store.models import check_model_name
from airflow_mltrack.store.run_opening import readable_name
from airflow_mltrack.tracking.model_logging import complete_model
from airflow_mltrack.web.mlflow.calls import Answer, Call, Needs, Route, get, post
from airflow_mltrack.web.mlflow.errors import invalid
from airflow_mltrack.web.mlflow.experiments import experiment_number, tags_out
from airflow_mltrack.web.mlflow.fields import (
    choice,
    flag,
    int64,
    message,
    number_out,
    pairs,
    tags,
    text,
)
from airflow_mltrack.web.mlflow.locations import model_location
from airflow_mltrack.web.mlflow.model_access import check_models
from airflow_mltrack.web.mlflow.moments import milliseconds

if TYPE_CHECKING:
    from airflow_mltrack.entities.models import LoggedModelData, LoggedModelMetric
    from airflow_mltrack.store.tracking_store import Transaction

_OUT = {
    LoggedModelStatus.PENDING: "LOGGED_MODEL_PENDING",
    LoggedModelStatus.READY: "LOGGED_MODEL_READY",
    LoggedModelStatus.FAILED: "LOGGED_MODEL_UPLOAD_FAILED",
}
_IN = {out: status for status, out in _OUT.items()}
_ID = {"model_id": text(required=True)}
_ORDER_FIELD = re.compile(r"[\w.]+")


def write_models(tx: Transaction, found: list[LoggedModelData]) -> list[dict[str, Any]]:
    """Write logged models with everything about them."""
    return [{"info": _info(tx, data), "data": _data(data)} for data in found]


def _info(tx: Transaction, data: LoggedModelData) -> dict[str, Any]:
    model = data.model
    info: dict[str, Any] = {
        "model_id": model.model_id,
        "experiment_id": str(model.experiment_id),
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created_at),
        "last_updated_timestamp_ms": milliseconds(model.updated_at),
        "artifact_uri": model_location(model.experiment_id, model.model_id),
        "status": _OUT[model.status],
        "model_type": model.model_type,
        "status_message": model.status_message,
        "tags": tags_out(data.tags),
        "registrations": [
            {"name": version.name, "version": str(version.version)}
            for version in tx.registry.versions_of(model_id=model.model_id)
        ],
    }
    return info | ({"source_run_id": model.run_id} if model.run_id else {})


def _data(data: LoggedModelData) -> dict[str, Any]:
    return {
        "params": tags_out(data.params),
        "metrics": [_metric(data.model.model_id, metric) for metric in data.metrics],
    }


def _metric(model_id: str, metric: LoggedModelMetric) -> dict[str, Any]:
    found = {
        "key": metric.key,
        "value": number_out(metric.value),
        "timestamp": metric.timestamp,
        "step": metric.step,
        "model_id": model_id,
        "run_id": metric.run_id,
    }
    if not metric.dataset_name:
        return found
    return found | {"dataset_name": metric.dataset_name, "dataset_digest": metric.dataset_digest}


def visible_model(
    call: Call, tx: Transaction, *, write: bool = False, allow_deleted: bool = False
) -> LoggedModelData:
    """Return the logged model that a request names.

    :raises MlflowError: when there is none that the caller may see, or write.
    """
    model_id = call["model_id"]
    check_models(call, tx, [model_id], write=write, allow_deleted=allow_deleted)
    return tx.models.data([model_id])[0]


def _answer(tx: Transaction, model_id: str) -> dict[str, Any]:
    return {"model": write_models(tx, tx.models.data([model_id]))[0]}


def _create(call: Call) -> dict[str, Any]:
    run_id = call.get("source_run_id") or None
    with call.client.store.transaction() as tx:
        attempt = None
        if run_id is not None:
            attempt = call.writable_run(tx, run_id).attempt_id
        name = call.get("name") or None
        if name is not None:
            check_model_name(name)
        made = tx.models.create(
            experiment_id=experiment_number(call["experiment_id"]),
            name=name or readable_name(run_id or "model"),
            run_id=run_id,
            attempt_id=attempt,
            model_type=call.get("model_type", ""),
        )
        params, given = pairs("params", call.get("params", ())), pairs("tags", call.get("tags", ()))
        tx.models.log_params(made.model_id, params)
        tx.models.set_tags(made.model_id, given)
        # Only models of runs: others may well be announced twice.
        if run_id is not None and name is not None and call.connection:
            tx.create_requests.note_model(
                made.model_id,
                digest=call.digest,
                connection=call.connection,
                params=params,
                tags=given,
            )
        return _answer(tx, made.model_id)


def _take_back(call: Call, answer: Answer) -> None:
    """Delete a model that nobody knows of: whoever asked for it has gone, and will ask again."""
    if isinstance(answer, Mapping):
        with call.client.store.transaction() as tx:
            tx.models.delete(answer["model"]["info"]["model_id"])


def _get(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        data = visible_model(call, tx, allow_deleted=call.get("allow_deleted", False))
        return {"model": write_models(tx, [data])[0]}


def _finalize(call: Call) -> dict[str, Any]:
    """Close a model: from READY on its files never change, and their digest is on record."""
    with call.client.store.transaction() as tx:
        model = visible_model(call, tx, write=True).model
    wanted = _IN[call["status"]]
    try:
        if wanted is LoggedModelStatus.READY:
            complete_model(call.client, model.model_id)
        elif wanted is LoggedModelStatus.FAILED:
            with call.client.store.transaction() as tx:
                tx.models.fail(model.model_id, "the client said so")
        elif model.status is not LoggedModelStatus.PENDING:
            raise invalid(f"Model {model.model_id} is {model.status.value}, which is final.")
    except Conflict as error:
        raise invalid(str(error)) from error
    with call.client.store.transaction() as tx:
        return _answer(tx, model.model_id)


def _delete(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        data = visible_model(call, tx, write=True, allow_deleted=True)
        tx.models.delete(data.model.model_id)
    return {}


def _search(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        page = tx.models.search(
            experiment_ids=[experiment_number(item) for item in call["experiment_ids"]],
            filter=call.get("filter", ""),
            order_by=[_order(item) for item in call.get("order_by", ())],
            max_results=call.get("max_results", 50),
            page_token=call.get("page_token"),
            datasets=[_dataset(item) for item in call.get("datasets", ())],
            order_datasets={
                place: [_dataset(item)]
                for place, item in enumerate(call.get("order_by", ()))
                if item.get("dataset_name") or item.get("dataset_digest")
            },
            dag_ids=call.readable_dags(tx),
        )
        found: dict[str, Any] = {"models": write_models(tx, list(page.models))}
    return found | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


def _order(item: dict[str, Any]) -> str:
    name = item["field_name"]
    kind, dot, key = name.partition(".")
    quoted = f"{kind}.`{key}`" if dot and not _ORDER_FIELD.fullmatch(name) else name
    return f"{quoted} {'ASC' if item.get('ascending', True) else 'DESC'}"


def _dataset(item: Mapping[str, Any]) -> tuple[str, str | None]:
    if not item.get("dataset_name"):
        raise invalid("A 'dataset_digest' goes with its 'dataset_name'.")
    return item["dataset_name"], item.get("dataset_digest") or None


def _set_tags(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        model = visible_model(call, tx, write=True).model
        tx.models.set_tags(model.model_id, pairs("tags", call.get("tags", ())))
        return _answer(tx, model.model_id)


def _delete_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        model = visible_model(call, tx, write=True).model
        tx.models.delete_tag(model.model_id, call["tag_key"])
    return {}


def _log_params(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        model = visible_model(call, tx, write=True).model
        tx.models.log_params(model.model_id, pairs("params", call.get("params", ())))
    return {}


ROUTES = (
    post(
        "/mlflow/logged-models",
        _create,
        {
            "experiment_id": text(required=True),
            "name": text(),
            "model_type": text(),
            "source_run_id": text(),
            "params": tags(),
            "tags": tags(),
        },
        undo=_take_back,
    ),
    post(
        "/mlflow/logged-models/search",
        _search,
        {
            "experiment_ids": text(required=True, repeated=True),
            "filter": text(),
            "datasets": message(
                {"dataset_name": text(required=True), "dataset_digest": text()}, repeated=True
            ),
            "max_results": int64(),
            "order_by": message(
                {
                    "field_name": text(required=True),
                    "ascending": flag(),
                    "dataset_name": text(),
                    "dataset_digest": text(),
                },
                repeated=True,
            ),
            "page_token": text(),
        },
        Needs.READ,
    ),
    get("/mlflow/logged-models/{model_id}", _get, {**_ID, "allow_deleted": flag()}),
    Route(
        "PATCH",
        "/mlflow/logged-models/{model_id}",
        _finalize,
        {**_ID, "status": choice(list(_IN), required=True)},
        Needs.WRITE,
    ),
    Route("DELETE", "/mlflow/logged-models/{model_id}", _delete, _ID, Needs.WRITE),
    Route(
        "PATCH",
        "/mlflow/logged-models/{model_id}/tags",
        _set_tags,
        {**_ID, "tags": tags()},
        Needs.WRITE,
    ),
    Route(
        "DELETE",
        "/mlflow/logged-models/{model_id}/tags/{tag_key}",
        _delete_tag,
        {**_ID, "tag_key": text(required=True)},
        Needs.WRITE,
    ),
    post("/mlflow/logged-models/{model_id}/params", _log_params, {**_ID, "params": tags()}),
)
