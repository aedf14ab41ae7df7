"""Experiments and their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.web.mlflow.calls import Call, Needs, get, post
from airflow_mltrack.web.mlflow.errors import DENIED, EXISTS, MISSING, MlflowError, invalid
from airflow_mltrack.web.mlflow.fields import choice, int64, pairs, tags, text
from airflow_mltrack.web.mlflow.locations import experiment_location
from airflow_mltrack.web.mlflow.moments import milliseconds

if TYPE_CHECKING:
    from airflow_mltrack.entities.experiments import Experiment
    from airflow_mltrack.store.tracking_store import Transaction

VIEWS = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all"}
"""MLflow's names of what to look at."""
_ID = {"experiment_id": text(required=True)}
_SEARCH = {
    "max_results": int64(),
    "page_token": text(),
    "filter": text(),
    "order_by": text(repeated=True),
    "view_type": choice(list(VIEWS)),
}


def experiment_number(value: str) -> int:
    """Read an experiment's id.

    :raises MlflowError: when it is no whole number.
    """
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise invalid(
            f"Invalid value {value[:100]!r} for parameter 'experiment_id' supplied: it is a whole "
            "number."
        )
    return int(value)


def experiment_out(experiment: Experiment) -> dict[str, Any]:
    """Write an experiment."""
    return {
        "experiment_id": str(experiment.experiment_id),
        "name": experiment.name,
        "artifact_location": experiment_location(experiment.experiment_id),
        "lifecycle_stage": experiment.lifecycle.value,
        "creation_time": milliseconds(experiment.created_at),
        "last_update_time": milliseconds(experiment.updated_at),
        "tags": tags_out(experiment.tags),
    }


def tags_out(pairs_of: Any) -> list[dict[str, str]]:
    """Write tags or params."""
    return [{"key": key, "value": value} for key, value in sorted(pairs_of.items())]


def _create(call: Call) -> dict[str, Any]:
    if call.get("artifact_location"):
        raise invalid(
            "Invalid value for parameter 'artifact_location' supplied: files are kept where the "
            "mltrack connection says, with their digests. Leave it out."
        )
    try:
        with call.client.store.transaction() as tx:
            made = tx.experiments.create(call["name"], tags=pairs("tags", call.get("tags", ())))
    except Conflict as error:
        raise MlflowError(
            EXISTS, f"Experiment(name={call['name'][:200]}) already exists."
        ) from error
    return {"experiment_id": str(made.experiment_id)}


def _get(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        return {"experiment": experiment_out(tx.experiments.get(_number(call)))}


def _get_by_name(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        return {"experiment": experiment_out(tx.experiments.get_by_name(call["experiment_name"]))}


def _search(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        page = tx.experiments.search(
            filter=call.get("filter", ""),
            order_by=call.get("order_by", ()),
            max_results=call.get("max_results", 0),
            page_token=call.get("page_token"),
            view=VIEWS[call.get("view_type", "ACTIVE_ONLY")],
        )
    found: dict[str, Any] = {"experiments": [experiment_out(item) for item in page.experiments]}
    return found | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


def _delete(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        _check_lifecycle(tx.experiments.get(_number(call)), "active")
        _check_runs(call, tx)
        tx.experiments.delete(_number(call))
    return {}


def _restore(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        _check_lifecycle(tx.experiments.get(_number(call)), "deleted")
        _check_runs(call, tx)
        tx.experiments.restore(_number(call))
    return {}


def _update(call: Call) -> dict[str, Any]:
    try:
        with call.client.store.transaction() as tx:
            _check_active(tx.experiments.get(_number(call)))
            tx.experiments.rename(_number(call), call["new_name"])
    except Conflict as error:
        raise MlflowError(EXISTS, str(error)) from error
    return {}


def _set_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        _check_active(tx.experiments.get(_number(call)))
        tx.experiments.set_tags(_number(call), {call["key"]: call.get("value", "")})
    return {}


def _delete_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        tx.experiments.delete_tag(_number(call), call["key"])
    return {}


def _number(call: Call) -> int:
    return experiment_number(call["experiment_id"])


def _check_active(experiment: Experiment) -> None:
    if experiment.lifecycle.value != "active":
        raise invalid(f"Experiment {experiment.experiment_id} is deleted; restore it first.")


def _check_lifecycle(experiment: Experiment, expected: str) -> None:
    """Clients take "not there in this state" for 404."""
    if experiment.lifecycle.value != expected:
        raise MlflowError(
            MISSING, f"No {expected} experiment with id={experiment.experiment_id} exists."
        )


def _check_runs(call: Call, tx: Transaction) -> None:
    """Check that every run in an experiment may be edited: they go, and come, with it."""
    known = tx.runs.dag_ids()
    closed = known - call.reader.writable_dags(known)
    if not closed:
        return
    found = tx.search.runs(
        experiment_ids=[_number(call)],
        filter="dag_id IS NOT NULL",
        dag_ids=closed,
        view="all",
        max_results=1,
        info_only=True,
    )
    if found.runs:
        raise MlflowError(
            DENIED, f"Experiment {_number(call)} holds runs of Dags that you may not edit."
        )


ROUTES = (
    post(
        "/mlflow/experiments/create",
        _create,
        {"name": text(required=True), "artifact_location": text(), "tags": tags()},
    ),
    get("/mlflow/experiments/get", _get, _ID),
    get("/mlflow/experiments/get-by-name", _get_by_name, {"experiment_name": text(required=True)}),
    get("/mlflow/experiments/search", _search, _SEARCH),
    post("/mlflow/experiments/search", _search, _SEARCH, Needs.READ),
    post("/mlflow/experiments/delete", _delete, _ID),
    post("/mlflow/experiments/restore", _restore, _ID),
    post("/mlflow/experiments/update", _update, {**_ID, "new_name": text(required=True)}),
    post(
        "/mlflow/experiments/set-experiment-tag",
        _set_tag,
        {**_ID, "key": text(required=True), "value": text()},
    ),
    post(
        "/mlflow/experiments/delete-experiment-tag",
        _delete_tag,
        {**_ID, "key": text(required=True)},
    ),
)
