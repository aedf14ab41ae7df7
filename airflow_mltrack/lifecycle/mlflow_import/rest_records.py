"""Records in the form that MLflow's protocol gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_mltrack.lifecycle.mlflow_import.source import (
    RUN_NAME,
    USER,
    ModelLink,
    ModelMetric,
    SourceExperiment,
    SourceInput,
    SourceModel,
    SourcePoint,
    SourceRegisteredModel,
    SourceRun,
    SourceVersion,
    unclamped,
)

Given = Mapping[str, Any]
_STATUSES = {
    "LOGGED_MODEL_READY": "READY",
    "LOGGED_MODEL_UPLOAD_FAILED": "FAILED",
}


def read_experiment(given: Given) -> SourceExperiment:
    """Read an experiment."""
    return SourceExperiment(
        experiment_id=str(given["experiment_id"]),
        name=given["name"],
        created_at=_number(given.get("creation_time")),
        is_deleted=given.get("lifecycle_stage") == "deleted",
        tags=_pairs(given.get("tags", ())),
    )


def read_run(given: Given) -> SourceRun:
    """Read a run with what came along."""
    info, data = given["info"], given.get("data", {})
    tags = _pairs(data.get("tags", ()))
    read, made = given.get("inputs", {}), given.get("outputs", {})
    return SourceRun(
        run_id=info.get("run_id") or info["run_uuid"],
        experiment_id=str(info["experiment_id"]),
        name=tags.get(RUN_NAME) or info.get("run_name", ""),
        user=info.get("user_id") or tags.get(USER, ""),
        status=info.get("status", "RUNNING"),
        started_at=_number(info.get("start_time")),
        ended_at=_number(info.get("end_time")) or None,
        is_deleted=info.get("lifecycle_stage") == "deleted",
        location=info.get("artifact_uri", ""),
        params=_pairs(data.get("params", ())),
        tags=tags,
        metrics={
            item["key"]: (str(item.get("value")), item.get("step"), item.get("timestamp"))
            for item in data.get("metrics", ())
        },
        inputs=[_input(item) for item in read.get("dataset_inputs", ())],
        models=[
            *[ModelLink(item["model_id"], "input") for item in read.get("model_inputs", ())],
            *[
                ModelLink(item["model_id"], "output", int(item.get("step") or 0))
                for item in made.get("model_outputs", ())
            ],
        ],
    )


def read_point(given: Given) -> SourcePoint:
    """Read a point of a metric."""
    return SourcePoint(
        given["key"],
        _value(given),
        int(given.get("step") or 0),
        int(given.get("timestamp") or 0),
    )


def read_model(given: Given) -> SourceModel:
    """Read a logged model."""
    info, data = given["info"], given.get("data", {})
    return SourceModel(
        model_id=info["model_id"],
        experiment_id=str(info["experiment_id"]),
        name=info.get("name", ""),
        location=info.get("artifact_uri", ""),
        created_at=_number(info.get("creation_timestamp_ms")),
        status=_STATUSES.get(str(info.get("status")), "PENDING"),
        model_type=info.get("model_type", ""),
        run_id=info.get("source_run_id") or None,
        status_message=info.get("status_message", ""),
        params=_pairs(data.get("params", ())),
        tags=_pairs(info.get("tags", ())),
        metrics=[
            ModelMetric(
                item["key"],
                _value(item),
                int(item.get("step") or 0),
                int(item.get("timestamp") or 0),
                item.get("run_id", ""),
                item.get("dataset_name", ""),
                item.get("dataset_digest", ""),
            )
            for item in data.get("metrics", ())
        ],
    )


def read_registered_model(given: Given, versions: Sequence[SourceVersion]) -> SourceRegisteredModel:
    """Read a registered model."""
    return SourceRegisteredModel(
        name=given["name"],
        description=given.get("description", ""),
        created_at=_number(given.get("creation_timestamp")),
        tags=_pairs(given.get("tags", ())),
        aliases={item["alias"]: int(item["version"]) for item in given.get("aliases", ())},
        versions=versions,
        last_version=max((version.version for version in versions), default=0),
    )


def read_version(given: Given) -> SourceVersion:
    """Read a version of a registered model."""
    model_id = given.get("model_id", "")
    return SourceVersion(
        version=int(given["version"]),
        stage=given.get("current_stage") or "None",
        source=f"models:/{model_id}" if model_id else given.get("source", ""),
        created_at=_number(given.get("creation_timestamp")),
        updated_at=_number(given.get("last_updated_timestamp")) or 0,
        user=given.get("user_id", ""),
        description=given.get("description", ""),
        run_id=given.get("run_id") or None,
        run_link=given.get("run_link", ""),
        tags=_pairs(given.get("tags", ())),
    )


def _input(given: Given) -> SourceInput:
    record = given["dataset"]
    return SourceInput(
        record["name"],
        record["digest"],
        record.get("source_type", ""),
        record.get("source", ""),
        record.get("schema", ""),
        record.get("profile", ""),
        _pairs(given.get("tags", ())),
    )


def _pairs(given: Iterable[Given]) -> dict[str, str]:
    return {item["key"]: item.get("value", "") for item in given}


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))


def _value(given: Given) -> float:
    """Read a number: NaN and the infinities come as text."""
    return unclamped(float(given.get("value", 0.0)))
