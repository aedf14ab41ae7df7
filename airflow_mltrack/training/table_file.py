"""Read a table from a file of any size, with the sha256 of its full content."""

from __future__ import annotations

import gzip
import hashlib
import io
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from airflow_mltrack.exceptions import (
    DataUnavailable,
    InvalidInput,
    MltrackError,
    NotFound,
    shorten,
)

if TYPE_CHECKING:
    import pandas as pd

Opener = Callable[[str], BinaryIO]
"""Opens a URI for reading bytes."""

_CHUNK = 1 << 20
_IN_MEMORY = 64 << 20  # larger files wait in a temporary file
_HTTP_TIMEOUT = 30
_NO_VALUE = "(empty)"
_PASSING_STATUS = (408, 425, 429)  # beside all from 500 on
_LASTING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table as it was read."""

    frame: pd.DataFrame
    digest: str
    """sha256 of the file's bytes, hexadecimal."""
    format: str
    """``csv``, ``csv.gz`` or ``parquet``."""
    notes: list[str] = field(default_factory=list)


def without_secrets(uri: str) -> str:
    """Leave out user, password and query of a network address: they may hold keys."""
    parts = urlsplit(uri)
    if not parts.netloc or parts.scheme == "file":
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def open_uri(uri: str) -> BinaryIO:
    """Open a local path, a ``file://`` or an ``http(s)://`` URI for reading.

    :raises NotFound: when there is nothing to read.
    :raises DataUnavailable: when a server does not answer, or answers that it cannot now.
    :raises InvalidInput: when the scheme needs Airflow's object storage.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        return _open_http(uri)
    if len(parts.scheme) > 1 and parts.scheme != "file":
        raise InvalidInput(
            "data set URI",
            without_secrets(uri),
            f"nothing here opens {parts.scheme}:// addresses.",
            "Inside Airflow the hook opens them through object storage; elsewhere pass opener=.",
        )
    path = Path(unquote(parts.path) if parts.scheme == "file" else uri).expanduser()
    try:
        return path.open("rb")
    except OSError as error:
        raise NotFound(
            "data set", without_secrets(uri), f"{error.strerror}. Check the path."
        ) from error


def read_table(uri: str, opener: Opener | None = None) -> TableFile:
    """Read a CSV, gzip CSV or Parquet file; the format is told by its first bytes.

    :raises NotFound: when it cannot be opened.
    :raises DataUnavailable: when its server does not answer, or stops in the middle.
    :raises InvalidInput: when it is not a table, is empty or repeats a column name.
    :raises MltrackError: when a large file finds no room in the temporary directory.
    """
    digest, copy = _copy(uri, opener or open_uri)
    with copy as local:
        kind = _format(local)
        try:
            frame, notes = _read_parquet(local) if kind == "parquet" else _read_csv(local, kind)
        except (ValueError, OSError, EOFError) as error:  # pandas' and pyarrow's are ValueErrors
            if isinstance(error, InvalidInput):
                raise
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no content"
            raise InvalidInput(
                "data set",
                without_secrets(uri),
                f"it cannot be read as a table: {reason}.",
                _FORMATS,
            ) from error
    if frame.empty:
        raise InvalidInput("data set", without_secrets(uri), "it has no rows.", "Check the file.")
    return TableFile(frame, digest, kind, notes)


_FORMATS = "Give a CSV (UTF-8, one header line), a gzip CSV or a Parquet file."


def _open_http(uri: str) -> BinaryIO:
    try:
        return cast("BinaryIO", urllib.request.urlopen(uri, timeout=_HTTP_TIMEOUT))  # noqa: S310 - http(s) only, see open_uri
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _PASSING_STATUS:
            raise DataUnavailable(without_secrets(uri), f"{error}.") from error
        raise NotFound("data set", without_secrets(uri), f"{error}. Check the address.") from error
    except InvalidURL as error:
        raise InvalidInput("data set URI", without_secrets(uri), f"{error}.") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataUnavailable(without_secrets(uri), f"{reason}.") from error


def _copy(uri: str, opener: Opener) -> tuple[str, BinaryIO]:
    """Copy the source, into memory while it is small, and return its sha256 and the copy."""
    sha = hashlib.sha256()
    with ExitStack() as on_failure:
        copy: BinaryIO = on_failure.enter_context(io.BytesIO())
        for chunk in _chunks(uri, opener):
            sha.update(chunk)
            try:
                if copy.tell() <= _IN_MEMORY < copy.tell() + len(chunk):
                    copy = on_failure.enter_context(_on_disk(copy))
                copy.write(chunk)
            except OSError as error:
                raise _no_room(uri, error) from error
        on_failure.pop_all()  # the caller closes it
    copy.seek(0)
    return sha.hexdigest(), copy


def _no_room(uri: str, error: OSError) -> MltrackError:
    return MltrackError(
        f"The data set {shorten(without_secrets(uri))} finds no room in {tempfile.gettempdir()} "
        f"while it is read: {error.strerror}. Make room there, or set TMPDIR."
    )


def _chunks(uri: str, opener: Opener) -> Iterator[bytes]:
    try:
        with closing(opener(uri)) as source:
            while chunk := source.read(_CHUNK):
                yield chunk
            # http.client says nothing when the connection ends before the promised length.
            missing = source.length if isinstance(source, HTTPResponse) else None
    except _LASTING as error:
        raise NotFound("data set", without_secrets(uri), f"It cannot be read: {error}.") from error
    except (OSError, HTTPException) as error:
        raise DataUnavailable(without_secrets(uri), f"{error}.") from error
    if missing:
        raise DataUnavailable(without_secrets(uri), f"the answer stopped {missing} bytes early.")


def _on_disk(copy: BinaryIO) -> BinaryIO:
    """Go on in a temporary file, which disappears by itself."""
    moved = cast("BinaryIO", tempfile.TemporaryFile(buffering=0))  # noqa: SIM115 - _copy closes it
    try:
        moved.write(cast("io.BytesIO", copy).getbuffer())
    except OSError:
        moved.close()
        raise
    return moved


def _format(buffer: BinaryIO) -> str:
    magic = buffer.read(4)
    buffer.seek(0)
    if magic == b"PAR1":
        return "parquet"
    return "csv.gz" if magic[:2] == b"\x1f\x8b" else "csv"


def _read_parquet(buffer: BinaryIO) -> tuple[pd.DataFrame, list[str]]:
    import pandas as pd
    import pyarrow.parquet

    _refuse_repeated(list(pyarrow.parquet.read_schema(buffer).names))
    buffer.seek(0)
    frame = pd.read_parquet(buffer)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return frame, []


def _read_csv(buffer: BinaryIO, kind: str) -> tuple[pd.DataFrame, list[str]]:
    import pandas as pd

    plain = (
        cast("BinaryIO", gzip.GzipFile(fileobj=buffer, mode="rb")) if kind == "csv.gz" else buffer
    )
    head = plain.read(_CHUNK)
    if b"\0" in head:
        raise InvalidInput("data set", "binary content", "it is not text.", _FORMATS)
    separator = _separator(head.decode("utf-8-sig", errors="replace").partition("\n")[0])
    plain.seek(0)
    names = pd.read_csv(plain, header=None, nrows=1, dtype=str, sep=separator, encoding="utf-8-sig")
    _refuse_repeated([str(name) for name in names.iloc[0].fillna(_NO_VALUE)])
    plain.seek(0)
    frame = pd.read_csv(plain, sep=separator, encoding="utf-8-sig", low_memory=False)
    if not isinstance(frame.index, pd.RangeIndex):
        raise InvalidInput("data set", separator, "its rows have more cells than its header.")
    notes = [] if separator == "," else [f"columns are separated by {separator!r}"]
    return frame, notes


def _separator(header: str) -> str:
    """Guess the separator: a comma unless the header has none but another usual one."""
    if "," in header:
        return ","
    return next((other for other in (";", "\t", "|") if other in header), ",")


def _refuse_repeated(names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InvalidInput(
            "column name", repeated[0], "two columns have it.", "Rename one of them in the file."
        )
