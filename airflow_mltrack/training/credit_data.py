"""The demonstration's data: UCI's 'Default of credit card clients', or a generated portfolio.

Yeh, I-C. (2009). Default of Credit Card Clients [data set]. UCI Machine Learning Repository,
doi:10.24432/C55S3H, CC BY 4.0. What counts as it is pinned: the sha256 of its table as CSV.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import queue
import tempfile
import threading
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.training.dataset import DatasetSpec
from airflow_mltrack.training.loan_portfolio import TARGET as GENERATED_TARGET
from airflow_mltrack.training.loan_portfolio import portfolio_uri

if TYPE_CHECKING:
    from http.client import HTTPResponse

UCI_URL = "https://archive.ics.uci.edu/static/public/350/data.csv"
UCI_SHA256 = "f7b7d22d1f8dd27dadb25d4b78d8a4ae7c441ab6cc12d1ea58c0efc54d4d1788"
UCI_TARGET = "default.payment.next.month"
FILE_NAME = "uci_default_credit_card.csv"

# The archive's CSV calls the columns ID, X1 to X23 and Y; these are the names of its spreadsheet.
COLUMNS = (
    "ID",
    "LIMIT_BAL",
    "SEX",
    "EDUCATION",
    "MARRIAGE",
    "AGE",
    *(f"PAY_{month}" for month in (0, 2, 3, 4, 5, 6)),
    *(f"BILL_AMT{month}" for month in range(1, 7)),
    *(f"PAY_AMT{month}" for month in range(1, 7)),
    UCI_TARGET,
)
_LARGEST = 64 << 20
_READ_SECONDS = 120
_GRACE_SECONDS = 3  # a name server that does not answer is not covered by a socket's timeout


@dataclass(frozen=True, slots=True)
class CreditData:
    """The data that will be used, and why these."""

    spec: DatasetSpec
    origin: str
    """``cache``, ``download`` or ``generated``."""
    message: str
    """What was done and why, for people."""

    @property
    def synthetic(self) -> bool:
        """Whether the rows are made up."""
        return self.origin == "generated"


def fetch_credit_data(
    directory: Path,
    *,
    timeout: float = 5.0,
    rows: int = 10_000,
    seed: int = 42,
    url: str = UCI_URL,
) -> CreditData:
    """Find the UCI data set in ``directory``, download it there, or name a generated portfolio.

    Only a table with the pinned sha256 is used. The generated portfolio is marked synthetic in its
    record, and the message says why it is used.

    :param directory: where the verified download is kept; made when missing.
    :param timeout: seconds to wait for the archive's answer.
    :param rows: size of the generated portfolio, if it comes to that.
    """
    kept = directory / FILE_NAME
    if kept.is_file() and _sha256(kept.read_bytes()) == UCI_SHA256:
        return CreditData(_uci_spec(kept), "cache", f"UCI data set 350, verified, from {kept}")
    try:
        table = canonical_csv(_download(url, timeout))
    except (OSError, InvalidInput) as error:
        reason = str(error) if isinstance(error, InvalidInput) else _unreachable(url, error)
        return CreditData(
            DatasetSpec(uri=portfolio_uri(rows=rows, seed=seed), target=GENERATED_TARGET),
            "generated",
            f"{reason} Instead a GENERATED loan portfolio of {rows:,} rows is used: every record "
            "and every number from it is marked synthetic.",
        )
    _write(kept, table)
    return CreditData(_uci_spec(kept), "download", f"UCI data set 350, verified, from {url}")


def canonical_csv(downloaded: bytes) -> bytes:
    """Bring the archive's CSV into the pinned form.

    :raises InvalidInput: when the result is not the pinned table.
    """
    table = _renamed(downloaded)
    found = _sha256(table)
    if found != UCI_SHA256:
        raise InvalidInput(
            "download",
            f"sha256 {found}",
            f"the archive's answer is not the pinned data set ({UCI_SHA256}) and is not used.",
        )
    return table


def _renamed(downloaded: bytes) -> bytes:
    """Give the columns their names and order, and every number one way to be written."""
    try:
        lines = csv.reader(io.StringIO(downloaded.decode("utf-8-sig")))
        header = next(lines)
        order = [header.index(name) for name in _names_in(header)]
        cells = [[_whole(line[index]) for index in order] for line in lines if line]
    except (ValueError, IndexError, StopIteration) as error:
        raise InvalidInput(
            "download",
            downloaded[:40].decode("latin-1"),
            "the archive's answer is not the table of data set 350 and is not used.",
        ) from error
    text = "".join(f"{','.join(line)}\n" for line in [list(COLUMNS), *cells])
    return text.encode()


def _names_in(header: list[str]) -> list[str]:
    if "X1" in header:
        return ["ID", *(f"X{number}" for number in range(1, 24)), "Y"]
    return list(COLUMNS)


def _whole(cell: str) -> str:
    number = float(cell)
    if not number.is_integer():
        raise ValueError(cell)
    return str(int(number))


def _download(url: str, timeout: float) -> bytes:
    """Read the whole answer; a thread, because looking up a name cannot be timed out otherwise."""
    answers: queue.Queue[bytes | OSError | None] = queue.Queue()

    def work() -> None:
        try:
            with cast("HTTPResponse", urllib.request.urlopen(url, timeout=timeout)) as response:  # noqa: S310 - the caller's own address
                answers.put(None)  # it answers
                answers.put(response.read(_LARGEST))
        except OSError as error:
            answers.put(error)
        except ValueError as error:
            answers.put(OSError(str(error)))

    threading.Thread(target=work, daemon=True, name="mltrack-download").start()
    try:
        first = answers.get(timeout=timeout + _GRACE_SECONDS)
        found = answers.get(timeout=_READ_SECONDS) if first is None else first
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout:g} seconds") from None
    if isinstance(found, bytes):
        return found
    raise found if found is not None else TimeoutError("the answer stopped")


def _unreachable(url: str, error: OSError) -> str:
    reason = getattr(error, "reason", None) or error
    return f"The UCI archive ({urlsplit(url).netloc}) cannot be reached: {reason}."


def _uci_spec(path: Path) -> DatasetSpec:
    return DatasetSpec(uri=str(path.absolute()), target=UCI_TARGET, drop=("ID",))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Write so that nobody ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(data)
        part.flush()
        os.fsync(part.fileno())
    Path(part.name).replace(path)
