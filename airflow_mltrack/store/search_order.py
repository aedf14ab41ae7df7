"""Orders of run search: sort keys, the phases in which a search runs, the way to the next page.

Numbers come before NaN, NaN before what is missing, in both directions. A btree holds NaN at one
end and what is missing nowhere, so a search that is ordered by a metric first runs in up to three
phases: numbers, NaN, missing. In the first an index gives the order, and most pages end there.

Postgres cannot know which values go with which keys and therefore estimates a filter badly; it
would often sort all that matches instead of walking the index. So a :attr:`Phase.walk` is tried
first: over a limited number of index entries, in order, with a probe for each comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import Any, TypeAlias, cast

from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Select,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy import cast as sql_cast

from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.search_filter import (
    And,
    Comparison,
    Entity,
    Field,
    Kind,
    Node,
    OrderTerm,
)
from airflow_mltrack.store.search_sql import (
    NAN,
    Condition,
    Expression,
    attribute,
    condition,
    is_nullable,
    metric_condition,
)
from airflow_mltrack.store.tables import latest_metrics, params, run_tags, runs

_FIRST_ENTRIES: ColumnElement[Any] = literal_column("1000")
"""Entries of a walk. Enough for a page of 50 where one run of twenty matches; a search that finds
too few has cost that much more."""
_ONE: ColumnElement[Any] = literal_column("1")
MERGED_EXPERIMENTS = 16
"""Up to that many experiments are walked in order side by side; more are sorted."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ATTRIBUTE_TYPES: dict[str, type] = {"duration": float, "map_index": int, "attempt": int}
_LAST_TERMS = (
    OrderTerm(Field(Entity.ATTRIBUTE, "start_time"), descending=True),
    OrderTerm(Field(Entity.ATTRIBUTE, "run_id")),
)
"""What decides between equals."""

_RUN = runs.alias("run")
# The fence (OFFSET 0) keeps the planner from turning lookups into a join with all runs. Made once:
# SQLAlchemy takes longer to make it than Postgres to run it.
_RUN_OF_ENTRY = (
    select(runs)
    .where(runs.c.id == literal_column("entry.run"))
    .offset(literal_column("0"))
    .lateral("run")
)

SortValue: TypeAlias = "float | int | str | datetime"
Restrict: TypeAlias = Callable[[FromClause], Sequence[Condition]]
"""Gives further conditions on a row shaped as table ``runs``."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """One expression to sort by; never NULL and never NaN."""

    expression: Expression
    descending: bool
    python_type: type
    """``float``, ``int``, ``str`` or ``datetime``."""


Query: TypeAlias = Callable[["Sequence[SortValue] | None"], Select[Any]]
"""Gives the query for run ids and sort values in order, after the row with given ones."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the result; all of it comes before the next phase."""

    types: tuple[type, ...]
    """Types of the sort values."""
    query: Query
    walk: Query | None = None
    """A query for the first rows only, cheap whatever the filter is. What it finds is the beginning
    of what :attr:`query` finds."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What is searched, as all phases need it."""

    experiment_ids: tuple[int, ...]
    node: Node
    restrict: Restrict
    terms: tuple[OrderTerm, ...]


def phases(
    order: Sequence[OrderTerm], *, experiment_ids: Sequence[int], node: Node, restrict: Restrict
) -> list[Phase]:
    """Return the phases of a search, first one first."""
    terms = (*order, *(term for term in _LAST_TERMS if term.field not in _fields(order)))
    search = _Search(tuple(experiment_ids), node, restrict, terms)
    types = tuple(kind for term in terms for kind in _types(term.field))
    if terms[0].field.entity is Entity.METRIC:
        return _metric_phases(search, types[2:])
    walk = partial(_walk, search) if terms[0].field == _LAST_TERMS[0].field else None
    return [Phase(types, partial(_all, search, terms), walk)]


def _metric_phases(search: _Search, types: tuple[type, ...]) -> list[Phase]:
    # The metric's own two sort values shrink to one here, and to none in the other phases.
    numbers = Phase((float, *types), partial(_numbers, search), partial(_walk, search))
    nan = Phase(types, partial(_not_numbers, search))
    own, _ = _split(search)
    if own:  # what has no such metric fails the comparison
        return [numbers, nan]
    return [numbers, nan, Phase(types, partial(_without_metric, search))]


