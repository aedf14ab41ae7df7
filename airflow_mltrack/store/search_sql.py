"""A filter's tree as SQL. Every value is a bound parameter.

Comparisons give true or false, never NULL, so that NOT means what it says: what has no such key
fails every comparison. NaN, which Postgres takes for the highest number, satisfies only ``!=``.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias, cast

from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Numeric,
    Select,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.sql import operators as op

from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.search_filter import And, Comparison, Entity, Field, Kind, Node, Not, Or
from airflow_mltrack.store.table_columns import INDEXED_TEXT
from airflow_mltrack.store.tables import (
    datasets,
    inputs,
    latest_metrics,
    params,
    run_tags,
    runs,
)

Expression: TypeAlias = ColumnElement[Any]
Condition: TypeAlias = ColumnElement[bool]

NAN = literal_column("'NaN'::double precision", Double)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_MS = -62_135_596_800_000  # year 1
_LAST_MS = 253_402_300_799_000  # year 9999
# No more digits in the exponent, or the cast could fail.
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_ORDERING = {"<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge, "=": op.eq, "!=": op.ne}
_NULLABLE = ("end_time", "duration", "dag_id", "dag_run_id", "task_id")


def condition(node: Node, run: FromClause, *, probing: bool = False) -> Condition:
    """Return the condition under which a row of ``run`` (shaped as table ``runs``) matches.

    :param probing: look up every comparison for one run after the other, whatever the planner
        thinks of it; right when few runs will be looked at.
    """
    if isinstance(node, And):
        return and_(true(), *(condition(part, run, probing=probing) for part in node.parts))
    if isinstance(node, Or):
        return or_(false(), *(condition(part, run, probing=probing) for part in node.parts))
    if isinstance(node, Not):
        return not_(condition(node.part, run, probing=probing))
    if node.field.entity is Entity.ATTRIBUTE:
        return _attribute_condition(node, run)
    query, value = _rows(node.field, run, probing=probing)
    if node.operator not in ("IS NULL", "IS NOT NULL"):
        query = query.where(compared(node, value))
    found = query.exists()
    return not_(found) if node.operator == "IS NULL" else found


def metric_condition(operator: str, value: Expression, number: float) -> Condition:
    """Compare a metric's value with a number."""
    matches = cast("Condition", _ORDERING[operator](value, _double(number)))
    return and_(matches, value < NAN) if operator in (">", ">=") else matches


def attribute(key: str, run: FromClause) -> Expression:
    """Return the expression of an attribute; NULL where a run has none."""
    if key == "parent_run_id":
        parent = runs.alias()
        return select(parent.c.run_id).where(parent.c.id == run.c.parent_id).scalar_subquery()
    if key == "duration":
        return func.extract("epoch", run.c.ended_at - run.c.started_at) * 1000
    columns = {
        "run_name": "name",
        "user_id": "user",
        "artifact_uri": "artifact_root",
        "start_time": "started_at",
        "end_time": "ended_at",
        "attempt": "attempt_number",
    }
    return run.c[columns.get(key, key)]


def is_nullable(key: str) -> bool:
    """Whether a run may lack the attribute."""
    return key in _NULLABLE or key == "parent_run_id"


def _rows(field: Field, run: FromClause, *, probing: bool) -> tuple[Select[Any], Expression]:
    """Return the query for a run's rows of a field, and the column that holds its value."""
    one: Select[Any] = select(literal_column("1"))
    # A subquery with OFFSET is not turned into a join.
    one = one.offset(literal_column("0")) if probing else one
    if field.entity is Entity.DATASET:
        used = one.join_from(inputs, datasets).where(inputs.c.attempt == run.c.attempt_id)
        return used, inputs.c.context if field.key == "context" else datasets.c[field.key]
    table = {Entity.METRIC: latest_metrics, Entity.PARAM: params, Entity.TAG: run_tags}[
        field.entity
    ]
    row = table.alias()
    query = one.where(row.c.run == run.c.id, row.c.key == field.key)
    if field.entity is not Entity.TAG:
        query = query.where(row.c.current)
    if not probing:
        # The experiment lets the planner begin with a rare value of a param.
        query = query.where(row.c.experiment_id == run.c.experiment_id)
    return query, row.c.value


