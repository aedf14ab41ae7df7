"""``mltrack models evidence``: everything that is recorded of a version, in one archive."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.acting_user import acting_user
from airflow_mltrack.cli.arguments import add_command, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.output import Listing, Record, show
from airflow_mltrack.exceptions import Conflict

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.tracking.client import TrackingClient


def register(group: Commands) -> None:
    """Add the command."""
    parser = add_command(
        group, "evidence", "write all that is recorded of a version into one archive", _evidence
    )
    parser.add_argument("name")
    parser.add_argument("version", type=positive_int)
    parser.add_argument(
        "-o", "--output", metavar="FILE.zip", help="default: NAME-vVERSION-evidence.zip, here"
    )
    parser.add_argument(
        "--include-package", action="store_true", help="put the model's own files in as well"
    )


def write_pack(
    client: TrackingClient,
    name: str,
    version: int,
    output: Path | None = None,
    *,
    actor: str,
    include_package: bool = False,
) -> Record:
    """Write the evidence pack of a version.

    :param output: the file to write, or a directory; None is the working directory.
    :raises NotFound: when there is no such model or version.
    :raises Conflict: when the file exists: an earlier pack is evidence too.
    :raises InvalidInput: when the file would be in no directory.
    """
    from airflow_mltrack.lifecycle.evidence.pack import evidence_path, write_evidence

    file = evidence_path(output or Path(), name, version)
    if file.exists():
        raise Conflict("path", str(file), "it exists already.", "Name another one with --output")
    pack = write_evidence(client, name, version, file, actor=actor, include_package=include_package)
    facts = {"path": str(pack.path), "size": pack.size, "sha256": pack.sha256}
    files = [{"path": path} for path in pack.files]
    return Record(facts, {"Files": Listing(("path",), files)})


def _evidence(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        found = write_pack(
            client,
            args.name,
            args.version,
            None if args.output is None else Path(args.output).expanduser(),
            actor=acting_user(),
            include_package=args.include_package,
        )
    show(found, args.format)
