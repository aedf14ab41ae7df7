"""``mltrack runs export``: every run that matches, as JSON lines or CSV."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.output import csv_cell, plain, say
from airflow_mltrack.cli.run_query import RunQuery, add_search_options, flat_row, read_query
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.runs import RunData
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def register(group: Commands) -> None:
    """Add the command."""
    parser = add_command(
        group,
        "export",
        "write every matching run with all it recorded, as JSON lines or CSV",
        _export,
        formats=("json", "csv"),
    )
    add_search_options(parser)
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: stdout")
    parser.add_argument(
        "--history", action="store_true", help="every metric point (json only), not the latest only"
    )


def export_json(
    client: TrackingClient, query: RunQuery, output: IO[str], *, history: bool = False
) -> int:
    """Write one JSON object a line for every run that matches.

    :param history: put every point of every metric in, not its latest value only.
    :return: how many runs were written.
    """
    count = 0
    with client.store.transaction() as tx:
        experiments = query.experiments(tx)
        for page in query.pages(tx, experiments):
            for data in page:
                found = _full_record(tx, data, experiments, history=history)
                output.write(json.dumps(plain(found), ensure_ascii=False, allow_nan=False) + "\n")
                count += 1
    return count


def export_csv(client: TrackingClient, query: RunQuery, output: IO[str]) -> int:
    """Write a CSV table with one line for every run that matches.

    The first pass collects the columns and the second one writes, so that memory stays small.

    :return: how many runs were written.
    """
    count = 0
    with client.store.transaction() as tx:
        experiments = query.experiments(tx)
        columns: dict[str, None] = {}
        for page in query.pages(tx, experiments):
            for data in page:
                columns.update(dict.fromkeys(flat_row(data, "")))
        writer = csv.writer(output, lineterminator="\n")
        writer.writerow(columns)
        for page in query.pages(tx, experiments):
            for data in page:
                row = flat_row(data, experiments[data.run.experiment_id])
                writer.writerow([csv_cell(row.get(column)) for column in columns])
                count += 1
    return count


def _full_record(
    tx: Transaction, data: RunData, experiments: dict[int, str], *, history: bool
) -> dict[str, object]:
    attempt_id = data.attempt.attempt_id
    flat = flat_row(data, experiments[data.run.experiment_id])
    record: dict[str, object] = {key: value for key, value in flat.items() if "." not in key}
    record |= {"params": data.params, "metrics": data.metrics, "tags": data.run.tags}
    record["inputs"] = [
        {
            "name": item.dataset.name,
            "digest": item.dataset.digest,
            "source": item.dataset.source,
            "context": item.context,
        }
        for item in tx.inputs.list(attempt_id)
    ]
    record["files"] = [
        {"path": file.path, "size": file.size, "sha256": file.sha256}
        for file in tx.artifacts.walk(attempt_id=attempt_id)
    ]
    if history:
        record["history"] = {
            key: [[p.step, p.timestamp, p.value] for p in tx.metrics.history(attempt_id, key)]
            for key in sorted(data.metrics)
        }
    return record


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise InvalidInput("--output", str(path), f"{error.strerror}.") from error


def _export(args: argparse.Namespace) -> None:
    if args.history and args.format == "csv":
        raise InvalidInput("--history", "csv", "a table has no place for it.", "Use --format json")
    query = read_query(args)
    with open_client(args.conn_id) as client, _opened(args.output) as output:
        count = (
            export_csv(client, query, output)
            if args.format == "csv"
            else export_json(client, query, output, history=args.history)
        )
    say(f"{count} runs" if count != 1 else "1 run")
