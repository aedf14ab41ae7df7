"""Runs: create, read, change, delete, search; their params and tags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import Conflict, NotFound
from airflow_mltrack.store.run_models import INPUT, OUTPUT
from airflow_mltrack.web.mlflow.calls import Answer, Call, Needs, get, post
from airflow_mltrack.web.mlflow.errors import INVALID, MISSING, MlflowError, invalid
from airflow_mltrack.web.mlflow.experiments import VIEWS, experiment_number, tags_out
from airflow_mltrack.web.mlflow.fields import (
    choice,
    int64,
    number_out,
    pairs,
    tags,
    text,
)
from airflow_mltrack.web.mlflow.inputs import inputs_out, outputs_out
from airflow_mltrack.web.mlflow.locations import run_location
from airflow_mltrack.web.mlflow.moments import milliseconds, moment

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.metrics import LatestMetric
    from airflow_mltrack.entities.runs import Run, RunData
    from airflow_mltrack.store.tracking_store import Transaction

NAME_TAG, PARENT_TAG, USER_TAG = "mlflow.runName", "mlflow.parentRunId", "mlflow.user"
PARAM_LIMIT, TAG_LIMIT = 6_000, 8_000
"""Characters of values; MLflow cuts longer ones off, and so do we."""
_STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
_RUN = {"run_id": text(), "run_uuid": text()}
_MOST_EXPERIMENTS = 10_000


def info_out(run: Run) -> dict[str, Any]:
    """Write what a run is."""
    info = {
        "run_id": run.run_id,
        "run_uuid": run.run_id,
        "run_name": run.name,
        "experiment_id": str(run.experiment_id),
        "user_id": run.user,
        "status": run.status.value,
        "start_time": milliseconds(run.started_at),
        "artifact_uri": run_location(run.experiment_id, run.run_id),
        "lifecycle_stage": run.lifecycle.value,
    }
    return info if run.ended_at is None else info | {"end_time": milliseconds(run.ended_at)}


def run_tags(run: Run) -> dict[str, str]:
    """Return a run's tags with those that MLflow's clients look for."""
    own = {NAME_TAG: run.name, USER_TAG: run.user, PARENT_TAG: run.parent_run_id}
    return {key: value for key, value in own.items() if value} | dict(run.tags)


def write_runs(tx: Transaction, found: Sequence[RunData]) -> list[dict[str, Any]]:
    """Write runs with everything about them."""
    attempts = [data.attempt.attempt_id for data in found]
    latest = tx.metrics.latest_many(attempts)
    read, made = tx.inputs.list_many(attempts), tx.run_models.list(attempts, direction=OUTPUT)
    taken = tx.run_models.list(attempts, direction=INPUT)
    return [
        _written(
            data.run,
            params=data.params,
            metrics=latest.get(key, ()),
            inputs=inputs_out(read.get(key, ()), taken.get(key, ())),
            outputs=outputs_out(made.get(key, ())),
        )
        for key, data in zip(attempts, found, strict=True)
    ]


def _written(
    run: Run,
    *,
    params: Mapping[str, str],
    metrics: Iterable[LatestMetric],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "info": info_out(run),
        "data": {
            "metrics": [metric_out(metric) for metric in metrics],
            "params": tags_out(params),
            "tags": tags_out(run_tags(run)),
        },
        "inputs": inputs,
        "outputs": outputs,
    }


def metric_out(metric: LatestMetric) -> dict[str, Any]:
    """Write the value that counts of a metric."""
    return {
        "key": metric.key,
        "value": number_out(metric.value),
        "timestamp": metric.timestamp,
        "step": metric.step,
    }


def log_params(tx: Transaction, run: Run, params: Mapping[str, str]) -> None:
    """Write params; the words of a refusal are those that MLflow's users look for.

    :raises MlflowError: when a param has another value.
    """
    cut = {key: value[:PARAM_LIMIT] for key, value in params.items()}
    try:
        tx.runs.log_params(run.attempt_id, cut)
    except Conflict as error:
        raise MlflowError(
            INVALID,
            f"Changing param values is not allowed. Param with key='{error.name}' was already "
            f"logged for run ID='{run.run_id}': {error.reason}",
        ) from error


def set_tags(tx: Transaction, run: Run, given: Mapping[str, str]) -> None:
    """Write tags; the run's name follows its tag."""
    if given.get(NAME_TAG):
        tx.runs.rename(run.run_id, given[NAME_TAG])
    rest = {key: value[:TAG_LIMIT] for key, value in given.items() if key != NAME_TAG}
    tx.runs.set_tags(run.run_id, rest)


def _create(call: Call) -> dict[str, Any]:
    given = pairs("tags", call.get("tags", ()))
    name = call.get("run_name") or None
    named = given.pop(NAME_TAG, None) or None
    if name and named and name != named:
        raise invalid(
            f"Both 'run_name' argument and '{NAME_TAG}' tag are specified, but with different "
            f"values (run_name='{name[:100]}', {NAME_TAG}='{named[:100]}')."
        )
    parent = given.get(PARENT_TAG) or None
    with call.client.store.transaction() as tx:
        number = experiment_number(call.get("experiment_id", "0"))
        _check_active(tx, number)
        if parent is not None:
            parent = _parent(call, tx, parent)
        kept = {key: value[:TAG_LIMIT] for key, value in given.items()}
        run, _ = tx.runs.open(
            experiment_id=number,
            name=name or named,
            # Who is logged in, not who the client says it is: authors may not approve.
            user=call.actor,
            parent_run_id=parent,
            tags=kept,
            started_at=moment("start_time", call.get("start_time")),
            watched=False,
        )
        # Without a time, equal requests say nothing of being one.
        if call.get("start_time") is not None and call.connection:
            tx.create_requests.note_run(
                run.run_id,
                digest=call.digest,
                connection=call.connection,
                name=name or named,
                tags=kept,
            )
    # Nothing is read: all that a new run holds is its tags.
    new = _written(run, params={}, metrics=(), inputs=inputs_out((), ()), outputs=outputs_out(()))
    return {"run": new}


