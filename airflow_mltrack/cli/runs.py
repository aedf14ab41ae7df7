"""``mltrack runs``: list, show, compare."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_mltrack.cli import runs_export
from airflow_mltrack.cli.arguments import add_command, add_group, names, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.output import Listing, Record, say, show
from airflow_mltrack.cli.run_ids import full_run_id
from airflow_mltrack.cli.run_query import RunQuery, add_search_options, flat_row, read_query

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.runs import RunData
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

_SHORT_ID = 8
_SHOWN_METRICS = 4
_PREFERRED = ("auc", "pr_auc", "ks", "brier", "accuracy", "rmse", "loss")
_BOUNDS = ("_low", "_high")


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "runs", "tracked runs: list, show, compare, export")
    listing = add_command(group, "list", "list runs, newest first", _list)
    add_search_options(listing)
    listing.add_argument(
        "--max-results", type=positive_int, default=25, metavar="N", help="default: 25"
    )
    listing.add_argument(
        "--metrics", type=names, default=(), metavar="A,B", help="metrics to show as columns"
    )
    listing.add_argument(
        "--params", type=names, default=(), metavar="A,B", help="params to show as columns"
    )
    one = add_command(group, "show", "show one run with everything it recorded", _show)
    one.add_argument("run_id", help="a run id, or its first characters")
    one.add_argument("--attempt", type=positive_int, metavar="N", help="default: the latest one")
    compare = add_command(group, "compare", "put params and metrics of runs side by side", _compare)
    compare.add_argument("run_ids", nargs="+", metavar="run_id", help="ids, or first characters")
    compare.add_argument("--all", action="store_true", help="also rows in which all runs agree")
    runs_export.register(group)


def list_runs(
    client: TrackingClient,
    query: RunQuery,
    *,
    max_results: int = 25,
    metrics: Sequence[str] = (),
    params: Sequence[str] = (),
) -> Listing:
    """List runs.

    :param query: which runs, in which order.
    :param metrics: metrics that a table shows; without any, those that most of the runs have.
    :param params: params that a table shows.
    :raises InvalidFilter: when the filter or the ordering cannot be read.
    """
    with client.store.transaction() as tx:
        experiments = query.experiments(tx)
        page = tx.search.runs(
            experiment_ids=list(experiments),
            filter=query.filter,
            order_by=query.order_by,
            max_results=max_results,
            view=query.view,
            parent_run_id=query.parent_id(tx),
        )
    shown = metrics or _common_metrics(page.runs)
    rows = [flat_row(data, experiments[data.run.experiment_id]) for data in page.runs]
    for row in rows:
        row["id"] = str(row["run_id"])[:_SHORT_ID]
    columns = ["id", "name", "experiment", "status", "started_at", "seconds"]
    columns += [f"params.{name}" for name in params] + [f"metrics.{name}" for name in shown]
    unasked = [] if metrics else [f"metrics.{name}" for name in reversed(shown)]
    return Listing(
        columns,
        rows,
        empty="No run matches.",
        droppable=("experiment", "started_at", "seconds", *unasked, "status"),
    )


def show_run(client: TrackingClient, run_id: str, *, attempt: int | None = None) -> Record:
    """Show a run with its params, metrics, tags, data sets, files and attempts.

    :param run_id: an id, or its first characters.
    :param attempt: number of the attempt; None means the latest one.
    :raises NotFound: when there is no such run or attempt.
    """
    with client.store.transaction() as tx:
        full_id = full_run_id(tx, run_id)
        data = tx.runs.data(full_id, attempt=attempt)
        experiment = tx.experiments.get(data.run.experiment_id)
        return Record(_facts(data, experiment.name), _sections(tx, data))


def compare_runs(
    client: TrackingClient, run_ids: Sequence[str], *, everything: bool = False
) -> Listing:
    """Put runs side by side: one row for each param and metric, one column for each run.

    :param run_ids: ids, or their first characters.
    :param everything: also rows in which all runs agree.
    :raises NotFound: when one of the runs does not exist.
    """
    with client.store.transaction() as tx:
        found = tx.runs.data_many([full_run_id(tx, run_id) for run_id in run_ids])
    columns = [data.run.run_id[:_SHORT_ID] for data in found]
    rows = [
        {"name": f"{kind}.{key}", **dict(zip(columns, values, strict=True))}
        for kind, key, values in _side_by_side(found)
        if everything or len({repr(value) for value in values}) > 1
    ]
    return Listing(
        ["name", *columns],
        rows,
        empty="The runs agree in every param and metric.",
        labels={data.run.run_id[:_SHORT_ID]: _heading(data) for data in found},
        right=columns,
    )


def _heading(data: RunData) -> str:
    return f"{data.run.run_id[:_SHORT_ID]}\n{data.run.name}"


def _side_by_side(found: Sequence[RunData]) -> Iterable[tuple[str, str, list[object]]]:
    for kind in ("params", "metrics"):
        recorded: list[Mapping[str, object]] = [getattr(data, kind) for data in found]
        for key in sorted({key for values in recorded for key in values}):
            yield kind, key, [values.get(key) for values in recorded]


def _common_metrics(found: Sequence[RunData]) -> list[str]:
    """Choose the metrics that most of the runs have; the bounds of intervals are no columns."""
    keys = (key for data in found for key in data.metrics if not key.endswith(_BOUNDS))
    counts = Counter(keys)
    first = [key for key in _PREFERRED if key in counts]
    others = sorted((key for key in counts if key not in first), key=lambda key: -counts[key])
    return [*first, *others][:_SHOWN_METRICS]


def _facts(data: RunData, experiment: str) -> dict[str, object]:
    run, attempt = data.run, data.attempt
    return {
        "run_id": run.run_id,
        "name": run.name,
        "experiment": experiment,
        "status": attempt.status,
        "attempt": f"{attempt.number} of {run.attempt_number}",
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "user": run.user,
        "parent_run_id": run.parent_run_id,
        "dag_id": run.dag_id,
        "dag_run_id": run.dag_run_id,
        "task_id": run.task_id,
        "map_index": run.map_index if run.map_index >= 0 else None,
        "error": attempt.error,
    }


def _sections(tx: Transaction, data: RunData) -> dict[str, Listing]:
    run_id, attempt_id = data.run.run_id, data.attempt.attempt_id
    inputs = [
        {
            "name": item.dataset.name,
            "context": item.context,
            "digest": item.dataset.digest,
            "source": item.dataset.source,
            **{key: item.dataset.profile.get(key) for key in ("rows", "synthetic")},
        }
        for item in tx.inputs.list(attempt_id)
    ]
    files = [
        {"path": file.path, "size": file.size, "sha256": file.sha256}
        for file in tx.artifacts.walk(attempt_id=attempt_id)
    ]
    models = [
        {"name": model.name, "model_id": model.model_id, "status": model.status}
        for model in tx.models.list(run_id=run_id)
    ]
    return {
        "Params": _pairs(data.params),
        "Metrics": _pairs(data.metrics),
        "Tags": _pairs(data.run.tags),
        "Data sets": Listing(["name", "context", "rows", "synthetic", "digest", "source"], inputs),
        "Models": Listing(["name", "model_id", "status"], models),
        "Files": Listing(["path", "size", "sha256"], files),
        "Attempts": _attempts(tx, run_id),
        "Children": _children(tx, run_id),
    }


def _attempts(tx: Transaction, run_id: str) -> Listing:
    rows = [
        {
            "number": attempt.number,
            "status": attempt.status,
            "started_at": attempt.started_at,
            "ended_at": attempt.ended_at,
            "error": attempt.error,
        }
        for attempt in tx.runs.attempts(run_id)
    ]
    return Listing(["number", "status", "started_at", "ended_at", "error"], rows)


def _children(tx: Transaction, run_id: str) -> Listing:
    rows = [
        {"run_id": child.run_id, "name": child.name, "status": child.status}
        for child in tx.runs.children(run_id)
    ]
    return Listing(["run_id", "name", "status"], rows)


def _pairs(values: Mapping[str, object]) -> Listing:
    return Listing(["key", "value"], [{"key": key, "value": values[key]} for key in sorted(values)])


def _list(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        query = read_query(args)
        found = list_runs(
            client, query, max_results=args.max_results, metrics=args.metrics, params=args.params
        )
    show(found, args.format)
    if len(found.rows) == args.max_results and args.format == "table":
        say(f"Only the first {args.max_results} are shown; --max-results shows more.")


def _show(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        show(show_run(client, args.run_id, attempt=args.attempt), args.format)


def _compare(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        show(compare_runs(client, args.run_ids, everything=args.all), args.format)
