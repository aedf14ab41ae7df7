"""A file where metric points wait while the database is away, and survive their process.

Layout: a line of magic bytes, then records. A record is the length and the crc32 of its payload
(little-endian, 32 bits each) and the payload. The first payload is JSON that says whose points they
are, every other one is a :class:`~airflow_mltrack.entities.metrics.MetricBatch`. A torn last record
(the machine stopped while it was written) ends the file.

The owner holds an exclusive lock on the file, so others can tell a living owner from a dead one: a
lock goes away with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import sys
import tempfile
import uuid
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airflow_mltrack.entities.metrics import MetricBatch

if TYPE_CHECKING:
    from airflow_mltrack.settings import Settings

SUFFIX = ".spool"
MAX_BYTES = 256 * 1024 * 1024
"""Largest spool of one attempt: about eleven million points."""
_MAGIC = b"airflow-mltrack spool 1\n"
_FRAME = struct.Struct("<II")
_HEAD = struct.Struct("<qqIH")
"""attempt, batch, number of points, length of the key."""


@dataclass(frozen=True, slots=True)
class SpoolOwner:
    """Whose points a spool holds. The run id tells databases apart that share a directory."""

    run_id: str
    attempt_id: int


def spool_directory(settings: Settings) -> Path:
    """Return the directory of the spools; without a setting, one for this user that outlives us."""
    if settings.spool_dir:
        return Path(settings.spool_dir)
    return Path(tempfile.gettempdir()) / f"mltrack-spool-{os.getuid()}"


class Spool:
    """An open, locked spool file. Not safe to share between threads.

    :param file: open for reading and writing, locked.
    """

    def __init__(self, file: BinaryIO, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._file, self.path, self._max_bytes = file, path, max_bytes
        self._read_to = 0
        self._end = 0

    @classmethod
    def create(cls, directory: Path, owner: SpoolOwner, *, max_bytes: int = MAX_BYTES) -> Spool:
        """Make a new spool for this process.

        :raises OSError: when the directory cannot be written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / f"{owner.attempt_id}-{os.getpid()}-{uuid.uuid4().hex}{SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        spool = cls(file, path, max_bytes=max_bytes)
        facts = {"run_id": owner.run_id, "attempt_id": owner.attempt_id}
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            spool._write(_MAGIC + _framed(json.dumps(facts).encode()))
        except OSError:  # on a full disk every attempt would leave a file that nobody adopts
            spool.remove()
            raise
        spool._read_to = spool._end
        return spool

    @classmethod
    def adopt(cls, path: Path) -> tuple[Spool, SpoolOwner] | None:
        """Open a spool whose owner is dead, None when it lives, is gone or is no spool of ours."""
        try:
            file = path.open("r+b", buffering=0)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        spool = cls(file, path)
        owner = spool._read_owner() if os.fstat(file.fileno()).st_nlink else None
        if owner is None:
            file.close()
            return None
        return spool, owner

    def append(self, batches: list[MetricBatch]) -> bool:
        """Add batches and bring them to disk; all of them or none.

        :return: False when the spool would become larger than it may.
        :raises OSError: when the disk is full or gone.
        """
        data = b"".join(_framed(_encode(batch)) for batch in batches)
        if self._end + len(data) > self._max_bytes:
            return False
        self._write(data)
        return True

    def read(self, points: int) -> Iterator[tuple[MetricBatch, int]]:
        """Go through waiting batches until about ``points`` points were given.

        Each comes with the position behind it, for :meth:`mark_delivered`.
        """
        position = self._read_to
        while points > 0 and position < self._end:
            found = self._frame(position)
            if found is None:
                self._end = position
                return
            payload, position = found
            batch = _decode(payload)
            points -= len(batch.steps)
            yield batch, position

    def mark_delivered(self, position: int) -> None:
        """Go on behind ``position`` at the next read."""
        self._read_to = position

    def remove(self) -> None:
        """Delete the file; everything in it was delivered."""
        self.path.unlink(missing_ok=True)
        self._file.close()

    def close(self) -> None:
        """Leave the file to whoever adopts it."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        self._file.seek(self._end)
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), self._end)
            raise
        self._end += len(data)

    def _read_owner(self) -> SpoolOwner | None:
        self._end = os.fstat(self._file.fileno()).st_size
        self._file.seek(0)
        if self._file.read(len(_MAGIC)) != _MAGIC:
            return None
        found = self._frame(len(_MAGIC))
        if found is None:
            return None
        payload, self._read_to = found
        facts = json.loads(payload)
        return SpoolOwner(str(facts["run_id"]), int(facts["attempt_id"]))

    def _frame(self, position: int) -> tuple[bytes, int] | None:
        """Read one payload and the position behind it, None when it is torn or damaged."""
        self._file.seek(position)
        head = self._file.read(_FRAME.size)
        if len(head) < _FRAME.size:
            return None
        length, checksum = _FRAME.unpack(head)
        if position + _FRAME.size + length > self._end:
            return None
        payload = self._file.read(length)
        if len(payload) < length or zlib.crc32(payload) != checksum:
            return None
        return payload, position + _FRAME.size + length


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _encode(batch: MetricBatch) -> bytes:
    key = batch.key.encode()
    head = _HEAD.pack(batch.attempt_id, batch.batch, len(batch.steps), len(key))
    columns = (
        array("q", batch.steps),
        array("q", batch.timestamps),
        array("d", batch.values),
    )
    return head + key + b"".join(_little(column) for column in columns)


def _decode(payload: bytes) -> MetricBatch:
    attempt_id, batch, points, key_length = _HEAD.unpack_from(payload)
    start = _HEAD.size + key_length
    key = payload[_HEAD.size : start].decode()
    columns = [payload[start + 8 * points * n : start + 8 * points * (n + 1)] for n in range(3)]
    steps, timestamps = array("q", columns[0]), array("q", columns[1])
    values = array("d", columns[2])
    if sys.byteorder == "big":
        for column in (steps, timestamps, values):
            column.byteswap()
    return MetricBatch(attempt_id, key, batch, steps, timestamps, values)


def _little(column: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()  # the caller's own copy
    return column.tobytes()
