"""Read a column of the judged rows as moments in time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput, shorten

if TYPE_CHECKING:
    import pandas as pd

    Column = pd.Series[Any]

_ACCEPTED = "it holds dates, ISO 8601 text such as 2024-03-31, or year-months such as 2024-03."
_MONTH_DIGITS, _DAY_DIGITS = 6, 8


def newest_moment(column: Column) -> datetime:
    """Return the newest value of a column, missing ones left aside.

    What has no zone counts as UTC, a date as its first moment, and a year-month as the first moment
    of its first day. Numbers are read as ``202403`` or ``20240331``, and nothing else.

    :raises InvalidInput: when a value is no time, or there is none at all.
    """
    known = column.dropna().drop_duplicates()
    if known.empty:
        raise InvalidInput("time column", column.name, "it has no value in the judged rows.")
    try:
        newest = _as_utc(known).max()
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        reason = shorten(str(error).partition("\n")[0], 200)
        raise InvalidInput("time column", column.name, f"{_ACCEPTED} {reason}") from error
    found: datetime = newest.to_pydatetime(warn=False)
    return found


def _as_utc(known: Column) -> Column:
    """Convert every value, or raise ValueError."""
    import pandas as pd

    types = pd.api.types
    if isinstance(known.dtype, pd.CategoricalDtype):
        known = known.astype(object)
    if types.is_object_dtype(known.dtype):
        known = known.infer_objects()
    if isinstance(known.dtype, pd.PeriodDtype):
        known = pd.Series(known.dt.to_timestamp())
    if types.is_bool_dtype(known.dtype):
        raise ValueError("True and False are no times.")
    if types.is_numeric_dtype(known.dtype):
        known = _digits(known)
    elif not types.is_datetime64_any_dtype(known.dtype):
        _refuse_words(known)
    return pd.Series(pd.to_datetime(known, format="ISO8601", utc=True))


def _digits(numbers: Column) -> Column:
    """Write 202403 as 2024-03 and 20240331 as 2024-03-31."""
    import pandas as pd

    texts = []
    for number in numbers.tolist():
        text = f"{number:.0f}"
        if number != int(text) or len(text) not in (_MONTH_DIGITS, _DAY_DIGITS):
            raise ValueError(f"{number} is no such number.")
        texts.append("-".join(part for part in (text[:4], text[4:6], text[6:]) if part))
    return pd.Series(texts, dtype=object)


def _refuse_words(known: Column) -> None:
    """Refuse numbers among texts, and words: pandas takes ``now`` for a time."""
    for value in known:
        if isinstance(value, (bool, int, float)):
            raise TypeError(f"{value} is a number among other values.")
        if isinstance(value, str) and not value.strip()[:1].isdigit():
            raise ValueError(f"{value!r} is no time.")
