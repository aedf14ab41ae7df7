"""Store many objects: small ones several at a time where a request is mostly waiting."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import ArtifactError

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import StoredObject

logger = logging.getLogger(__name__)

SMALL_BYTES = 1024 * 1024
"""Objects up to this size travel together; a larger one has its own parallel parts and memory."""


@dataclass(frozen=True, slots=True)
class Put:
    """An object to store."""

    key: str
    size: int
    """Bytes to expect."""
    write: Callable[[ArtifactStore, str], StoredObject]
    """Writes the bytes under the key it is given."""


def put_many(store: ArtifactStore, puts: Sequence[Put]) -> Sequence[StoredObject]:
    """Store everything, or remove again what was stored.

    :return: what was stored, in the order of ``puts``.
    :raises MltrackError: the first that a put raised, after the others have ended.
    """
    stored: dict[int, StoredObject] = {}

    def write(index: int) -> None:
        put = puts[index]
        stored[index] = put.write(store, put.key)

    small = [index for index, put in enumerate(puts) if put.size <= SMALL_BYTES]
    # The first goes alone: it opens the store's connection once, and a store that refuses
    # everything is asked once.
    together = small[1:] if store.parallel_puts > 1 else []
    try:
        for index in sorted(set(range(len(puts))) - set(together)):
            write(index)
        if together:
            _run(write, together, min(store.parallel_puts, len(together)))
    except BaseException:
        delete_quietly(store, [stored[index].key for index in sorted(stored)])
        raise
    return [stored[index] for index in range(len(puts))]


def delete_quietly(store: ArtifactStore, keys: Iterable[str]) -> None:
    """Delete bytes that no row names; what cannot be deleted only takes up room."""
    for key in keys:
        try:
            store.delete(key)
        except ArtifactError as error:  # noqa: PERF203 - one failure must not keep the others
            logger.warning("Bytes that nothing refers to were left behind. %s", error)


def _run(write: Callable[[int], None], indexes: Iterable[int], threads: int) -> None:
    """Write in threads; after an error nothing new begins, and all that began has ended."""
    with ThreadPoolExecutor(threads, "mltrack-upload") as pool:
        futures = [pool.submit(write, index) for index in indexes]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
    for future in futures:
        if not future.cancelled():
            future.result()
