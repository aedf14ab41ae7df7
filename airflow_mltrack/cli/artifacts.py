"""``mltrack artifacts``: list and get files of runs and models."""

from __future__ import annotations

import argparse
import posixpath
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltrack.cli.arguments import add_command, add_group, positive_int
from airflow_mltrack.cli.backend import open_client
from airflow_mltrack.cli.output import Listing, say, show
from airflow_mltrack.cli.run_ids import full_run_id
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.tracking.client import TrackingClient

_OWNER_HELP = "a run id or its first characters, models:/name/version, runs:/id/model, or m-..."


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "artifacts", "files of runs and models: list, get")
    listing = add_command(group, "list", "list files", _list)
    listing.add_argument("owner", help=_OWNER_HELP)
    listing.add_argument("path", nargs="?", default="", help="a directory; default: the top")
    listing.add_argument("-r", "--recursive", action="store_true", help="at any depth")
    listing.add_argument(
        "--attempt", type=positive_int, metavar="N", help="default: the latest one"
    )
    get = add_command(
        group, "get", "download a file or a directory, digests verified", _get, formats=()
    )
    get.add_argument("owner", help=_OWNER_HELP)
    get.add_argument("path", nargs="?", default="", help="a file or directory; default: everything")
    get.add_argument(
        "-o", "--output", metavar="PATH", help="where to; - is stdout; default: the same name, here"
    )
    get.add_argument("--attempt", type=positive_int, metavar="N", help="default: the latest one")


def list_artifacts(
    client: TrackingClient,
    owner: str,
    path: str = "",
    *,
    recursive: bool = False,
    attempt: int | None = None,
) -> Listing:
    """List files of a run or model.

    :param owner: a run id or its first characters, or a model URI or id.
    :param path: a directory; empty means the top.
    :param recursive: files at any depth, with their digests.
    :param attempt: of a run: number of the attempt; None means the latest one.
    :raises NotFound: when there is no such owner.
    """
    keys = _owner_keys(client, owner, attempt)
    with client.store.transaction() as tx:
        if recursive:
            files = tx.artifacts.walk(under=path, **keys)
            rows: list[Mapping[str, object]] = [_file_row(file) for file in files]
            return Listing(("path", "size", "sha256"), rows, empty="No files.")
        entries = tx.artifacts.list(under=path, **keys)
    rows = [
        {"path": f"{entry.path}/" if entry.is_dir else entry.path, "size": entry.size}
        for entry in entries
    ]
    return Listing(("path", "size"), rows, empty="No files.")


def get_artifacts(
    client: TrackingClient,
    owner: str,
    path: str = "",
    *,
    output: Path | None = None,
    attempt: int | None = None,
) -> list[Path]:
    """Download a file, or a directory with everything below it; each digest is verified.

    :param owner: as for :func:`list_artifacts`.
    :param path: a file or a directory; empty means everything.
    :param output: name of the file or directory to write; None takes the last part of ``path``.
    :return: the files that were written.
    :raises NotFound: when nothing lies under that path.
    :raises Conflict: when ``output`` exists.
    """
    files = _files(client, owner, path, attempt)
    target = output or Path(posixpath.basename(path) or owner.replace("/", "_").replace(":", ""))
    if target.exists():
        raise Conflict("path", str(target), "it exists already.", "Name another one with --output")
    written = []
    for file in files:
        inside = "" if file.path == path else posixpath.relpath(file.path, path or ".")
        destination = target / inside if inside else target
        destination.parent.mkdir(parents=True, exist_ok=True)
        client.artifact_store.download(file.key, destination, sha256=file.sha256)
        written.append(destination)
    return written


def print_artifact(
    client: TrackingClient, owner: str, path: str, *, attempt: int | None = None
) -> None:
    """Write one file's bytes to stdout.

    :raises InvalidInput: when the path is a directory.
    :raises ArtifactCorrupt: at the end, when the bytes are not the recorded ones.
    """
    files = _files(client, owner, path, attempt)
    if [file.path for file in files] != [path]:
        raise InvalidInput("path", path, "stdout takes one file, not a directory.")
    with client.artifact_store.open(files[0].key, sha256=files[0].sha256) as source:
        shutil.copyfileobj(source, sys.stdout.buffer)


def _files(client: TrackingClient, owner: str, path: str, attempt: int | None) -> list[Artifact]:
    keys = _owner_keys(client, owner, attempt)
    with client.store.transaction() as tx:
        files = tx.artifacts.walk(under=path, **keys)
    if not files:
        raise NotFound("artifact", path or owner, f"See mltrack artifacts list {owner} -r")
    return files


def _owner_keys(client: TrackingClient, owner: str, attempt: int | None) -> dict[str, Any]:
    """Say whose files they are, in the words of the store."""
    if owner.startswith(("models:/", "runs:/")):
        from airflow_mltrack.tracking.model_uri import resolve

        return {"model_id": resolve(client, owner).model_id}
    with client.store.transaction() as tx:
        if owner.startswith("m-"):
            return {"model_id": tx.models.get(owner).model_id}
        data = tx.runs.data(full_run_id(tx, owner), attempt=attempt)
    return {"attempt_id": data.attempt.attempt_id}


def _file_row(file: Artifact) -> dict[str, object]:
    return {
        "path": file.path,
        "size": file.size,
        "sha256": file.sha256,
        "content_type": file.content_type,
    }


def _list(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        found = list_artifacts(
            client, args.owner, args.path, recursive=args.recursive, attempt=args.attempt
        )
    show(found, args.format)


def _get(args: argparse.Namespace) -> None:
    with open_client(args.conn_id) as client:
        if args.output == "-":
            print_artifact(client, args.owner, args.path, attempt=args.attempt)
            return
        output = Path(args.output) if args.output else None
        written = get_artifacts(client, args.owner, args.path, output=output, attempt=args.attempt)
    for path in written:
        say(str(path))
