"""Metric chunks in Postgres' binary format, made without looking at single points.

Postgres sends an array as a header and, for each element, its length and its big-endian bytes
(``array_send``, ``array_recv``). Eight strided copies build or undo that at the speed of C;
psycopg's own array dumper is fifteen times slower (``benchmarks/metric_logging.py``), and the store
writes little else as often.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mltrack.entities.metrics import MetricBatch

COPY_CHUNKS = (
    "COPY metric_chunks (attempt, key, batch, points, first_step, last_step, "
    'steps, timestamps, "values") FROM STDIN (FORMAT BINARY)'
)
_COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_COLUMNS = Struct("!h").pack(9)
_LENGTH = Struct("!i")
_BIGINT = Struct("!q")
_ARRAY_HEADER = Struct("!iiIii")
"""Dimensions, whether there are NULLs, the elements' type, the length and the first index."""
_ELEMENT = _LENGTH.pack(8) + bytes(8)
_TYPE_OF_ELEMENTS = {"q": 20, "d": 701}
"""Fixed object ids of bigint and double precision."""


def copy_stream(batches: Iterable[MetricBatch]) -> Iterator[bytes]:
    """Give the bytes for :data:`COPY_CHUNKS`. Every batch holds arrays and at least one point."""
    yield _COPY_START
    for batch in batches:
        yield _row(batch)
    yield _COPY_END


def _row(batch: MetricBatch) -> bytes:
    columns = (
        _BIGINT.pack(batch.attempt_id),
        batch.key.encode(),
        _BIGINT.pack(batch.batch),
        _LENGTH.pack(len(batch.steps)),
        _BIGINT.pack(min(batch.steps)),
        _BIGINT.pack(max(batch.steps)),
        encode_array(batch.steps),
        encode_array(batch.timestamps),
        encode_array(batch.values),
    )
    return _COLUMNS + b"".join(_LENGTH.pack(len(column)) + column for column in columns)


def encode_array(numbers: object) -> bytes:
    """Encode an ``array`` of type ``q`` or ``d`` as bigint[] or double precision[]."""
    if not isinstance(numbers, array):
        raise TypeError(f"an array.array is needed, not {type(numbers).__name__}")
    packed = _swapped(numbers).tobytes()
    elements = bytearray(_ELEMENT * len(numbers))
    for place in range(8):
        elements[4 + place :: 12] = packed[place::8]
    header = _ARRAY_HEADER.pack(1, 0, _TYPE_OF_ELEMENTS[numbers.typecode], len(numbers), 1)
    return header + bytes(elements)


def decode_array(typecode: str, sent: bytes) -> array[Any]:
    """Decode what ``array_send`` gave for a one-dimensional array without NULLs."""
    elements = memoryview(sent)[_ARRAY_HEADER.size :]
    packed = bytearray(len(elements) // 12 * 8)
    for place in range(8):
        packed[place::8] = elements[4 + place :: 12]
    numbers: array[Any] = array(typecode, bytes(packed))
    return _swapped(numbers)


def _swapped(numbers: array[Any]) -> array[Any]:
    """Turn the machine's byte order into the network's, and back; never in place."""
    result = numbers[:]
    if sys.byteorder == "little":
        result.byteswap()
    return result
