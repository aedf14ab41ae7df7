"""Logged models and registered models of an MLflow database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.lifecycle.mlflow_import.source import (
    ModelMetric,
    SourceModel,
    SourceRegisteredModel,
    SourceVersion,
    unclamped,
)
from airflow_mltrack.lifecycle.mlflow_import.sql_tables import strings

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

    from airflow_mltrack.lifecycle.mlflow_import.sql_tables import MlflowTables

Rows = Callable[["Select[Any]"], Iterator["Row[Any]"]]
DELETED_STAGE = "Deleted_Internal"
_STATUSES = {1: "PENDING", 2: "READY", 3: "FAILED"}
_MODEL_COLUMNS = (
    "model_id",
    "experiment_id",
    "name",
    "artifact_location",
    "creation_timestamp_ms",
    "status",
    "lifecycle_stage",
    "model_type",
    "source_run_id",
    "status_message",
)
_METRIC_COLUMNS = (
    "metric_name",
    "metric_value",
    "metric_step",
    "metric_timestamp_ms",
    "run_id",
    "dataset_name",
    "dataset_digest",
)
_VERSION_COLUMNS = (
    "version",
    "creation_time",
    "last_updated_time",
    "description",
    "user_id",
    "current_stage",
    "source",
    "storage_location",
    "run_id",
    "run_link",
)


def read_models(tables: MlflowTables, rows: Rows, experiment_id: int) -> Iterator[SourceModel]:
    """Go through the logged models of an experiment; none before MLflow 3."""
    if not tables.has("logged_models"):
        return
    columns = tables["logged_models"].c
    query = tables.rows("logged_models", *_MODEL_COLUMNS)
    query = query.where(columns.experiment_id == experiment_id)
    for row in list(rows(query.order_by(columns.creation_timestamp_ms, columns.model_id))):
        yield SourceModel(
            model_id=row.model_id,
            experiment_id=str(row.experiment_id),
            name=row.name,
            location=row.artifact_location or "",
            created_at=row.creation_timestamp_ms,
            status=_STATUSES.get(row.status, "PENDING"),
            is_deleted=row.lifecycle_stage == "deleted",
            model_type=row.model_type or "",
            run_id=row.source_run_id or None,
            status_message=row.status_message or "",
            params=_model_pairs(tables, rows, row.model_id, "param"),
            tags=_model_pairs(tables, rows, row.model_id, "tag"),
            metrics=list(_model_metrics(tables, rows, row.model_id)),
        )


def read_registry(tables: MlflowTables, rows: Rows) -> Iterator[SourceRegisteredModel]:
    """Go through the registered models by name; none before MLflow 1.4."""
    if not tables.has("registered_models", "model_versions"):
        return
    names = ("name", "description", "creation_time")
    query = tables.rows("registered_models", *names).order_by(tables["registered_models"].c.name)
    for row in list(rows(query)):
        found = _versions(tables, rows, row.name)
        yield SourceRegisteredModel(
            name=row.name,
            description=row.description or "",
            created_at=row.creation_time,
            tags=_named_pairs(tables, rows, "registered_model_tags", row.name),
            aliases={
                alias: int(version)
                for alias, version in _named_pairs(
                    tables, rows, "registered_model_aliases", row.name, ("alias", "version")
                ).items()
            },
            versions=[version for version in found if version.stage != DELETED_STAGE],
            last_version=max((version.version for version in found), default=0),
        )


def _versions(tables: MlflowTables, rows: Rows, name: str) -> list[SourceVersion]:
    columns = tables["model_versions"].c
    tags: dict[str, dict[str, str]] = {}
    if tables.has("model_version_tags"):
        of_name = tables["model_version_tags"].c.name == name
        query = tables.rows("model_version_tags", "version", "key", "value").where(of_name)
        for row in rows(query):
            number, key, value = strings(row)
            tags.setdefault(number, {})[key] = value
    query = tables.rows("model_versions", *_VERSION_COLUMNS).where(columns.name == name)
    return [
        SourceVersion(
            version=int(row.version),
            stage=row.current_stage or "None",
            source=row.source or "",
            created_at=row.creation_time,
            updated_at=row.last_updated_time or 0,
            user=row.user_id or "",
            description=row.description or "",
            storage=row.storage_location or "",
            run_id=row.run_id or None,
            run_link=row.run_link or "",
            tags=tags.get(str(row.version), {}),
        )
        for row in rows(query.order_by(columns.version))
    ]


def _named_pairs(
    tables: MlflowTables,
    rows: Rows,
    table: str,
    name: str,
    columns: Sequence[str] = ("key", "value"),
) -> dict[str, str]:
    if not tables.has(table):
        return {}
    query = tables.rows(table, *columns).where(tables[table].c.name == name)
    return {key: value for key, value in map(strings, rows(query))}  # noqa: C416 - rows


def _model_pairs(tables: MlflowTables, rows: Rows, model_id: str, kind: str) -> dict[str, str]:
    table = f"logged_model_{kind}s"
    if not tables.has(table):
        return {}
    query = tables.rows(table, f"{kind}_key", f"{kind}_value")
    found = rows(query.where(tables[table].c.model_id == model_id))
    return {key: value for key, value in map(strings, found)}  # noqa: C416 - rows


def _model_metrics(tables: MlflowTables, rows: Rows, model_id: str) -> Iterator[ModelMetric]:
    if not tables.has("logged_model_metrics"):
        return
    query = tables.rows("logged_model_metrics", *_METRIC_COLUMNS)
    for row in rows(query.where(tables["logged_model_metrics"].c.model_id == model_id)):
        # A NaN of a logged model is NULL: its table has no flag.
        value = float("nan") if row.metric_value is None else unclamped(row.metric_value)
        yield ModelMetric(
            row.metric_name,
            value,
            row.metric_step or 0,
            row.metric_timestamp_ms or 0,
            row.run_id,
            row.dataset_name or "",
            row.dataset_digest or "",
        )