def compared(node: Comparison, value: Expression) -> Condition:
    """Compare the value of a metric, param, tag or data set as a filter says."""
    if node.field.entity is Entity.METRIC:
        return metric_condition(node.operator, value, cast("float", node.value))
    if isinstance(node.value, float):
        return _as_number(node.operator, value, node.value)
    is_indexed = node.field.entity in (Entity.PARAM, Entity.TAG)
    return _text_condition(node.operator, value, node.value, is_indexed=is_indexed)


def _attribute_condition(node: Comparison, run: FromClause) -> Condition:
    key = node.field.key
    if node.operator in ("IS NULL", "IS NOT NULL"):
        missing = attribute(key, run).is_(None) if is_nullable(key) else false()
        return missing if node.operator == "IS NULL" else not_(missing)
    if key == "parent_run_id":
        parent = runs.alias()
        matches = _text_condition(node.operator, parent.c.run_id, node.value)
        return exists().where(parent.c.id == run.c.parent_id, matches)
    column = attribute(key, run)
    matches = attribute_compared(node, column, node.field.kind)
    return and_(matches, column.is_not(None)) if is_nullable(key) else matches


def attribute_compared(node: Comparison, column: Expression, kind: Kind) -> Condition:
    """Compare an attribute as a filter says.

    :param kind: what its values are.
    """
    if kind is Kind.TIME:
        return _time_condition(node.operator, column, cast("float | datetime", node.value))
    if kind is Kind.NUMBER:
        number = _double(cast("float", node.value))
        return cast("Condition", _ORDERING[node.operator](column, number))
    return _text_condition(node.operator, column, node.value)


def _text_condition(
    operator: str, column: Expression, value: object, *, is_indexed: bool = False
) -> Condition:
    negated = operator.startswith("NOT ") or operator == "!="
    positive = operator.removeprefix("NOT ")
    if positive == "IN":
        found: Condition = among(column, cast("tuple[str, ...]", value))
    elif positive in ("LIKE", "ILIKE"):
        pattern = cast("str", value)
        # No escape character: a pattern that ends in one would be an error.
        like = column.like if positive == "LIKE" else column.ilike
        found = like(pattern, escape="")
    elif is_indexed and not negated:
        found = _indexed_equal(column, cast("str", value))
    else:
        found = column == cast("str", value)
    return not_(found) if negated else found


def _indexed_equal(column: Expression, value: str) -> Condition:
    beginning = func.left(column, literal_column(str(INDEXED_TEXT))) == value[:INDEXED_TEXT]
    return beginning if len(value) < INDEXED_TEXT else and_(beginning, column == value)


def _as_number(operator: str, column: Expression, number: float) -> Condition:
    """Compare text with a number; text that is no number satisfies only ``!=``."""
    is_number = column.regexp_match(_NUMBER)
    as_number = case((is_number, sql_cast(column, Numeric)))
    exact = sql_cast(bindparam(None, Decimal(repr(number)), type_=Numeric), Numeric)
    if operator == "!=":
        return as_number.is_distinct_from(exact)
    matches = cast("Condition", _ORDERING[operator](as_number, exact))
    return func.coalesce(matches, false())


def _time_condition(operator: str, column: Expression, moment: float | datetime) -> Condition:
    """Compare a time; a number is compared with the time's whole milliseconds."""
    if isinstance(moment, datetime):
        return _ORDERING[operator](column, moment)
    after = _at(math.floor(moment) + 1 if math.isfinite(moment) else moment)
    since = _at(math.ceil(moment) if math.isfinite(moment) else moment)
    if operator in (">", "<="):
        return column >= after if operator == ">" else column < after
    if operator in (">=", "<"):
        return column >= since if operator == ">=" else column < since
    # Between two milliseconds ``since`` and ``after`` are the same, and nothing is equal.
    within = and_(column >= since, column < after)
    return within if operator == "=" else not_(within)


def _at(milliseconds: float) -> datetime:
    return _EPOCH + int(min(max(milliseconds, _FIRST_MS), _LAST_MS)) * _MILLISECOND


def _double(number: float) -> Expression:
    return type_coerce(number, Double)
