"""``mltrack export``: everything as Parquet or Arrow files, for analysis elsewhere."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.model_history import read_time
from airflow_mltrack.cli.output import Listing, print_listing, say
from airflow_mltrack.lifecycle.export_files import FORMATS

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.lifecycle.export import Export

_WIDTH = 50


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "export",
        "write runs, metrics and the registry as Parquet or Arrow files, from one snapshot",
        _export,
        formats=FORMATS,
    )
    parser.add_argument(
        "directory", type=Path, metavar="DIRECTORY", help="one that is empty or does not exist"
    )
    parser.add_argument(
        "--experiment",
        action="append",
        default=[],
        metavar="NAME",
        help="only runs of this experiment; may be repeated",
    )
    parser.add_argument(
        "--since", metavar="TIME", help="only runs that started since; ISO 8601, UTC without offset"
    )
    parser.add_argument(
        "--include-deleted", action="store_true", help="also what was deleted and can be restored"
    )


def listing(export: Export) -> Listing:
    """List the files of an export."""
    rows = [{"file": file.path, "rows": file.rows, "bytes": file.size} for file in export.files]
    return Listing(["file", "rows", "bytes"], rows)


class ProgressLine:
    """One line on the terminal that says how far it is; nothing where there is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, table: str, rows: int) -> None:
        """Show the table and its rows so far."""
        if self._shown:
            sys.stderr.write(f"\r{f'{table}: {rows:,} rows':<{_WIDTH}}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(f"\r{'':<{_WIDTH}}\r")


def _export(args: argparse.Namespace) -> None:
    from airflow_mltrack.lifecycle.export import export_records

    since = None
    if args.since is not None:
        since, assumed = read_time(args.since)
        if assumed:
            say(f"--since has no offset: taken as UTC, {since.isoformat()}")
    line = ProgressLine()
    with open_client(args.conn_id) as client:
        try:
            found = export_records(
                client,
                args.directory,
                experiments=args.experiment,
                since=since,
                include_deleted=args.include_deleted,
                form=args.format,
                progress=line,
            )
        finally:
            line.clear()
    print_listing(listing(found))
    say(f"Written to {found.directory}, as of {found.created_at:%Y-%m-%d %H:%M:%S} UTC.")
