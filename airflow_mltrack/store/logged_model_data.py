"""Params, tags and metrics of logged models. Used by :mod:`airflow_mltrack.store.models`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from airflow_mltrack.entities.models import LoggedModel, LoggedModelData, LoggedModelMetric
from airflow_mltrack.exceptions import Conflict, NotFound, shorten
from airflow_mltrack.store.key_rules import check_key, check_params, check_tags
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
    runs,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def set_tags(connection: Connection, number: int, tags: Mapping[str, str]) -> None:
    """Add or replace tags."""
    rows = _pairs(number, check_tags(tags))
    if rows:
        statement = insert(logged_model_tags)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["logged_model", "key"], set_={"value": statement.excluded.value}
            ),
            rows,
        )


def delete_tag(connection: Connection, number: int, key: str) -> bool:
    """Remove a tag; return whether it was there."""
    table = logged_model_tags
    result = connection.execute(
        delete(table).where(table.c.logged_model == number, table.c.key == key)
    )
    return result.rowcount > 0


def log_params(connection: Connection, number: int, params: Mapping[str, str]) -> None:
    """Write params once; the same value again is fine.

    :raises Conflict: when a param has another value.
    """
    checked = check_params(params)
    rows = _pairs(number, checked)
    if not rows:
        return
    connection.execute(insert(logged_model_params).on_conflict_do_nothing(), rows)
    table = logged_model_params
    query = select(table.c.key, table.c.value).where(
        table.c.logged_model == number, among(table.c.key, checked)
    )
    for key, value in connection.execute(query.order_by(table.c.key)):
        if value != checked[key]:
            raise Conflict(
                "param",
                key,
                f"it is {shorten(value)!r} and cannot become {shorten(checked[key])!r}: params of "
                "a logged model are written once.",
            )


def log_metrics(connection: Connection, metrics: Sequence[tuple[str, LoggedModelMetric]]) -> None:
    """Write metrics, each with the id of its model; a point that is known is ignored.

    :raises NotFound: when a model or a run does not exist.
    """
    if not metrics:
        return
    models = _numbers(connection, logged_models.c.model_id, {model for model, _ in metrics})
    owners = _numbers(connection, runs.c.run_id, {metric.run_id for _, metric in metrics})
    rows = []
    for model_id, metric in metrics:
        if model_id not in models:
            raise NotFound("logged model", model_id)
        if metric.run_id not in owners:
            raise NotFound("run", metric.run_id)
        rows.append(
            {
                "logged_model": models[model_id],
                "run": owners[metric.run_id],
                "key": check_key("metric key", metric.key),
                "value": metric.value,
                "step": metric.step,
                "timestamp": metric.timestamp,
                "dataset_name": metric.dataset_name,
                "dataset_digest": metric.dataset_digest,
            }
        )
    # In one order for everybody: two writers never wait for each other.
    rows.sort(key=lambda row: (row["logged_model"], row["key"], row["step"], row["timestamp"]))
    connection.execute(insert(logged_model_metrics).on_conflict_do_nothing(), rows)


def read_data(
    connection: Connection, models: Sequence[tuple[int, LoggedModel]]
) -> list[LoggedModelData]:
    """Return models with params, tags and metrics; three queries for any number of them."""
    numbers = [number for number, _ in models]
    params = _read_pairs(connection, logged_model_params, numbers)
    tags = _read_pairs(connection, logged_model_tags, numbers)
    metrics = _read_metrics(connection, numbers)
    return [
        LoggedModelData(
            model, params.get(number, {}), tags.get(number, {}), tuple(metrics.get(number, ()))
        )
        for number, model in models
    ]


def _pairs(number: int, values: Mapping[str, str]) -> list[dict[str, object]]:
    return [{"logged_model": number, "key": key, "value": value} for key, value in values.items()]


def _read_pairs(
    connection: Connection, table: Table, numbers: Iterable[int]
) -> dict[int, dict[str, str]]:
    query = (
        select(table.c.logged_model, func.jsonb_object_agg(table.c.key, table.c.value))
        .where(among(table.c.logged_model, numbers))
        .group_by(table.c.logged_model)
    )
    return {number: dict(sorted(pairs.items())) for number, pairs in connection.execute(query)}


def _read_metrics(
    connection: Connection, numbers: Iterable[int]
) -> dict[int, list[LoggedModelMetric]]:
    m = logged_model_metrics.c
    query = (
        select(logged_model_metrics, runs.c.run_id)
        .join(runs, m.run == runs.c.id)
        .where(among(m.logged_model, numbers))
        .order_by(m.logged_model, m.key, m.step, m.timestamp, m.id)
    )
    found: dict[int, list[LoggedModelMetric]] = {}
    for row in connection.execute(query):
        found.setdefault(row.logged_model, []).append(
            LoggedModelMetric(
                row.key,
                row.value,
                row.step,
                row.timestamp,
                row.run_id,
                row.dataset_name,
                row.dataset_digest,
            )
        )
    return found


def _numbers(connection: Connection, column: Any, names: Iterable[str]) -> dict[str, int]:
    query = select(column, column.table.c.id).where(among(column, sorted(names)))
    return {name: number for name, number in connection.execute(query)}  # noqa: C416 - rows
