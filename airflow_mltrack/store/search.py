"""Run search: filter, order, pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, FromClause, literal_column, or_, select

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.runs import RunData
from airflow_mltrack.entities.search import RunPage
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.run_rows import SELECT_ATTEMPTS, among, attempt_entity
from airflow_mltrack.store.run_tag_names import ordered_by_attribute, with_attributes
from airflow_mltrack.store.runs import Runs
from airflow_mltrack.store.search_filter import OrderTerm, parse, parse_order
from airflow_mltrack.store.search_order import Phase, SortValue, phases
from airflow_mltrack.store.search_page import (
    Position,
    fingerprint,
    read_page_token,
    write_page_token,
)
from airflow_mltrack.store.search_sql import Condition
from airflow_mltrack.store.tables import attempts, runs

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.engine import Connection

MAX_RESULTS = 50_000
"""Most runs of one page."""
VIEWS = ("active", "deleted", "all")


class Search:
    """Finds runs. Cost does not grow with the number of runs where an index gives the order."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(
        self,
        *,
        experiment_ids: Sequence[int],
        filter: str = "",  # noqa: A002 - MLflow's name
        order_by: Sequence[str] = (),
        max_results: int = 50,
        page_token: str | None = None,
        view: str = "active",
        parent_run_id: str | None = None,
        dag_ids: Collection[str] | None = None,
        info_only: bool = False,
    ) -> RunPage:
        """Return a page of runs with what their latest attempts logged.

        The number of queries does not depend on the number of runs. Pages of one search never
        repeat a run that stays in its place.

        :param experiment_ids: experiments to search in; none finds nothing.
        :param filter: see :mod:`airflow_mltrack.store.search_filter`; the empty one takes all.
        :param order_by: fields with ASC (the default) or DESC. NaN comes after numbers, what is
            missing comes last, in both directions. Between equals the latest start comes first.
        :param max_results: most runs of the page, 1 to 50,000.
        :param page_token: ``next_page_token`` of the page before, of the very same search.
        :param view: ``active``, ``deleted`` or ``all`` runs.
        :param parent_run_id: only children of this run.
        :param dag_ids: only runs of these Dags, and runs outside of Airflow; None means all.
        :param info_only: leave params and metrics empty.
        :raises InvalidFilter: says at which character ``filter`` or ``order_by`` goes wrong.
        :raises InvalidInput: for every other wrong parameter.
        """
        terms = _order(order_by)
        _check(view, max_results)
        wanted = sorted(set(experiment_ids))
        if not wanted:
            return RunPage(())
        found_phases = phases(
            terms,
            experiment_ids=wanted,
            node=with_attributes(parse(filter)),
            restrict=lambda run: _restrictions(run, view, parent_run_id, dag_ids),
        )
        search = fingerprint(wanted, filter, list(order_by), view, parent_run_id)
        start = None
        if page_token:
            start = read_page_token(page_token, search, [phase.types for phase in found_phases])
        found = self._find(found_phases, start, max_results + 1)
        page = found[:max_results]
        more = len(found) > max_results
        return RunPage(
            runs=tuple(self._data([run_id for run_id, _ in page], info_only=info_only)),
            next_page_token=write_page_token(search, page[-1][1]) if more else None,
        )

    def _find(
        self, found_phases: Sequence[Phase], start: Position | None, limit: int
    ) -> list[tuple[str, Position]]:
        """Return run ids and their positions, from the start on."""
        found: list[tuple[str, Position]] = []
        first = start.phase if start else 0
        for number, phase in enumerate(found_phases[first:], first):
            if len(found) == limit:
                break
            after = start.values if start and number == first else None
            rows = self._rows(phase, after, limit - len(found))
            found += [(row[0], Position(number, tuple(row[1:]))) for row in rows]
        return found

    def _rows(
        self, phase: Phase, after: Sequence[SortValue] | None, limit: int
    ) -> Sequence[Row[Any]]:
        # A literal limit, so that a prepared statement is planned for few rows.
        few: ColumnElement[Any] = literal_column(str(limit))
        if phase.walk is not None:
            rows = self._connection.execute(phase.walk(after).limit(few)).all()
            if len(rows) == limit:
                return rows
        return self._connection.execute(phase.query(after).limit(few)).all()

    def _data(self, run_ids: Sequence[str], *, info_only: bool) -> list[RunData]:
        group = Runs(self._connection)
        if not info_only or not run_ids:
            return group.data_many(run_ids)
        listed = group.get_many(run_ids)
        query = SELECT_ATTEMPTS.where(among(attempts.c.id, [run.attempt_id for run in listed]))
        latest = {row.id: attempt_entity(row) for row in self._connection.execute(query)}
        return [RunData(run, latest[run.attempt_id]) for run in listed]


def _order(order_by: Sequence[str]) -> list[OrderTerm]:
    terms: list[OrderTerm] = []
    for text in order_by:
        term = ordered_by_attribute(parse_order(text))
        if term.field in [other.field for other in terms]:
            raise InvalidInput("order_by", text, "each field is given once.")
        terms.append(term)
    return terms


def _check(view: str, max_results: int) -> None:
    if view not in VIEWS:
        raise InvalidInput("view", view, f"it is one of {', '.join(VIEWS)}.")
    if not 1 <= max_results <= MAX_RESULTS:
        raise InvalidInput("max_results", max_results, f"it is 1 to {MAX_RESULTS:,}.")


def _restrictions(
    run: FromClause, view: str, parent_run_id: str | None, dag_ids: Collection[str] | None
) -> list[Condition]:
    found: list[Condition] = []
    if view != "all":
        found.append(run.c.lifecycle == Lifecycle(view).value)
    if parent_run_id is not None:
        parent = runs.alias("parent")
        number = select(parent.c.id).where(parent.c.run_id == parent_run_id).scalar_subquery()
        found.append(run.c.parent_id == number)
    if dag_ids is not None:
        found.append(or_(run.c.dag_id.is_(None), among(run.c.dag_id, dag_ids)))
    return found
