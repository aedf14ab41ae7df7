"""What logged models can be searched and ordered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Select, and_, case, func, literal_column, or_, select

from airflow_mltrack.store.record_search import RecordKind
from airflow_mltrack.store.search_filter import ENTITIES, Entity, Field, Kind, OrderTerm, Vocabulary
from airflow_mltrack.store.search_sql import Expression
from airflow_mltrack.store.tables import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
    runs,
)

MAX_RESULTS = 1_000
"""Most logged models of one page."""
Datasets = Sequence[tuple[str, str | None]]
"""Name and digest; None for any digest."""


def model_kind(datasets: Datasets, order_datasets: Mapping[int, Datasets]) -> RecordKind:
    """Return what logged models can be searched by.

    :param datasets: only metrics on these count; none means all.
    :param order_datasets: place in the order to the data sets of the metric there, instead.
    """
    m = logged_models.c
    # MLflow's word for what we call FAILED.
    status = case((m.status == "FAILED", "UPLOAD_FAILED"), else_=m.status)
    return RecordKind(
        vocabulary=Vocabulary(
            record="logged model",
            attributes={
                "name": Kind.TEXT,
                "model_id": Kind.TEXT,
                "model_type": Kind.TEXT,
                "status": Kind.TEXT,
                "source_run_id": Kind.TEXT,
                "creation_timestamp": Kind.TIME,
                "last_updated_timestamp": Kind.TIME,
            },
            aliases={
                "creation_time": "creation_timestamp",
                "last_updated_time": "last_updated_timestamp",
                "run_id": "source_run_id",
            },
            entities={name: kind for name, kind in ENTITIES.items() if kind is not Entity.DATASET},
            example="name, metrics.auc, params.depth or tags.team",
        ),
        columns={
            "name": m.name,
            "model_id": m.model_id,
            "model_type": m.model_type,
            "status": status,
            "source_run_id": func.coalesce(runs.c.run_id, ""),
            "creation_timestamp": m.created_at,
            "last_updated_timestamp": m.updated_at,
        },
        types={
            "name": str,
            "model_id": str,
            "model_type": str,
            "status": str,
            "source_run_id": str,
            "creation_timestamp": datetime,
            "last_updated_timestamp": datetime,
        },
        children={
            Entity.METRIC: partial(metric_rows, datasets=datasets),
            Entity.PARAM: partial(_pair_rows, logged_model_params),
            Entity.TAG: partial(_pair_rows, logged_model_tags),
        },
        order_rows={
            place: partial(metric_rows, datasets=on) for place, on in order_datasets.items()
        },
        last_terms=(
            OrderTerm(Field(Entity.ATTRIBUTE, "creation_timestamp"), descending=True),
            OrderTerm(Field(Entity.ATTRIBUTE, "model_id")),
        ),
    )


def metric_rows(key: str | None, datasets: Datasets = ()) -> tuple[Select[Any], Expression]:
    """Return the query for the metric of a model that counts: the latest by step and time.

    :param key: None means any metric.
    """
    metric, later = logged_model_metrics.alias("metric"), logged_model_metrics.alias("later")
    query: Select[Any] = select(literal_column("1")).select_from(metric)
    query = query.where(metric.c.logged_model == logged_models.c.id, _on(metric.c, datasets))
    if key is None:
        return query, metric.c.value
    superseded: Select[Any] = (
        select(literal_column("1"))
        .select_from(later)
        .where(
            later.c.logged_model == metric.c.logged_model,
            later.c.key == metric.c.key,
            _on(later.c, datasets),
            _rank(later.c) > _rank(metric.c),
        )
    )
    return query.where(metric.c.key == key, ~superseded.exists()), metric.c.value


def _rank(columns: Any) -> Any:
    return func.row(columns.step, columns.timestamp, columns.value, columns.id)


def _on(columns: Any, datasets: Datasets) -> Any:
    if not datasets:
        return literal_column("true")
    return or_(
        *(
            and_(
                columns.dataset_name == name,
                literal_column("true") if digest is None else columns.dataset_digest == digest,
            )
            for name, digest in datasets
        )
    )


def _pair_rows(table: Any, key: str) -> tuple[Select[Any], Expression]:
    query: Select[Any] = select(literal_column("1")).where(
        table.c.logged_model == logged_models.c.id, table.c.key == key
    )
    return query, table.c.value
