"""The rows and columns of a table of runs, limited to what the reader may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.web.metric_rows import without_bounds

if TYPE_CHECKING:
    from airflow_mltrack.entities.runs import Run, RunData
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.web.access import Reader

ROWS = 50
"""Runs on one page."""
_METRICS, _PARAMS = 6, 5
"""Most columns of a table."""


@dataclass(frozen=True, slots=True)
class RunTable:
    """One page of runs."""

    runs: Sequence[RunData]
    metrics: Sequence[str]
    """Metrics that get a column, the one that ranks the runs first."""
    params: Sequence[str]
    """Params that get a column."""
    next_page_token: str | None
    ranked_by: str | None = None
    """The metric by which the first row is the best one."""


def find_runs(
    tx: Transaction,
    reader: Reader,
    experiment_ids: Sequence[int],
    *,
    filter: str = "",  # noqa: A002 - as the search calls it
    order_by: str = "",
    page_token: str | None = None,
    parent_run_id: str | None = None,
    ranked_by: str | None = None,
) -> RunTable:
    """Find the runs that the reader may see, and the columns that a table of them needs.

    :param order_by: one or more fields, as the search reads them.
    :param ranked_by: the metric that ``order_by`` begins with, when it ranks the runs.
    """
    page = tx.search.runs(
        experiment_ids=experiment_ids,
        filter=filter,
        order_by=[order_by] if order_by else [],
        max_results=ROWS,
        page_token=page_token,
        parent_run_id=parent_run_id,
        dag_ids=reader.readable_dags(tx.runs.dag_ids()),
    )
    first = [ranked_by] if ranked_by else []
    return RunTable(
        runs=page.runs,
        metrics=_columns([without_bounds(data.metrics) for data in page.runs], first, _METRICS),
        params=_columns(_differing([data.params for data in page.runs]), [], _PARAMS),
        next_page_token=page.next_page_token,
        ranked_by=ranked_by if page_token is None else None,
    )


def visible_runs(reader: Reader, runs: Iterable[Run]) -> Iterator[Run]:
    """Leave out the runs of Dags that the reader may not see."""
    known = list(runs)
    readable = reader.readable_dags({run.dag_id for run in known if run.dag_id})
    return (run for run in known if run.dag_id is None or run.dag_id in readable)


def check_readable(reader: Reader, run: Run) -> None:
    """Answer as if the run did not exist: that it does is already more than the reader may know.

    :raises NotFound: in the words for a run that is not there.
    """
    if not list(visible_runs(reader, [run])):
        raise NotFound("run", run.run_id)


def _columns(rows: Iterable[Iterable[str]], first: Sequence[str], most: int) -> list[str]:
    """Return the keys that most rows have, in the order in which they first appear."""
    counts = Counter(dict.fromkeys(first, 0))
    for row in rows:
        counts.update(iter(row))  # of a mapping, its values would be added
    common = {*first, *(key for key, _ in counts.most_common(most))}
    return [key for key in counts if key in common][:most]


def _differing(rows: Sequence[Mapping[str, str]]) -> Sequence[Mapping[str, str]]:
    """Leave out what is the same in every row: a column of it would tell nothing."""
    if len(rows) < 2:
        return rows
    same = set.intersection(*(set(row.items()) for row in rows))
    return [{key: value for key, value in row.items() if (key, value) not in same} for row in rows]
