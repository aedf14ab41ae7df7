"""Bring bytes and the rows that name them together: bytes first, and no row without bytes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.artifacts.artifact_key import join, safe_path
from airflow_mltrack.artifacts.put_many import Put, delete_quietly, put_many
from airflow_mltrack.exceptions import InvalidInput, NotFound, StoreUnavailable

if TYPE_CHECKING:
    import os

    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import Artifact, StoredObject
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


@dataclass(frozen=True, slots=True)
class Upload:
    """One file on its way."""

    path: str
    """Path under which the owner sees it."""
    put: Callable[[ArtifactStore, str], StoredObject]
    """Writes the bytes under the key it is given."""
    size: int
    """Bytes to expect."""


@dataclass(frozen=True, slots=True)
class FileOwner:
    """Whose file it is: exactly one of the two is set."""

    attempt_id: int | None = None
    model_id: str | None = None


def file_upload(path: str, local: str | os.PathLike[str]) -> Upload:
    """Upload a file of this machine."""
    try:
        size = Path(local).stat().st_size
    except OSError:
        size = 0  # the store words the error when it opens the file
    return Upload(safe_path(path), lambda store, key: store.put_file(key, local), size)


def bytes_upload(path: str, data: bytes, *, content_type: str | None = None) -> Upload:
    """Upload bytes that are in memory."""
    return Upload(
        safe_path(path),
        lambda store, key: store.put_bytes(key, data, content_type=content_type),
        len(data),
    )


def directory_uploads(
    directory: str | os.PathLike[str], under: str | None = None
) -> Sequence[Upload]:
    """Upload every file below a directory, with its path in there.

    :param under: directory of the owner to put them in.
    :raises InvalidInput: when there is no such directory, or a name in it cannot be a path.
    """
    root = Path(directory)
    if not root.is_dir():
        raise InvalidInput("local directory", str(directory), "it does not exist.")
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return [
        file_upload(join(under or "", file.relative_to(root).as_posix()), file) for file in files
    ]


def new_root(artifact_root: str) -> str:
    """Return a key prefix that nobody has written under.

    Every call that logs files gets its own, so a file that is logged again never overwrites the
    bytes that its row still names, whoever else is writing.
    """
    return join(artifact_root, uuid.uuid4().hex[:12])


def store_uploads(
    client: TrackingClient,
    uploads: Iterable[Upload],
    *,
    root: str,
    owner: FileOwner,
    check: Callable[[Transaction], object] | None = None,
) -> Sequence[StoredObject]:
    """Write the bytes, then all rows in one transaction, then remove bytes that were replaced.

    :param root: key prefix from :func:`new_root`, or one that was never used.
    :param check: called in the transaction; raises when nothing may be added any more.
    :raises MltrackError: nothing was recorded, and the bytes are removed again. Only when the
        database went away in the middle may they stay: the rows may have been committed.
    """
    wanted = list(uploads)
    puts = [Put(join(root, upload.path), upload.size, upload.put) for upload in wanted]
    done = put_many(client.artifact_store, puts)
    stored = [(upload.path, put) for upload, put in zip(wanted, done, strict=True)]
    try:
        replaced = client.transact(partial(_record, stored=stored, owner=owner, check=check))
    except StoreUnavailable:
        raise
    except BaseException:
        remove_bytes(client, [put.key for put in done])
        raise
    kept = {put.key for put in done}
    remove_bytes(client, [old.key for old in replaced if old.key not in kept])
    return done


def remove_bytes(client: TrackingClient, keys: Iterable[str]) -> None:
    """Delete bytes that no row names; what cannot be deleted only takes up room."""
    delete_quietly(client.artifact_store, keys)


def find_file(client: TrackingClient, path: str, owner: FileOwner) -> Artifact | None:
    """Return the record of a file, None when there is none."""

    def find(tx: Transaction) -> Artifact | None:
        try:
            return tx.artifacts.get(path=path, attempt_id=owner.attempt_id, model_id=owner.model_id)
        except NotFound:
            return None

    return client.transact(find)


def _record(
    tx: Transaction,
    *,
    stored: Sequence[tuple[str, StoredObject]],
    owner: FileOwner,
    check: Callable[[Transaction], object] | None,
) -> Sequence[Artifact]:
    if check is not None:
        check(tx)
    tx.artifacts.check_paths(
        [path for path, _ in stored], attempt_id=owner.attempt_id, model_id=owner.model_id
    )
    # In the order of the paths, so that two writers take their row locks in the same order.
    replaced = [
        tx.artifacts.record(
            path=path, stored=put, attempt_id=owner.attempt_id, model_id=owner.model_id
        )
        for path, put in sorted(stored, key=lambda pair: pair[0])
    ]
    return [old for old in replaced if old is not None]
