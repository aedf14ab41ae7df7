"""Data sets and models that runs read, and models that they produced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.entities.models import RunModel
from airflow_mltrack.store.run_models import INPUT, OUTPUT
from airflow_mltrack.tracking.dataset_text import CONTEXT_TAG, object_of, text_of
from airflow_mltrack.web.mlflow.calls import Needs, post
from airflow_mltrack.web.mlflow.errors import invalid
from airflow_mltrack.web.mlflow.experiments import experiment_number
from airflow_mltrack.web.mlflow.fields import KEY_VALUE, int64, message, pairs, text
from airflow_mltrack.web.mlflow.model_access import check_models

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.web.mlflow.calls import Call

_MOST_ITEMS, _MOST_EXPERIMENTS = 1_000, 20
_RUN = {"run_id": text(required=True)}
_DATASET = {
    "name": text(required=True),
    "digest": text(required=True),
    "source_type": text(),
    "source": text(),
    "schema": text(),
    "profile": text(),
}


def inputs_out(read: Iterable[RunInput], models: Iterable[RunModel]) -> dict[str, Any]:
    """Write what a run read."""
    return {
        "dataset_inputs": [_input_out(item) for item in read],
        "model_inputs": [{"model_id": model.model_id} for model in models],
    }


def outputs_out(models: Iterable[RunModel]) -> dict[str, Any]:
    """Write the models that a run produced."""
    return {"model_outputs": [{"model_id": model.model_id, "step": model.step} for model in models]}


def _input_out(item: RunInput) -> dict[str, Any]:
    record = item.dataset
    tags = dict(item.tags) | ({CONTEXT_TAG: item.context} if item.context else {})
    # What was not told is not there, rather than empty text: clients read it as JSON.
    told = {"schema": text_of(record.schema), "profile": text_of(record.profile)}
    return {
        "dataset": {
            "name": record.name,
            "digest": record.digest,
            "source_type": record.source_type,
            "source": record.source,
            **{key: value for key, value in told.items() if value},
        },
        "tags": [{"key": key, "value": value} for key, value in sorted(tags.items())],
    }


def _log_inputs(call: Call) -> dict[str, Any]:
    given = call.get("datasets", ())
    _check_number("datasets", given)
    read = [_input(number, item) for number, item in enumerate(given)]
    with call.client.store.transaction() as tx:
        run = call.active_run(tx)
        tx.inputs.log(run.attempt_id, read)
        models = _models(call, tx)
        tx.run_models.log(run.attempt_id, models, direction=INPUT)
    return {}


def _input(number: int, item: Mapping[str, Any]) -> RunInput:
    tags = pairs(f"datasets[{number}].tags", item.get("tags", ()))
    context = tags.pop(CONTEXT_TAG, "")
    record = item["dataset"]
    return RunInput(
        DatasetRecord(
            record["name"],
            record["digest"],
            source_type=record.get("source_type", ""),
            source=record.get("source", ""),
            schema=object_of(record.get("schema", "")),
            profile=object_of(record.get("profile", "")),
        ),
        context,
        tags,
    )


def _log_outputs(call: Call) -> dict[str, Any]:
    with call.client.store.transaction() as tx:
        run = call.active_run(tx)
        tx.run_models.log(run.attempt_id, _models(call, tx), direction=OUTPUT)
    return {}


def _search_datasets(call: Call) -> dict[str, Any]:
    given = call["experiment_ids"]
    if len(given) > _MOST_EXPERIMENTS:
        raise invalid(
            f"'experiment_ids' holds {len(given)} ids; at most {_MOST_EXPERIMENTS} go at once."
        )
    with call.client.store.transaction() as tx:
        found = tx.inputs.summaries(
            [experiment_number(item) for item in given],
            limit=_MOST_ITEMS,
            dag_ids=call.readable_dags(tx),
        )
    return {
        "dataset_summaries": [
            {
                "experiment_id": str(item.experiment_id),
                "name": item.name,
                "digest": item.digest,
                "context": item.context,
            }
            for item in found
        ]
    }


def _models(call: Call, tx: Transaction) -> list[RunModel]:
    given = call.get("models", ())
    _check_number("models", given)
    check_models(call, tx, [item["model_id"] for item in given])
    return [RunModel(item["model_id"], item.get("step", 0)) for item in given]


def _check_number(field: str, given: Sequence[object]) -> None:
    if len(given) > _MOST_ITEMS:
        raise invalid(f"'{field}' holds {len(given)} items; at most {_MOST_ITEMS} go at once.")


ROUTES = (
    post(
        "/mlflow/runs/log-inputs",
        _log_inputs,
        {
            **_RUN,
            "datasets": message(
                {
                    "dataset": message(_DATASET, required=True),
                    "tags": message(KEY_VALUE, repeated=True),
                },
                repeated=True,
            ),
            "models": message({"model_id": text(required=True)}, repeated=True),
        },
    ),
    post(
        "/mlflow/experiments/search-datasets",
        _search_datasets,
        {"experiment_ids": text(required=True, repeated=True)},
        Needs.READ,
    ),
    post(
        "/mlflow/runs/outputs",
        _log_outputs,
        {
            **_RUN,
            "models": message(
                {"model_id": text(required=True), "step": int64()}, required=True, repeated=True
            ),
        },
    ),
)
