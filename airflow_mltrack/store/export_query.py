"""What an exported table is made of: columns of one kind each, and the query that reads them.

Points of time leave the database as whole microseconds: Python's times end in the year 9999 and are
slow to make. JSON leaves it as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Text,
    case,
    cast,
    extract,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from airflow_mltrack.entities.exports import ColumnKind, ExportScope

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select, Table

Rules = Callable[[ExportScope], Iterable[ColumnElement[bool]]]

NARROW, MIDDLE, WIDE = 5_000, 1_000, 200
"""Rows to fetch at once, by how long their texts may be."""
LAST_MILLISECOND = (2**63 - 1) // 1000
"""The last time of a metric that microseconds reach, in the year 294,247."""
_KINDS = (
    (JSON, ColumnKind.JSON),
    (Text, ColumnKind.TEXT),
    (Boolean, ColumnKind.FLAG),
    (Integer, ColumnKind.INTEGER),
    (Double, ColumnKind.NUMBER),
    (DateTime, ColumnKind.TIME),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One exported column."""

    kind: ColumnKind
    expression: ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class TableQuery:
    """One exported table and how it is read."""

    fields: Mapping[str, Field]
    source: FromClause
    order: tuple[ColumnElement[Any], ...]
    rules: Rules
    rows_at_once: int = NARROW

    def select(self, scope: ExportScope) -> Select[Any]:
        """Build the query for what a scope leaves."""
        columns = [field.expression.label(name) for name, field in self.fields.items()]
        query = select(*columns).select_from(self.source).where(*self.rules(scope))
        return query.order_by(*self.order)


def field(column: ColumnElement[Any]) -> Field:
    """Export a column as what its type is."""
    kind = next(kind for type_, kind in _KINDS if isinstance(column.type, type_))
    if kind is ColumnKind.JSON:
        return Field(kind, cast(column, Text))
    if kind is ColumnKind.TIME:
        return Field(kind, cast(extract("epoch", column) * 1_000_000, BigInteger))
    return Field(kind, column)


def milliseconds(column: ColumnElement[Any]) -> Field:
    """Export milliseconds since 1970 as a time; missing where microseconds do not reach it."""
    reached = case((column <= LAST_MILLISECOND, column * 1000))
    return Field(ColumnKind.TIME, reached)


def fields(table: Table, *names: str) -> dict[str, Field]:
    """Export columns under their own names."""
    return {name: field(table.c[name]) for name in names}


def pairs(table: Table, owned: ColumnElement[bool]) -> Field:
    """Export the keys and values that belong to a row as one JSON object."""
    found = func.jsonb_object_agg(table.c.key, table.c.value, type_=JSONB)
    query = select(func.coalesce(found, func.jsonb_build_object())).where(owned)
    return Field(ColumnKind.JSON, cast(query.scalar_subquery(), Text))