def _take_back(call: Call, answer: Answer) -> None:
    """Delete a run that nobody knows of: whoever asked for it has gone, and will ask again."""
    if isinstance(answer, Mapping):
        with call.client.store.transaction() as tx:
            tx.runs.delete(answer["run"]["info"]["run_id"])


def _parent(call: Call, tx: Transaction, run_id: str) -> str | None:
    """Return the parent, None for one that is not here: its tag says so, and MLflow takes it."""
    try:
        found = call.visible_run(tx, run_id).run_id
    except MlflowError:
        return None
    tx.create_requests.bring_back(found)
    return found


def _check_active(tx: Transaction, number: int) -> None:
    try:
        experiment = tx.experiments.get(number)
    except NotFound as error:
        raise MlflowError(MISSING, f"No Experiment with id={number} exists") from error
    if experiment.lifecycle is Lifecycle.DELETED:
        raise invalid(
            f"The experiment {number} must be in the 'active' state. Current state is deleted."
        )


def _get(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        run = call.visible_run(tx, call.run_id)
        [written] = write_runs(tx, tx.runs.data_many([run.run_id]))
    return {"run": written}


def _update(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        run = call.active_run(tx)
        if call.get("status"):
            ended: datetime | None = moment("end_time", call.get("end_time"))
            tx.runs.overwrite_status(run.attempt_id, RunStatus(call["status"]), ended_at=ended)
        if call.get("run_name"):
            tx.runs.rename(run.run_id, call["run_name"])
        return {"run_info": info_out(tx.runs.get(run.run_id))}


def _delete(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        tx.runs.delete(call.writable_run(tx, call.run_id).run_id)
    return {}


def _restore(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        tx.runs.restore(call.writable_run(tx, call.run_id).run_id)
    return {}


def _log_param(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        log_params(tx, call.active_run(tx), {call["key"]: call.get("value", "")})
    return {}


def _set_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        set_tags(tx, call.active_run(tx), {call["key"]: call.get("value", "")})
    return {}


def _delete_tag(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        tx.runs.delete_tag(call.active_run(tx).run_id, call["key"])
    return {}


def _search(call: Call) -> dict[str, Any]:
    wanted = call.get("experiment_ids", [])
    if len(wanted) > _MOST_EXPERIMENTS:
        raise invalid(f"'experiment_ids' holds more than {_MOST_EXPERIMENTS} values.")
    with call.client.store.transaction() as tx:
        page = tx.search.runs(
            experiment_ids=[experiment_number(item) for item in wanted],
            filter=call.get("filter", ""),
            order_by=call.get("order_by", ()),
            max_results=call.get("max_results", 1_000),
            page_token=call.get("page_token"),
            view=VIEWS[call.get("run_view_type", "ACTIVE_ONLY")],
            dag_ids=call.readable_dags(tx),
        )
        found: dict[str, Any] = {"runs": write_runs(tx, page.runs)}
    return found | ({"next_page_token": page.next_page_token} if page.next_page_token else {})


def _log_model(call: Call) -> dict[str, Any]:
    """Note a model in the run's tag, as clients of MLflow 1 and 2 ask for."""
    try:
        described = json.loads(call["model_json"])
    except ValueError as error:
        raise invalid(f"Malformed model info. Model is not JSON: {error}") from error
    needed = ("artifact_path", "flavors", "utc_time_created", "run_id")
    missing = [key for key in needed if key not in described] if isinstance(described, dict) else []
    if not isinstance(described, dict) or missing:
        raise invalid(f"Model json is missing mandatory fields: {', '.join(missing) or 'all'}")
    tag = "mlflow.log-model.history"
    with call.client.store.transaction() as tx:
        run = call.active_run(tx)
        known = json.loads(run.tags.get(tag, "[]"))
        if described not in known:
            tx.runs.set_tags(run.run_id, {tag: json.dumps([*known, described])[:TAG_LIMIT]})
    return {}


_KEY_VALUE = {**_RUN, "key": text(required=True), "value": text()}
ROUTES = (
    post(
        "/mlflow/runs/create",
        _create,
        {
            "experiment_id": text(),
            "user_id": text(),
            "run_name": text(),
            "start_time": int64(),
            "tags": tags(),
        },
        undo=_take_back,
    ),
    get("/mlflow/runs/get", _get, _RUN),
    post(
        "/mlflow/runs/update",
        _update,
        {**_RUN, "status": choice(_STATUSES), "end_time": int64(), "run_name": text()},
    ),
    post("/mlflow/runs/delete", _delete, _RUN),
    post("/mlflow/runs/restore", _restore, _RUN),
    post("/mlflow/runs/log-parameter", _log_param, _KEY_VALUE),
    post("/mlflow/runs/set-tag", _set_tag, _KEY_VALUE),
    post("/mlflow/runs/delete-tag", _delete_tag, {**_RUN, "key": text(required=True)}),
    post("/mlflow/runs/log-model", _log_model, {**_RUN, "model_json": text(required=True)}),
    post(
        "/mlflow/runs/search",
        _search,
        {
            "experiment_ids": text(repeated=True),
            "filter": text(),
            "run_view_type": choice(list(VIEWS)),
            "max_results": int64(),
            "order_by": text(repeated=True),
            "page_token": text(),
        },
        Needs.READ,
    ),
)
