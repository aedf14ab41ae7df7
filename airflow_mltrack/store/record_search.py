"""Search of experiments, registered models, model versions and logged models.

One grammar with run search (:mod:`airflow_mltrack.store.search_filter`); what each kind of record
has to offer stands in a :class:`RecordKind`. Pages continue after the last record, without OFFSET.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Double,
    Row,
    Select,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    or_,
    true,
    type_coerce,
)

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.search_filter import (
    And,
    Comparison,
    Entity,
    Field,
    Node,
    Not,
    Or,
    OrderTerm,
    Vocabulary,
    parse,
    parse_order,
)
from airflow_mltrack.store.search_order import SortKey, beyond, bytewise, direction
from airflow_mltrack.store.search_page import (
    Position,
    fingerprint,
    read_page_token,
    write_page_token,
)
from airflow_mltrack.store.search_sql import (
    NAN,
    Condition,
    Expression,
    attribute_compared,
    compared,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Children = Callable[[str], tuple[Select[Any], Expression]]
"""From a key to the query for a record's rows of it, and the column that holds their value."""


@dataclass(frozen=True, slots=True)
class RecordKind:
    """What a kind of record can be searched and ordered by."""

    vocabulary: Vocabulary
    columns: Mapping[str, Expression]
    """Attribute to its expression; never NULL."""
    types: Mapping[str, type]
    """Attribute to the Python type of its values."""
    children: Mapping[Entity, Children] = field(default_factory=dict)
    """For tags, params and metrics."""
    last_terms: tuple[OrderTerm, ...] = ()
    """What decides between equals; the last one is unique."""
    default_order: tuple[OrderTerm, ...] = ()
    """When no order is asked for."""
    order_rows: Mapping[int, Children] = field(default_factory=dict)
    """Place in ``order_by`` to the rows of a metric that count there, where these are others."""
    special: Mapping[Field, Callable[[Comparison], Condition]] = field(default_factory=dict)
    """Fields with a meaning of their own."""


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Rows of a page, and the way to the next one."""

    rows: Sequence[Row[Any]]
    next_page_token: str | None


def find_page(
    connection: Connection,
    kind: RecordKind,
    query: Select[Any],
    *,
    filter: str,  # noqa: A002 - MLflow's name
    order_by: Sequence[str],
    max_results: int,
    most: int,
    page_token: str | None,
    facts: Sequence[object] = (),
) -> FoundPage:
    """Find a page of records.

    :param query: selects the records, with every restriction but the filter.
    :param filter: the empty one takes all.
    :param order_by: fields with ASC (the default) or DESC; records without such a key come last.
    :param max_results: 1 to ``most``; a page may be the whole result.
    :param page_token: of the page before, of the very same search.
    :param facts: what else makes the search that search, JSON-able.
    :raises InvalidFilter: says at which character filter or order goes wrong.
    :raises InvalidInput: for every other wrong parameter.
    """
    if not 1 <= max_results <= most:
        raise InvalidInput("max_results", max_results, f"it is 1 to {most:,}.")
    keys = _keys(kind, order_by)
    search = fingerprint(kind.vocabulary.record, filter, list(order_by), *facts)
    found = query.where(_condition(parse(filter, kind.vocabulary), kind))
    if page_token:
        place = read_page_token(page_token, search, [[key.python_type for key in keys]])
        found = found.where(beyond(keys, place.values))
    labels = [key.expression.label(f"sort_{number}") for number, key in enumerate(keys)]
    found = found.add_columns(*labels).order_by(*map(direction, keys))
    rows = connection.execute(found.limit(literal_column(str(max_results + 1)))).all()
    page = rows[:max_results]
    token = None
    if len(rows) > max_results:
        last = page[-1]._asdict()
        values = tuple(last[f"sort_{number}"] for number in range(len(keys)))
        token = write_page_token(search, Position(0, values))
    return FoundPage(page, token)


def _condition(node: Node, kind: RecordKind) -> Condition:
    if isinstance(node, And):
        return and_(true(), *(_condition(part, kind) for part in node.parts))
    if isinstance(node, Or):
        return or_(false(), *(_condition(part, kind) for part in node.parts))
    if isinstance(node, Not):
        return not_(_condition(node.part, kind))
    if node.field in kind.special:
        return kind.special[node.field](node)
    if node.field.entity is Entity.ATTRIBUTE:
        return _attribute(node, kind)
    query, value = kind.children[node.field.entity](node.field.key)
    if node.operator not in ("IS NULL", "IS NOT NULL"):
        query = query.where(compared(node, value))
    found = query.exists()
    return not_(found) if node.operator == "IS NULL" else found


def _attribute(node: Comparison, kind: RecordKind) -> Condition:
    if node.operator in ("IS NULL", "IS NOT NULL"):
        return false() if node.operator == "IS NULL" else true()
    column = kind.columns[node.field.key]
    return attribute_compared(node, column, kind.vocabulary.kind(node.field))


def _keys(kind: RecordKind, order_by: Sequence[str]) -> list[SortKey]:
    terms: list[tuple[OrderTerm, Children | None]] = []
    for place, text in enumerate(order_by):
        term, rows = parse_order(text, kind.vocabulary), kind.order_rows.get(place)
        if (term.field, rows) in [(other.field, its_rows) for other, its_rows in terms]:
            raise InvalidInput("order_by", text, "each field is given once.")
        terms.append((term, rows))
    terms = terms or [(term, None) for term in kind.default_order]
    named = {term.field for term, _ in terms}
    terms += [(term, None) for term in kind.last_terms if term.field not in named]
    return [key for term, rows in terms for key in _term_keys(kind, term, rows)]


def _term_keys(kind: RecordKind, term: OrderTerm, rows: Children | None) -> list[SortKey]:
    """Return the sort keys of a term; what is missing or NaN comes last in both directions."""
    if term.field.entity is Entity.ATTRIBUTE:
        python_type = kind.types[term.field.key]
        column = kind.columns[term.field.key]
        value = bytewise(column) if python_type is str else column
        return [SortKey(value, term.descending, python_type)]
    is_metric = term.field.entity is Entity.METRIC
    find = rows if rows is not None and is_metric else kind.children[term.field.entity]
    query, value = find(term.field.key)
    one = query.with_only_columns(value).order_by(value.desc()).limit(1).scalar_subquery()
    if not is_metric:
        is_missing = case((one.is_(None), 1), else_=0)
        text = bytewise(func.coalesce(one, ""))
        return [SortKey(is_missing, False, int), SortKey(text, term.descending, str)]
    rank = case((one.is_(None), 2), (one == NAN, 1), else_=0)
    number = case((or_(one.is_(None), one == NAN), type_coerce(0.0, Double)), else_=one)
    return [SortKey(rank, False, int), SortKey(number, term.descending, float)]
