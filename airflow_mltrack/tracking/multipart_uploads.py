"""Files that their sender cuts into parts and sends straight to the artifact store.

While parts travel there is no row, so the file cannot be seen; nothing about the upload is kept
here either. Its *ticket*, which the sender gives back, holds the directory that was made for it and
the store's own id. The key is put together anew from the owner's root, that directory and the path,
and the store knows an upload by key and id only: a ticket that was made up, or that belongs to
another owner or path, leads to nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.artifacts.artifact_key import join
from airflow_mltrack.artifacts.artifact_store import check_parts
from airflow_mltrack.exceptions import InvalidInput, NotFound, StoreUnavailable
from airflow_mltrack.tracking.run_artifacts import FileOwner, find_file, new_root, remove_bytes

if TYPE_CHECKING:
    from airflow_mltrack.entities.artifacts import Artifact, StoredObject
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

UPLOAD_SECONDS = 6 * 3600
"""How long parts can be sent: 100 GB at 40 Mbit/s."""
_TICKET = re.compile(r"(?P<directory>[0-9a-f]{12})-(?P<upload_id>[!-~]{1,1024})")


@dataclass(frozen=True, slots=True)
class PartsPlace:
    """Where a file that comes in parts goes."""

    path: str
    """Path under which the owner will see it."""
    artifact_root: str
    """The owner's key prefix."""
    owner: FileOwner


@dataclass(frozen=True, slots=True)
class BegunUpload:
    """An upload that waits for its parts."""

    ticket: str
    urls: Sequence[str]
    """Where to ``PUT`` each part, for a while."""


def begin_upload(client: TrackingClient, place: PartsPlace, parts: int) -> BegunUpload | None:
    """Begin an upload, or return None where the store takes no parts.

    :raises InvalidInput: when the path cannot be one, or there are too many parts.
    """
    check_parts(parts)
    root = new_root(place.artifact_root)
    with _own_words(place.path):
        begun = client.artifact_store.create_multipart(
            join(root, place.path), parts=parts, expires=UPLOAD_SECONDS
        )
    if begun is None:
        return None
    return BegunUpload(f"{root.rpartition('/')[2]}-{begun.upload_id}", begun.urls)


def complete_upload(
    client: TrackingClient,
    place: PartsPlace,
    ticket: str,
    parts: Sequence[tuple[int, str]],
    check: Callable[[Transaction], object],
) -> None:
    """Put the parts together, read the file once for its digest, and record it.

    Doing it again changes nothing, and goes on where an earlier try was cut off.

    :param parts: number and ``ETag`` of each.
    :param check: raises when nothing may be added to the owner.
    :raises NotFound: when there is no such upload.
    :raises InvalidInput: when the parts are not those that were sent.
    """
    key, upload_id = _open(place, ticket)
    if _is_recorded(client, place, key):
        return
    client.transact(check)
    with _own_words(place.path, ticket):
        with contextlib.suppress(NotFound):  # an earlier try has put them together, perhaps
            client.artifact_store.complete_multipart(key, upload_id, parts)
        stored = client.artifact_store.measure(key)
    _record(client, place, stored, check)


def abort_upload(client: TrackingClient, place: PartsPlace, ticket: str) -> None:
    """Throw the parts of an upload away; one that is complete stays.

    :raises NotFound: when there is no such upload.
    """
    key, upload_id = _open(place, ticket)
    try:
        client.artifact_store.abort_multipart(key, upload_id)
    except NotFound:
        with _own_words(place.path, ticket):
            client.artifact_store.stat(key)


def _open(place: PartsPlace, ticket: str) -> tuple[str, str]:
    """Read a ticket: the key that was made for the upload, and the store's id of it."""
    found = _TICKET.fullmatch(ticket)
    if found is None:
        raise InvalidInput("upload id", ticket, "it is the one that began the upload.")
    with _own_words(place.path, ticket):
        return join(place.artifact_root, found["directory"], place.path), found["upload_id"]


def _is_recorded(client: TrackingClient, place: PartsPlace, key: str) -> bool:
    found = find_file(client, place.path, place.owner)
    return found is not None and found.key == key


def _record(
    client: TrackingClient,
    place: PartsPlace,
    stored: StoredObject,
    check: Callable[[Transaction], object],
) -> None:
    """Write the row, unless nothing may be added any more; then no bytes stay either."""

    def work(tx: Transaction) -> Artifact | None:
        check(tx)
        attempt_id, model_id = place.owner.attempt_id, place.owner.model_id
        tx.artifacts.check_paths([place.path], attempt_id=attempt_id, model_id=model_id)
        return tx.artifacts.record(
            path=place.path, stored=stored, attempt_id=attempt_id, model_id=model_id
        )

    try:
        replaced = client.transact(work)
    except StoreUnavailable:  # the row may have been written
        raise
    except BaseException:
        if _is_recorded(client, place, stored.key):  # by another try, just before
            return
        remove_bytes(client, [stored.key])
        raise
    if replaced is not None and replaced.key != stored.key:
        remove_bytes(client, [replaced.key])


@contextlib.contextmanager
def _own_words(path: str, ticket: str = "") -> Iterator[None]:
    """Word errors about the upload without the place where its bytes lie."""
    try:
        yield
    except NotFound as error:
        hint = "It was completed or aborted, or is of another file; begin a new one."
        raise NotFound("multipart upload", ticket, hint) from error
    except InvalidInput as error:
        raise InvalidInput(error.what, path, error.rule, error.hint) from error
