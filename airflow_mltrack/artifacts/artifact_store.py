"""What every artifact store promises, whatever it keeps its bytes in."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from airflow_mltrack.artifacts.artifact_key import guess_content_type, safe_path
from airflow_mltrack.artifacts.digests import CHUNK, HashingReader, Readable, check_digest
from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.exceptions import ArtifactError, ArtifactUnavailable, InvalidInput, NotFound

MAX_PRESIGN_SECONDS = 7 * 24 * 3600
"""Longest life of a presigned URL; S3 allows no more."""
MAX_PARTS = 10_000
"""Most parts of one object; S3 allows no more."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One line of a listing."""

    key: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An object whose parts somebody else sends straight to the store."""

    upload_id: str
    """The store's own name for it."""
    urls: Sequence[str]
    """Where to ``PUT`` each part; the answer's ``ETag`` is needed to complete the upload."""


class ArtifactStore(ABC):
    """Bytes under keys.

    What holds for every store:

    - *Keys* are relative paths (:func:`~airflow_mltrack.artifacts.artifact_key.safe_path`); others
      are refused with :class:`InvalidInput` before anything is read or written. A prefix is a
      directory: ``a/b`` covers ``a/b/c`` and never ``a/bc``. A key that is the directory of
      another key is not supported.
    - *Writing* is all or nothing: after an error nothing new is under the key, and what was there
      before still is. Bytes stream through bounded memory at any size, and their sha256 is computed
      on the way. Writing an existing key replaces it.
    - *Reading* with ``sha256`` never hands out a complete file that is not the recorded one:
      :class:`ArtifactCorrupt` comes before the last bytes do, and a download that fails leaves no
      file under its name.
    - *Multipart uploads* show nothing before they are complete, and nothing at all when they are
      aborted. They have no digest: only reading the object gives one (:meth:`measure`).
    - *Deleting* what is not there is no error. *Listing* goes in the order of the keys' UTF-8
      bytes, can be resumed after any key, and holds one page in memory.
    - *Errors*: :class:`NotFound` for a missing key, :class:`ArtifactUnavailable` where a retry may
      help, :class:`ArtifactError` otherwise. They name the bucket or directory and the key, never
      credentials.
    - One store may be shared between threads, and used after a fork.
    """

    uri: str
    """Where it is, without credentials."""
    parallel_puts = 1
    """How many small objects are worth writing at a time."""
    takes_parts = False
    """Whether :meth:`create_multipart` can be answered."""

    @abstractmethod
    def put_stream(
        self,
        key: str,
        stream: Readable,
        *,
        content_type: str | None = None,
        size_hint: int | None = None,
    ) -> StoredObject:
        """Store what ``stream`` gives until its end.

        :param content_type: None guesses from the key's extension.
        :param size_hint: bytes to expect, for choosing part sizes; it may be wrong.
        """

    @abstractmethod
    def open(self, key: str, *, sha256: str | None = None) -> BinaryIO:
        """Open for streaming; use it in a ``with`` statement.

        :param sha256: recorded digest; None reads without a check.
        :raises ArtifactCorrupt: from a read, instead of the last bytes.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove one key."""

    @abstractmethod
    def delete_prefix(self, prefix: str) -> int:
        """Remove everything below a directory; return how many keys that was."""

    @abstractmethod
    def stat(self, key: str) -> int:
        """Return the size in bytes."""

    @abstractmethod
    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[StoredKey]:
        """Go through the keys below a directory.

        :param prefix: directory; empty for everything.
        :param start_after: a key; the listing begins with the one that follows it.
        """

    @abstractmethod
    def presign(self, key: str, *, expires: int, download_name: str | None = None) -> str | None:
        """Return a URL that lets anyone read the key for a while, None where that is impossible.

        :param expires: seconds, 1 to 604,800.
        :param download_name: file name that a browser should propose.
        """

    @abstractmethod
    def _fetch(self, key: str, file: io.FileIO) -> str:
        """Write the bytes of a key to an empty file that can be read too; return their sha256."""

    def create_multipart(self, key: str, *, parts: int, expires: int) -> MultipartUpload | None:
        """Let others send an object in parts, None where that is impossible.

        :param parts: how many, 1 to 10,000. All but the last have 5 MiB or more.
        :param expires: seconds for which the URLs can be used, 1 to 604,800.
        """
        safe_path(key)
        check_parts(parts)
        check_expiry(expires)
        return None

    def complete_multipart(
        self, key: str, upload_id: str, parts: Sequence[tuple[int, str]]
    ) -> None:
        """Put the parts of an upload together; the object appears, and replaces an older one.

        :param parts: number and ``ETag`` of each.
        :raises NotFound: when there is no such upload of that key; none any more, perhaps.
        :raises InvalidInput: when a part is missing, too small or not the one that was sent.
        """
        del parts
        raise NotFound("multipart upload", upload_id, f"There is none of {safe_path(key)}.")

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Throw away the parts of an upload.

        :raises NotFound: when there is no such upload of that key; none any more, perhaps.
        """
        raise NotFound("multipart upload", upload_id, f"There is none of {safe_path(key)}.")

    def measure(self, key: str) -> StoredObject:
        """Read a key once, as a stream, for its size and sha256.

        :raises NotFound: when there is no such key.
        """
        with self.open(key) as file:
            source = HashingReader(file)
            while source.read(CHUNK):
                pass
        return StoredObject(key, source.size, source.hexdigest(), guess_content_type(key))

    def put_file(
        self, key: str, path: str | os.PathLike[str], *, content_type: str | None = None
    ) -> StoredObject:
        """Store a file of this machine.

        :raises InvalidInput: when there is no such file.
        """
        try:
            source = Path(path).open("rb", buffering=0)  # noqa: SIM115 - only opening errors are the caller's
        except OSError as error:
            reason = f"it cannot be read: {error.strerror or error}."
            raise InvalidInput("local file", str(path), reason) from error
        with source:
            size = os.fstat(source.fileno()).st_size
            return self.put_stream(key, source, content_type=content_type, size_hint=size)

    def put_bytes(self, key: str, data: bytes, *, content_type: str | None = None) -> StoredObject:
        """Store bytes that are in memory."""
        return self.put_stream(
            key, io.BytesIO(data), content_type=content_type, size_hint=len(data)
        )

    def read_bytes(self, key: str, *, sha256: str | None = None, limit: int | None = None) -> bytes:
        """Read a whole key into memory.

        :param limit: refuse more bytes than this.
        :raises ArtifactError: when it is larger than ``limit``.
        """
        with self.open(key, sha256=sha256) as source:
            if limit is None:
                return source.read()
            data = source.read(limit + 1)
        if len(data) > limit:
            raise ArtifactError(key, f"it is larger than the limit of {limit:,} bytes.")
        return data

    def download(
        self, key: str, path: str | os.PathLike[str], *, sha256: str | None = None
    ) -> Path:
        """Copy a key to a file of this machine; directories are made, an old file is replaced.

        :return: the file.
        :raises ArtifactCorrupt: when the digest differs; no file appears.
        """
        target = Path(path)
        part = target.with_name(f".{uuid.uuid4().hex}.part")
        with local_errors(key, str(target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("x+b", buffering=0) as file:
                    found = self._fetch(key, file)
                check_digest(key, sha256, found)
                part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return target

    def check(self) -> None:
        """Write, read and delete a small probe.

        :raises ArtifactError: with the first thing that went wrong.
        """
        key = f".probe/{uuid.uuid4().hex}"
        data = b"airflow-mltrack probe"
        stored = self.put_bytes(key, data)
        try:
            self.read_bytes(key, sha256=stored.sha256)
        finally:
            self.delete(key)

    def close(self) -> None:  # noqa: B027 - a store without connections has nothing to do
        """Give connections back; the store can still be used and opens new ones."""


def check_expiry(expires: int) -> int:
    """Return ``expires`` when it is allowed.

    :raises InvalidInput: when it is not 1 to 604,800 seconds.
    """
    if isinstance(expires, bool) or not isinstance(expires, int):
        raise InvalidInput("expires", expires, "it is a whole number of seconds.")
    if not 1 <= expires <= MAX_PRESIGN_SECONDS:
        raise InvalidInput("expires", expires, f"it is 1 to {MAX_PRESIGN_SECONDS} seconds.")
    return expires


def check_parts(parts: int) -> int:
    """Return ``parts`` when an upload may have so many.

    :raises InvalidInput: when it is not 1 to 10,000.
    """
    if not 1 <= parts <= MAX_PARTS:
        raise InvalidInput(
            "number of parts", parts, f"it is 1 to {MAX_PARTS}.", "Send larger parts."
        )
    return parts


def safe_prefix(prefix: str) -> str:
    """Check a directory; return it with a trailing ``/``, or empty for everything."""
    return f"{safe_path(prefix.rstrip('/'))}/" if prefix else ""


@contextlib.contextmanager
def local_errors(key: str, where: str) -> Iterator[None]:
    """Turn errors of the local file system into ours.

    :param where: directory or file, for the message.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise ArtifactUnavailable(
                key, f"no space left at {where} ({reason}). Free some space and try again."
            ) from error
        raise ArtifactError(key, f"{where}: {reason}.") from error
