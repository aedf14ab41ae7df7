"""The files of a run: list, read, download. Digests are verified on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airflow_mltrack.artifacts.artifact_key import safe_path
from airflow_mltrack.exceptions import NotFound

if TYPE_CHECKING:
    import os

    from airflow_mltrack.entities.artifacts import Artifact, ArtifactEntry
    from airflow_mltrack.tracking.client import TrackingClient


def list_files(
    client: TrackingClient, run_id: str, under: str = "", *, attempt: int | None = None
) -> Sequence[ArtifactEntry]:
    """Return files and directories directly under a directory of a run.

    :param under: directory, empty for the top.
    :param attempt: number of the attempt, from 1; None means the latest.
    :raises NotFound: when there is no such run or attempt.
    """
    with client.store.transaction() as tx:
        owner = tx.runs.data(run_id, attempt=attempt).attempt.attempt_id
        return tx.artifacts.list(attempt_id=owner, under=under)


def walk_files(
    client: TrackingClient, run_id: str, under: str = "", *, attempt: int | None = None
) -> Sequence[Artifact]:
    """Return the records of all files under a directory of a run, at any depth, or of one file."""
    with client.store.transaction() as tx:
        owner = tx.runs.data(run_id, attempt=attempt).attempt.attempt_id
        return tx.artifacts.walk(attempt_id=owner, under=under)


def find_file(
    client: TrackingClient, run_id: str, path: str, *, attempt: int | None = None
) -> Artifact:
    """Return the record of one file of a run.

    :raises NotFound: when there is no such file.
    """
    with client.store.transaction() as tx:
        owner = tx.runs.data(run_id, attempt=attempt).attempt.attempt_id
        return tx.artifacts.get(attempt_id=owner, path=path)


def open_file(
    client: TrackingClient, run_id: str, path: str, *, attempt: int | None = None
) -> BinaryIO:
    """Open one file of a run for streaming; use it in a ``with`` statement.

    :raises NotFound: when there is no such file.
    :raises ArtifactCorrupt: from a read, instead of the last bytes.
    """
    found = find_file(client, run_id, path, attempt=attempt)
    return client.artifact_store.open(found.key, sha256=found.sha256)


def read_file(
    client: TrackingClient,
    run_id: str,
    path: str,
    *,
    attempt: int | None = None,
    limit: int | None = None,
) -> bytes:
    """Read one file of a run into memory.

    :param limit: refuse more bytes than this.
    :raises NotFound: when there is no such file.
    """
    found = find_file(client, run_id, path, attempt=attempt)
    return client.artifact_store.read_bytes(found.key, sha256=found.sha256, limit=limit)


def download_files(
    client: TrackingClient,
    run_id: str,
    directory: str | os.PathLike[str],
    path: str = "",
    *,
    attempt: int | None = None,
) -> Path:
    """Copy a file or everything under a directory of a run to this machine.

    :param directory: local directory; files keep their paths in there.
    :param path: file or directory of the run, empty for everything.
    :return: where ``path`` is now.
    :raises NotFound: when there is no such file or directory.
    """
    files = walk_files(client, run_id, path, attempt=attempt)
    if path and not files:
        raise NotFound("artifact", path, f"List the files: mltrack artifacts list {run_id}")
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    fetch_files(client, files, target)
    return target / path if path else target


def fetch_files(client: TrackingClient, files: Sequence[Artifact], directory: Path) -> None:
    """Download files by their records; nothing is written outside ``directory``."""
    for file in files:
        target = directory / safe_path(file.path)
        client.artifact_store.download(file.key, target, sha256=file.sha256)