def _all(
    search: _Search, terms: Sequence[OrderTerm], after: Sequence[SortValue] | None
) -> Select[Any]:
    run = _of_experiments(select(runs), runs.c.experiment_id, search)
    where = (condition(search.node, run), *search.restrict(run))
    return _select(run, run, where, (), terms, after)


def _numbers(search: _Search, after: Sequence[SortValue] | None) -> Select[Any]:
    entries = _entries(search, latest_metrics.c.value < NAN)
    key = SortKey(entries.c.value, search.terms[0].descending, float)
    return _of_entries(search, entries, (key,), after)


def _not_numbers(search: _Search, after: Sequence[SortValue] | None) -> Select[Any]:
    return _of_entries(search, _entries(search, latest_metrics.c.value == NAN), (), after)


def _without_metric(search: _Search, after: Sequence[SortValue] | None) -> Select[Any]:
    missing = Comparison(search.terms[0].field, "IS NULL")
    narrowed = replace(search, node=And((missing, search.node)))
    return _all(narrowed, search.terms[1:], after)


def _of_entries(
    search: _Search,
    entries: FromClause,
    keys: tuple[SortKey, ...],
    after: Sequence[SortValue] | None,
) -> Select[Any]:
    source = entries.join(_RUN, entries.c.run == _RUN.c.id)
    _, node = _split(search)
    where = (condition(node, _RUN), *search.restrict(_RUN))
    return _select(source, _RUN, where, keys, search.terms[1:], after)


def _walk(search: _Search, after: Sequence[SortValue] | None) -> Select[Any]:
    """Look at a limited number of index entries, in the order of the first term."""
    entries = _entries(search, latest_metrics.c.value < NAN)
    first = search.terms[0]
    key = SortKey(entries.c.value, first.descending, _python_type(first.field))
    ordered = select(entries).order_by(direction(key))
    if after is not None:
        ordered = ordered.where(_not_before(key, after[0]))
    entry = ordered.limit(_FIRST_ENTRIES).subquery("entry")
    # Equals of the first entry that is not looked at are left out: other terms decide their order,
    # and there may be a million of them.
    rest = ordered.with_only_columns(entries.c.value).offset(_FIRST_ENTRIES).limit(_ONE)
    is_complete = entry.c.value.is_distinct_from(rest.scalar_subquery())
    run = _RUN_OF_ENTRY
    _, node = _split(search)
    where = (is_complete, condition(node, run, probing=True), *search.restrict(run))
    keys = (replace(key, expression=entry.c.value),)
    return _select(entry.join(run, true()), run, where, keys, search.terms[1:], after)


def _entries(search: _Search, metric_values: Condition) -> FromClause:
    """Return pairs of run and value of the first term; an index holds them in order."""
    first = search.terms[0].field
    if first.entity is not Entity.METRIC:
        started = select(runs.c.id.label("run"), runs.c.started_at.label("value"))
        return _of_experiments(started, runs.c.experiment_id, search)
    columns = latest_metrics.c
    own, _ = _split(search)
    # Comparisons of the metric itself become bounds of the index walk.
    bounds = [metric_condition(it.operator, columns.value, cast("float", it.value)) for it in own]
    rows = select(columns.run, columns.value).where(
        columns.key == first.key, columns.current, metric_values, *bounds
    )
    return _of_experiments(rows, columns.experiment_id, search)


def _split(search: _Search) -> tuple[list[Comparison], Node]:
    """Take out the comparisons of the first term's metric that every result must meet."""
    parts = search.node.parts if isinstance(search.node, And) else (search.node,)
    field = search.terms[0].field
    own = [
        part
        for part in parts
        if field.entity is Entity.METRIC
        and isinstance(part, Comparison)
        and part.field == field
        and part.value is not None
    ]
    return own, And(tuple(part for part in parts if part not in own))


