"""Streams that compute sha256 while the bytes pass: one pass, no buffer of their own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from airflow_mltrack.exceptions import ArtifactCorrupt, InvalidInput

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1024 * 1024
"""Bytes moved at a time where the other side does not say how many."""


class Readable(Protocol):
    """Anything with ``read(size) -> bytes``: files, sockets, HTTP bodies."""

    def read(self, size: int = ..., /) -> bytes:
        """Return at most ``size`` bytes; no bytes at the end."""
        ...


class HashingReader:
    """A source that is hashed while somebody reads it.

    It has no ``seek`` on purpose: whoever reads it does so once, in order.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self._waiting = b""
        self.size = 0
        """Bytes read from the source until now."""

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end."""
        parts = [self._waiting[:size] if size >= 0 else self._waiting]
        self._waiting = self._waiting[len(parts[0]) :]
        missing = size - len(parts[0])
        while size < 0 or missing > 0:
            part = self._pull(missing if size >= 0 else CHUNK)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def push_back(self, data: bytes) -> None:
        """Give bytes back that were read to look at them; they are not hashed again."""
        self._waiting = data + self._waiting

    def hexdigest(self) -> str:
        """Return the sha256 of everything read until now."""
        return self._hash.hexdigest()

    def _pull(self, size: int) -> bytes:
        data = self._source.read(size)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise InvalidInput(
                "stream", type(data).__name__, "it must give bytes.", "Open the file with 'rb'."
            )
        self._hash.update(data)
        self.size += len(data)
        return bytes(data)


class FileHash:
    """The sha256 of a file that grows, read back from its beginning.

    :param file: opened without a buffer; its position is moved.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._at = 0
        self._buffer = memoryview(bytearray(CHUNK))

    def update_to(self, end: int) -> None:
        """Add the bytes up to offset ``end``, which must be in the file."""
        while self._at < end:
            found = self._file.readinto(self._buffer[: end - self._at])
            if not found:
                raise EOFError(f"The file ends at {self._at:,} instead of {end:,} bytes.")
            self._hash.update(self._buffer[:found])
            self._at += found

    def hexdigest(self) -> str:
        """Return the sha256 of the bytes added until now."""
        return self._hash.hexdigest()


class VerifyingReader(io.RawIOBase):
    """A raw stream that refuses its last bytes when the whole does not have the recorded digest.

    The check is made when the announced number of bytes was read, not at the read after it: a
    caller who knows the size never asks again.

    :param source: where the bytes come from; closed with this stream.
    :param key: for the error message.
    :param size: bytes that the source announces.
    :param sha256: recorded digest, None to read without a check.
    """

    def __init__(
        self,
        source: Readable,
        *,
        key: str,
        size: int,
        sha256: str | None,
        close: Callable[[], object],
    ) -> None:
        self._source, self._key, self._size = source, key, size
        self._expected, self._close = sha256, close
        self._hash = hashlib.sha256()
        self._read = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill ``buffer``.

        :raises ArtifactCorrupt: at the end, when the digest is not the recorded one.
        """
        view = memoryview(buffer).cast("B")
        data = self._source.read(len(view))
        view[: len(data)] = data
        self._read += len(data)
        if self._expected is not None:
            self._hash.update(data)
            if self._read >= self._size or not data:
                check_digest(self._key, self._expected, self._hash.hexdigest())
        return len(data)

    def close(self) -> None:
        """Close the source too."""
        if not self.closed:
            self._close()
        super().close()


def check_digest(key: str, expected: str | None, found: str) -> None:
    """Compare a recorded digest with the one found.

    :raises ArtifactCorrupt: when they differ.
    """
    if expected is not None and expected.lower() != found:
        raise ArtifactCorrupt(key, expected.lower(), found)
