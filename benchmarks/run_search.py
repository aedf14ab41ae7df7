"""Run search at 1,000 and at 100,000 runs: median times, their ratio, and how the database does it.

    python benchmarks/run_search.py [--small 1000] [--large 100000] [--repeat 40]

Each size is a fresh database in an embedded Postgres: one experiment, for every run one attempt, 20
params, 10 metrics, 3 tags. A search is measured as a caller sees it: transaction, query, and the
params, metrics and tags of the 50 runs found.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.search import RunPage
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction

FILTER = "metrics.auc > {bound} and params.classifier = 'lightgbm'"
TARGET_RATIO, TARGET_MS = 2.0, 10.0

_FILL = (
    """
    INSERT INTO runs (run_id, experiment_id, name, status, started_at, ended_at, "user",
        attempt_id, attempt_number, artifact_root)
    SELECT md5(:experiment || '/' || n), :experiment, 'run-' || n, 'FINISHED',
        now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '30 s', 'bench',
        n, 1, 'experiments/' || :experiment || '/' || n
    FROM generate_series(1, :runs) AS n
    """,
    """
    INSERT INTO attempts (id, run, number, status, started_at, ended_at)
    SELECT attempt_id, id, 1, status, started_at, ended_at FROM runs
    """,
    """
    INSERT INTO params (attempt, run, experiment_id, key, value)
    SELECT attempt_id, id, experiment_id, 'param_' || p, (random() * 100)::int::text
    FROM runs, generate_series(1, 19) AS p
    UNION ALL
    SELECT attempt_id, id, experiment_id, 'classifier',
        (ARRAY['lightgbm', 'forest', 'logistic'])[1 + floor(random() * 3)::int]
    FROM runs
    ORDER BY 1
    """,
    """
    INSERT INTO latest_metrics (attempt, run, experiment_id, key, value, step, timestamp)
    SELECT attempt_id, id, experiment_id, 'metric_' || m, random(), 1, 0
    FROM runs, generate_series(1, 9) AS m
    UNION ALL
    SELECT attempt_id, id, experiment_id, 'auc',
        CASE WHEN random() < 0.01 THEN 'NaN' ELSE 0.5 + random() / 2 END, 1, 0
    FROM runs
    ORDER BY 1
    """,
    """
    INSERT INTO run_tags (run, experiment_id, key, value)
    SELECT id, experiment_id, 'tag_' || t, 'value_' || (id * t) % (:runs / 50)
    FROM runs, generate_series(1, 3) AS t
    ORDER BY 1
    """,
)

"""Rows in the order in which runs log them: those of one run lie side by side."""


def fill(connection: Connection, runs: int) -> int:
    """Write runs, set by set; return the number of their experiment."""
    experiment = Transaction(connection).experiments.ensure("search").experiment_id
    for statement in _FILL:
        wanted = {"experiment": experiment, "runs": runs}
        used = {name: value for name, value in wanted.items() if f":{name}" in statement}
        connection.execute(text(statement), used)
    return experiment


def search(tx: Transaction, experiment: int, **options: Any) -> RunPage:
    """Search the experiment."""
    return tx.search.runs(experiment_ids=[experiment], **options)


def _best(tx: Transaction, experiment: int, turn: int) -> RunPage:
    bound = FILTER.format(bound=0.6 + turn / 1000)
    return search(tx, experiment, filter=bound, order_by=["metrics.auc DESC"])


def _second_page(tx: Transaction, experiment: int, turn: int) -> RunPage:
    options = {"filter": FILTER.format(bound=0.6), "order_by": ["metrics.auc DESC"]}
    token = _SECOND.get(experiment)
    if token is None:
        _SECOND[experiment] = token = search(tx, experiment, **options).next_page_token
    return search(tx, experiment, page_token=token, **options)


_SECOND: dict[int, str | None] = {}
SEARCHES: dict[str, Callable[[Transaction, int, int], RunPage]] = {
    "metric and param, by metric": _best,
    "  the same, second page": _second_page,
    "  the same, ascending": lambda tx, experiment, turn: search(
        tx, experiment, filter=FILTER.format(bound=0.6), order_by=["metrics.auc ASC"]
    ),
    "newest first": lambda tx, experiment, turn: search(tx, experiment),
    "by one tag's value": lambda tx, experiment, turn: search(
        tx, experiment, filter=f"tags.tag_1 = 'value_{turn % 20}'"
    ),
    "newest first, no params or metrics": lambda tx, experiment, turn: search(
        tx, experiment, info_only=True
    ),
}


def median_ms(store: TrackingStore, experiment: int, name: str, repeat: int) -> float:
    """Run a search again and again; return the median of its times."""
    times = []
    for turn in range(repeat + 5):
        start = time.perf_counter()
        with store.transaction() as tx:
            SEARCHES[name](tx, experiment, turn)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times[5:])


def plan_of(store: TrackingStore, experiment: int, name: str) -> str:
    """Say how the database finds the runs of a search."""
    with store.transaction() as tx:
        with _statements(tx.connection) as statements:
            SEARCHES[name](tx, experiment, 0)
        found = next(one for one in reversed(statements) if "sort_0" in one[0])
        rows = tx.connection.exec_driver_sql("EXPLAIN " + found[0], found[1]).scalars()
        nodes = [row.split("(cost")[0].strip(" ->") for row in rows if "(cost" in row]
    return " < ".join(nodes)


@contextmanager
def _statements(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def remember(*arguments: Any) -> None:
        seen.append((arguments[2], arguments[3]))

    event.listen(connection, "before_cursor_execute", remember)
    yield seen
    event.remove(connection, "before_cursor_execute", remember)


def measure(url: str, size: int, repeat: int) -> tuple[dict[str, float], dict[str, str]]:
    """Fill a database and return the median of every search, and its plan."""
    _SECOND.clear()
    settings = Settings(database_url=url, artifact_uri="unused")
    store = TrackingStore(settings, pool_size=1)
    store.upgrade()
    start = time.perf_counter()
    with store.transaction() as tx:
        experiment = fill(tx.connection, size)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    print(f"{size:,} runs written in {time.perf_counter() - start:.0f} s", flush=True)
    times = {name: median_ms(store, experiment, name, repeat) for name in SEARCHES}
    plans = {name: plan_of(store, experiment, name) for name in SEARCHES}
    store.close()
    return times, plans


def main() -> None:
    """Measure both sizes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=40)
    options = parser.parse_args()
    measured = []
    for size in (options.small, options.large):
        with tempfile.TemporaryDirectory() as directory:
            data = Path(directory) / "pg"
            try:
                measured.append(measure(start_embedded(data), size, options.repeat))
            finally:
                stop_embedded(data)
    (small, _), (large, plans) = measured
    print(f"\n{'search':36} {'p50 small':>10} {'p50 large':>10} {'ratio':>6}")
    for name in SEARCHES:
        ratio = large[name] / small[name]
        print(f"{name:36} {small[name]:7.2f} ms {large[name]:7.2f} ms {ratio:6.2f}")
    print(f"\ntarget for the first: ratio <= {TARGET_RATIO}, under {TARGET_MS:.0f} ms\n\nplans:")
    for name, plan in plans.items():
        print(f"  {name.strip()}: {plan}")


if __name__ == "__main__":
    main()
