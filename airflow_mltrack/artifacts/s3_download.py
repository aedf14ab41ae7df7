"""Download from S3 in parallel ranges, at a fixed cost of memory."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING

from airflow_mltrack.artifacts.digests import CHUNK, FileHash
from airflow_mltrack.artifacts.s3_errors import error_code
from airflow_mltrack.exceptions import ArtifactError

if TYPE_CHECKING:
    import io

    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

RANGE_BYTES = 32 * 1024 * 1024
"""Bytes of one request: many, because a request costs as much time as a few MiB do."""
PARALLEL_RANGES = 6
"""Requests under way at a time; each keeps a few times ``CHUNK`` bytes in memory."""
TRIES = 4
"""Times that a range is asked for when its connection breaks."""
_NO_SUCH_RANGE = ("InvalidRange", "416")


def download(client: S3Client, bucket: str, name: str, file: io.FileIO) -> str:
    """Write an object to an empty file, opened for reading and writing without a buffer.

    Every thread writes what it receives to its place in the file at once, and the caller's thread
    hashes the file from its beginning as ranges become complete. The way through the page cache is
    cheaper than queues of buffers between threads, memory does not depend on the size of a range,
    and what is hashed is what the file holds.

    :return: the sha256 of the file.
    :raises botocore.exceptions.BotoCoreError: or ``ClientError``, as boto3 raises them.
    """
    first = _first_range(client, bucket, name)
    size, step = _extent(first)
    source = _Object(client, bucket, name, first["ETag"], file.fileno())
    whole = FileHash(file)
    starts = iter(range(step, size, step))
    with ThreadPoolExecutor(PARALLEL_RANGES, "mltrack-download") as pool:
        saving = deque([pool.submit(source.save, 0, min(step, size), first["Body"])])
        try:
            for end in range(step, size + step, step):
                for at in islice(starts, PARALLEL_RANGES + 1 - len(saving)):
                    saving.append(pool.submit(source.save, at, min(at + step, size)))
                saving.popleft().result()
                whole.update_to(min(end, size))
        except BaseException:
            source.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class _Object:
    """One version of an object, and the file that it goes to."""

    client: S3Client
    bucket: str
    name: str
    etag: str
    file: int
    """Descriptor; its position belongs to somebody else."""
    stop: Event = field(default_factory=Event)
    """Set when nobody needs the rest any more."""

    def save(self, at: int, end: int, body: StreamingBody | None = None) -> None:
        """Write bytes ``at`` to ``end``; a connection that breaks is resumed where it broke.

        :param body: an open answer to begin with.
        """
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        for left in reversed(range(TRIES)):
            try:
                with closing(body or self._read(at, end)) as answer:
                    while (data := answer.read(CHUNK)) and not self.stop.is_set():
                        at += _write_all(self.file, data, at)
            except (HTTPClientError, IncompleteReadError):  # noqa: PERF203 - a range is large
                if not left:
                    raise
                body = None
            else:
                return

    def _read(self, at: int, end: int) -> StreamingBody:
        answer = self.client.get_object(
            Bucket=self.bucket, Key=self.name, Range=f"bytes={at}-{end - 1}", IfMatch=self.etag
        )
        if not answer.get("ContentRange", "").startswith(f"bytes {at}-"):
            answer["Body"].close()
            raise ArtifactError(
                self.name, f"bucket {self.bucket}: the server sent other bytes than it was asked."
            )
        return answer["Body"]


def _first_range(client: S3Client, bucket: str, name: str) -> GetObjectOutputTypeDef:
    """Ask for the first range without knowing the size: small objects take one request."""
    from botocore.exceptions import ClientError

    try:
        return client.get_object(Bucket=bucket, Key=name, Range=f"bytes=0-{RANGE_BYTES - 1}")
    except ClientError as error:
        if error_code(error) not in _NO_SUCH_RANGE:
            raise
    return client.get_object(Bucket=bucket, Key=name)  # an empty object has no range


def _extent(first: GetObjectOutputTypeDef) -> tuple[int, int]:
    """Return the size of the whole, and of a range: a server without ranges sends everything."""
    found = first.get("ContentRange", "")
    if not found:
        return first["ContentLength"], max(1, first["ContentLength"])
    return int(found.rpartition("/")[2]), RANGE_BYTES


def _write_all(file: int, data: bytes, at: int) -> int:
    """Write everything at its place: one write may take fewer bytes."""
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done
    return len(data)