def _select(
    source: FromClause,
    run: FromClause,
    conditions: tuple[Condition, ...],
    keys: tuple[SortKey, ...],
    terms: Sequence[OrderTerm],
    after: Sequence[SortValue] | None,
) -> Select[Any]:
    for term in terms:
        if term.field.entity is Entity.ATTRIBUTE:
            keys += _attribute_keys(term, run)
        else:
            source, value = _joined(source, run, term.field)
            keys += _keys(value, term)
    columns = [key.expression.label(f"sort_{place}") for place, key in enumerate(keys)]
    query = select(run.c.run_id, *columns).select_from(source).where(*conditions)
    query = query.order_by(*map(direction, keys))
    return query if after is None else query.where(beyond(keys, after))


def _types(field: Field) -> tuple[type, ...]:
    kind = _python_type(field)
    always = field.entity is Entity.ATTRIBUTE and not is_nullable(field.key)
    return (kind,) if always else (int, kind)


def _attribute_keys(term: OrderTerm, run: FromClause) -> tuple[SortKey, ...]:
    value = attribute(term.field.key, run)
    if is_nullable(term.field.key):
        return _keys(value, term)
    kind = _python_type(term.field)
    return (SortKey(bytewise(value) if kind is str else value, term.descending, kind),)


def _keys(value: Expression, term: OrderTerm) -> tuple[SortKey, ...]:
    """Return two keys: first whether there is a value, then the value."""
    kind = _python_type(term.field)
    nothing = {float: 0.0, int: 0, str: "", datetime: _EPOCH}[kind]
    is_absent: Expression = case((value.is_(None), 1), else_=0)
    if kind is float:
        value = sql_cast(value, Double)
        is_absent = case((value.is_(None), 2), (value == NAN, 1), else_=0)
        value = func.nullif(value, NAN)
    filled: Expression = func.coalesce(value, nothing, type_=value.type)
    filled = bytewise(filled) if kind is str else filled
    return SortKey(is_absent, False, int), SortKey(filled, term.descending, kind)


def _python_type(field: Field) -> type:
    if field.kind is Kind.TIME:
        return datetime
    return str if field.kind is Kind.TEXT else _ATTRIBUTE_TYPES.get(field.key, float)


def bytewise(text: Expression) -> Expression:
    """Order text the same way in every database, whatever its locale."""
    return text.collate("C")


def _joined(source: FromClause, run: FromClause, field: Field) -> tuple[FromClause, Expression]:
    """Join a run's row of a metric, param or tag, if it has one."""
    table = {Entity.METRIC: latest_metrics, Entity.PARAM: params, Entity.TAG: run_tags}[
        field.entity
    ]
    row = table.alias()
    on = (row.c.run == run.c.id) & (row.c.key == field.key)
    if field.entity is not Entity.TAG:
        on &= row.c.current
    return source.outerjoin(row, on), row.c.value


def _of_experiments(rows: Select[Any], column: Expression, search: _Search) -> FromClause:
    """Restrict rows to experiments so that an index on (experiment, ...) still gives the order."""
    if len(search.experiment_ids) > MERGED_EXPERIMENTS:
        return rows.where(among(column, search.experiment_ids)).subquery()
    each = [rows.where(column == experiment_id) for experiment_id in search.experiment_ids]
    return (each[0] if len(each) == 1 else union_all(*each)).subquery()


def beyond(keys: Sequence[SortKey], values: Sequence[SortValue]) -> Condition:
    """Select rows after the one with these sort values."""
    bounds = [_bound(key, value) for key, value in zip(keys, values, strict=True)]
    rest: Condition = false()
    for key, bound in zip(reversed(keys), reversed(bounds), strict=True):
        value = key.expression
        further = value < bound if key.descending else value > bound
        rest = or_(further, and_(value == bound, rest))
    # The first part says nothing new, but it alone can be the start of an index walk.
    return and_(_not_before(keys[0], values[0]), rest)


def _not_before(key: SortKey, value: SortValue) -> Condition:
    bound = _bound(key, value)
    before: Condition = key.expression > bound if key.descending else key.expression < bound
    return not_(before)


def direction(key: SortKey) -> Expression:
    """Return the term of ORDER BY for a key."""
    return key.expression.desc() if key.descending else key.expression.asc()


def _bound(key: SortKey, value: SortValue) -> Any:
    return type_coerce(value, Double) if key.python_type is float else value


def _fields(order: Sequence[OrderTerm]) -> list[Field]:
    return [term.field for term in order]
