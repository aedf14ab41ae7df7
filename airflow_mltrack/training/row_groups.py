"""Cut rows into groups by a column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import shorten
from airflow_mltrack.training.quantile_bins import bin_of, quantile_edges

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

MISSING = "(missing)"
"""Label of the rows without a value."""
_LABEL_LENGTH = 60


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that have something in common."""

    label: str
    """The value, or ``low to high`` for a range; printable."""
    rows: NDArray[np.int64]
    """Positions, at least one."""


# How to word a group, and its rows.
_Found = tuple[Callable[["pd.Series[Any]"], str], "NDArray[np.int64]"]


def group_rows(column: pd.Series[Any], bins: int) -> list[RowGroup]:
    """Cut rows into groups by the values of a column.

    Numbers and moments with more than ``bins`` distinct values are cut at quantiles into at most
    that many ranges; everything else gives a group per value. Missing values are a group of
    their own, the last one.

    :param bins: most ranges, at least 2.
    """
    import numpy as np

    values = column.reset_index(drop=True)
    ordered = _ordered(values)
    absent = values.isna().to_numpy(dtype=bool) if ordered is None else np.isnan(ordered)
    present = np.flatnonzero(~absent)
    found = _by_label(values, present) if ordered is None else _by_number(ordered, present, bins)
    groups = [RowGroup(label(values), rows) for label, rows in found]
    missing = np.flatnonzero(absent)
    return [*groups, RowGroup(MISSING, missing)] if missing.size else groups


def _ordered(values: pd.Series[Any]) -> NDArray[np.float64] | None:
    """Return numbers that order the values, NaN for missing and infinite; None for labels."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        moments = values.to_numpy(dtype="datetime64[ns]")
        return np.where(np.isnat(moments), np.nan, moments.astype(np.int64).astype(np.float64))
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return None
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _by_label(values: pd.Series[Any], present: NDArray[np.int64]) -> list[_Found]:
    import pandas as pd

    codes, _ = pd.factorize(values.iloc[present].astype(str).to_numpy(dtype=object), sort=True)
    return [(partial(_value_at, row=rows[0]), rows) for rows in _parts(codes, present)]


def _by_number(ordered: NDArray[np.float64], present: NDArray[np.int64], bins: int) -> list[_Found]:
    import numpy as np

    numbers = ordered[present]
    distinct, codes = np.unique(numbers, return_inverse=True)
    if distinct.size <= bins:
        return [(partial(_value_at, row=rows[0]), rows) for rows in _parts(codes, present)]
    cut = bin_of(numbers, quantile_edges(numbers, bins))
    return [
        (partial(_range_at, ends=(_lowest(ordered, rows), _lowest(-ordered, rows))), rows)
        for rows in _parts(cut, present)
    ]


def _parts(codes: NDArray[np.int64], rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Part rows by their codes, in the order of the codes; every code has a row."""
    import numpy as np

    if not rows.size:
        return []
    order = np.argsort(codes, kind="stable")
    return np.split(rows[order], np.flatnonzero(np.diff(codes[order])) + 1)


def _lowest(ordered: NDArray[np.float64], rows: NDArray[np.int64]) -> int:
    return int(rows[ordered[rows].argmin()])


def _value_at(values: pd.Series[Any], *, row: int) -> str:
    return _word(values.iloc[row])


def _range_at(values: pd.Series[Any], *, ends: tuple[int, int]) -> str:
    low, high = (_word(values.iloc[row]) for row in ends)
    return low if low == high else f"{low} to {high}"


def _word(value: Any) -> str:
    """Write a value in one short printable line."""
    moment = getattr(value, "isoformat", None)
    if callable(moment):
        return shorten(str(moment()), _LABEL_LENGTH)
    number = isinstance(value, Real) and not isinstance(value, (bool, str))
    return shorten(f"{float(value):.6g}" if number else str(value), _LABEL_LENGTH)
