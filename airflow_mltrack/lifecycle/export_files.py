"""Rows as Arrow batches, and batches as files: Parquet or Arrow IPC, a row group at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltrack.entities.exports import ColumnKind, ExportTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_mltrack.entities.exports import ExportSeries

FORMATS = ("parquet", "arrow")
"""Both also end the names of the files."""
ROWS_IN_GROUP = 131_072
"""Rows that are held in memory and written together, unless their bytes are too many."""
BYTES_IN_GROUP = 16 * 1024 * 1024


class TableFile:
    """One table on its way into a file.

    :param path: where to write.
    :param table: its columns.
    :param form: one of :data:`FORMATS`.
    """

    def __init__(self, path: Path, table: ExportTable, form: str) -> None:
        self.schema = arrow_schema(table)
        self.rows = 0
        self.missing = dict.fromkeys(self.schema.names, 0)
        """How many values each column lacks."""
        self._writer = _open_writer(path, self.schema, form)
        self._waiting: list[Any] = []
        self._waiting_rows = self._waiting_bytes = 0

    def add(self, batch: Any) -> None:
        """Take a record batch; many small ones are written together."""
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        self.rows += batch.num_rows
        for name, column in zip(self.schema.names, batch.columns, strict=True):
            self.missing[name] += column.null_count
        if self._waiting_rows >= ROWS_IN_GROUP or self._waiting_bytes >= BYTES_IN_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what waits and the end of the file."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close the file after an error; nobody will read it."""
        self._waiting.clear()
        with suppress(OSError):
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow

        if self._waiting:
            group = pyarrow.Table.from_batches(self._waiting, self.schema).combine_chunks()
            self._waiting.clear()
            self._waiting_rows = self._waiting_bytes = 0
            self._writer.write_table(group)


@contextmanager
def table_file(path: Path, table: ExportTable, form: str) -> Iterator[TableFile]:
    """Open a file for a table; it is whole when the block ends well."""
    file = TableFile(path, table, form)
    try:
        yield file
    except BaseException:
        file.abandon()
        raise
    file.close()


def arrow_schema(table: ExportTable) -> Any:
    """Return the exact types of a table's columns."""
    import pyarrow

    types = {
        ColumnKind.TEXT: pyarrow.string(),
        ColumnKind.JSON: pyarrow.string(),
        ColumnKind.INTEGER: pyarrow.int64(),
        ColumnKind.NUMBER: pyarrow.float64(),
        ColumnKind.FLAG: pyarrow.bool_(),
        ColumnKind.TIME: pyarrow.timestamp("us", tz="UTC"),
    }
    return pyarrow.schema([(name, types[kind]) for name, kind in table.columns])


def row_batch(rows: Sequence[Sequence[object]], schema: Any) -> Any:
    """Turn rows into a record batch."""
    import pyarrow

    columns = zip(*rows, strict=True)
    arrays = [pyarrow.array(column, type=field.type) for column, field in zip(columns, schema)]  # noqa: B905 - no rows, no columns
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def point_batches(series: Iterable[ExportSeries], schema: Any) -> Iterator[Any]:
    """Turn pieces of metric histories into record batches in long form."""
    waiting: list[ExportSeries] = []
    points = 0
    for piece in series:
        waiting.append(piece)
        points += len(piece.points)
        if points >= ROWS_IN_GROUP:
            yield _point_batch(waiting, schema)
            waiting, points = [], 0
    if waiting:
        yield _point_batch(waiting, schema)


def _point_batch(pieces: Sequence[ExportSeries], schema: Any) -> Any:
    import numpy
    import pyarrow

    steps, times, values = array("q"), array("q"), array("d")
    for piece in pieces:
        steps.extend(piece.points.steps)
        times.extend(piece.points.timestamps)
        values.extend(piece.points.values)
    owner = pyarrow.array(
        numpy.repeat(numpy.arange(len(pieces)), [len(piece.points) for piece in pieces])
    )
    arrays = [
        pyarrow.array([piece.run_id for piece in pieces]).take(owner),
        pyarrow.array([piece.attempt for piece in pieces], type=pyarrow.int64()).take(owner),
        pyarrow.array([piece.key for piece in pieces]).take(owner),
        _without_copy(steps, pyarrow.int64()),
        _microseconds(_without_copy(times, pyarrow.int64())),
        _without_copy(values, pyarrow.float64()),
    ]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _without_copy(numbers: array[Any], kind: Any) -> Any:
    import pyarrow

    return pyarrow.Array.from_buffers(kind, len(numbers), [None, pyarrow.py_buffer(numbers)])


def _microseconds(milliseconds: Any) -> Any:
    """Turn milliseconds into times; those that microseconds do not reach are missing."""
    import pyarrow
    from pyarrow import compute

    last = (2**63 - 1) // 1000
    reached = compute.if_else(
        compute.less_equal(milliseconds, last), milliseconds, pyarrow.scalar(None, pyarrow.int64())
    )
    return compute.multiply(reached, 1000).cast(pyarrow.timestamp("us", tz="UTC"))


def _open_writer(path: Path, schema: Any, form: str) -> Any:
    if form == "parquet":
        from pyarrow import parquet

        return parquet.ParquetWriter(path, schema, compression="zstd")
    from pyarrow import ipc

    return ipc.new_file(path, schema)
