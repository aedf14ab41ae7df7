"""Turn a column into the 0/1 target of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_SHOWN_VALUES = 10


def read_target(
    column: pd.Series[Any], positive: str | float | bool | None
) -> tuple[NDArray[np.int64], list[str]]:
    """Read the target column.

    :param positive: value that is the event; None where the column holds 0/1 or booleans.
    :return: 1 for every event and 0 for the rest, and notes on what was done.
    :raises InvalidInput: when a value is missing, the values are not two classes, or one class is
        empty.
    """
    name = str(column.name)
    missing = int(column.isna().sum())
    if missing:
        raise InvalidInput(
            "target column",
            name,
            f"{missing} of {column.size} rows have no value in it.",
            "Leave those rows out of the file: nobody knows their outcome.",
        )
    events = _zero_one(column, name) if positive is None else _matching(column, positive)
    counted = int(events.sum())
    if counted in (0, events.size):
        raise InvalidInput(
            "target column",
            name,
            f"all {events.size} rows are {'events' if counted else 'non-events'}, "
            f"its values are {_values(column)}.",
            "Two classes are needed to learn.",
        )
    others = column.nunique() - 1
    notes = [f"{others} other values of {name} count as no event"] if others > 1 else []
    return events, notes


def _zero_one(column: pd.Series[Any], name: str) -> NDArray[np.int64]:
    import numpy as np
    import pandas as pd

    numeric = pd.api.types.is_numeric_dtype(column)  # booleans count as numbers here
    if not numeric or not column.isin([0, 1]).all():
        raise InvalidInput(
            "target column",
            name,
            f"it holds {_values(column)}, not 0 and 1.",
            "Say which value is the event: positive=VALUE.",
        )
    return np.asarray(column, dtype=np.int64)


def _matching(column: pd.Series[Any], positive: str | float | bool) -> NDArray[np.int64]:
    """Mark the rows whose value is ``positive``, which may be text from a command line."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        same = column.astype(str).str.lower() == str(positive).lower()
        exact = column.astype(str) == str(positive)
        found = exact if exact.any() else same
    else:
        found = column == _number(positive, column)
    if not found.any():
        raise InvalidInput(
            "positive value",
            positive,
            f"the target column {column.name} holds {_values(column)}.",
            "Give one of them.",
        )
    return np.asarray(found, dtype=np.int64)


def _number(value: str | float | bool, column: pd.Series[Any]) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise InvalidInput(
            "positive value", value, f"the target column {column.name} holds numbers."
        ) from error


def _values(column: pd.Series[Any]) -> str:
    distinct = column.unique()
    shown = ", ".join(repr(str(value)[:40]) for value in distinct[:_SHOWN_VALUES])
    return shown + (f" and {len(distinct) - _SHOWN_VALUES} more" if len(distinct) > 10 else "")
