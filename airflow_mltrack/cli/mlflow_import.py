"""``mltrack import mlflow``: everything that an MLflow server or its database holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command, add_group
from airflow_mltrack.cli.backend import open_client, open_to_change
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.output import Listing, Record, say, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
    from airflow_mltrack.lifecycle.mlflow_import.source import Source

_WIDTH = 78


def register(commands: Commands) -> None:
    """Add the group with its command."""
    group = add_group(commands, "import", "bring records from elsewhere")
    parser = add_command(
        group,
        "mlflow",
        "bring experiments, runs, files and the registry of an MLflow server; again to go on",
        _import,
        formats=("table", "json"),
    )
    parser.add_argument(
        "--from",
        dest="address",
        required=True,
        metavar="ADDRESS",
        help="http://... of the server, or postgresql://... or sqlite:///... of its database",
    )
    parser.add_argument(
        "--experiment",
        action="append",
        default=[],
        metavar="NAME",
        help="only this experiment, and what was registered of it; may be repeated",
    )
    parser.add_argument(
        "--artifacts-from",
        type=Path,
        metavar="DIR",
        help="a copy of the server's artifact root, where its files cannot be reached otherwise",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="count and compare, and write nothing"
    )


def record(report: ImportReport, *, dry_run: bool) -> Record:
    """Show an import's counts, and every sentence of it."""
    from airflow_mltrack.lifecycle.mlflow_import.report import KINDS

    rows = [
        {"kind": kind, "there": report.there[kind], "here": report.here[kind]}
        | ({} if dry_run else {"written": report.done[kind]})
        for kind in KINDS
        if report.there[kind] or report.done[kind]
    ]
    columns = ["kind", "there", "here", *([] if dry_run else ["written"])]
    return Record(
        {"from": report.address, "whole": report.is_whole},
        {
            "Counts": Listing(columns, rows),
            "Differences": _lines(report, "differences", report.differences),
            "Problems": _lines(report, "problems", report.problems),
            "Notes": _lines(report, "notes", report.notes),
        },
        worded={"whole": []},
    )


def _lines(report: ImportReport, name: str, lines: Sequence[str]) -> Listing:
    rest = report.unsaid[name]
    shown = [*lines, *([f"... and {rest:,} more."] if rest else [])]
    return Listing(["what"], [{"what": line} for line in shown], empty="None.")


class ProgressLine:
    """One line on the terminal that says how far it is; nothing where there is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, report: ImportReport) -> None:
        """Show what was written, then what was compared."""
        if not self._shown:
            return
        done, size = report.done, report.done["bytes"] / 1e6
        if report.there["runs"]:
            text = f"compared: {report.there['runs']:,} runs, {report.there['points']:,} points"
        else:
            text = (
                f"{done['runs']:,} runs ({report.known['runs']:,} known), {done['points']:,} "
                f"points, {done['files']:,} files, {size:,.1f} MB"
            )
        sys.stderr.write(f"\r{text:<{_WIDTH}}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(f"\r{'':<{_WIDTH}}\r")


def _import(args: argparse.Namespace) -> int:
    from airflow_mltrack.lifecycle.mlflow_import.opening import open_source

    source = open_source(args.address, artifacts_from=args.artifacts_from)
    line = ProgressLine()
    try:
        report = _run(args, source, line)
    finally:
        line.clear()
        source.close()
    show(record(report, dry_run=args.dry_run), args.format)
    if args.dry_run:
        say("Nothing was written.")
        return ExitCode.CONFLICT if report.problems else ExitCode.OK
    if report.is_whole:
        say("Everything is here.")
        return ExitCode.OK
    say("Not everything is here: see the problems and differences. Import again to go on.")
    return ExitCode.FAILURE


def _run(args: argparse.Namespace, source: Source, line: ProgressLine) -> ImportReport:
    from airflow_mltrack.lifecycle.mlflow_import.importing import import_records
    from airflow_mltrack.lifecycle.mlflow_import.planning import plan_import

    if args.dry_run:
        with open_client(args.conn_id) as client:
            return plan_import(client, source, experiments=args.experiment, progress=line)
    with open_to_change(args.conn_id) as client:
        return import_records(
            client,
            source,
            actor=acting_user(),
            experiments=args.experiment,
            progress=line,
        )
