"""Make feature columns plain: numbers, texts, booleans and missing values, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    Column = pd.Series[Any]

_IDENTIFIER_ROWS = 100  # below this, "different in most rows" says little


def plain_columns(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep the columns that a model can learn from, in plain types.

    :return: the features and a note for everything that was left out or changed.
    :raises InvalidInput: when a column holds something that is no number, text or boolean.
    """
    import pandas as pd

    kept: dict[str, Column] = {}
    notes: list[str] = []
    for name in frame.columns:
        column, note = _plain(frame[name])
        reason = _unusable(column)
        if reason is None:
            kept[str(name)] = column
        notes += [f"column {name} {text}" for text in (note, reason) if text]
    return pd.DataFrame(kept, index=frame.index), notes


def is_categorical(column: Column) -> bool:
    """Whether the column holds labels (text, categories, booleans) and not amounts."""
    import pandas as pd

    return pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column)


def column_type(column: Column) -> str:
    """Name the column's type as an MLflow schema does."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_integer_dtype(column):
        return "integer" if column.dtype.itemsize < 8 else "long"  # type: ignore[union-attr]
    return "double" if pd.api.types.is_numeric_dtype(column) else "string"


def _plain(column: Column) -> tuple[Column, str | None]:
    """Convert to a type that every estimator knows; say what was changed."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_bool_dtype(column):
        return (
            (column.astype(object).where(column.notna(), np.nan), None)
            if column.hasnans
            else (
                column.astype(bool),
                None,
            )
        )
    if pd.api.types.is_complex_dtype(column):
        raise InvalidInput("column", column.name, "it holds complex numbers.", _DROP)
    if pd.api.types.is_numeric_dtype(column):
        return _plain_number(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object).where(column.notna(), np.nan), None
    if pd.api.types.is_object_dtype(column):
        return _plain_object(column)
    return column, None


def _plain_number(column: Column) -> tuple[Column, str | None]:
    import numpy as np
    import pandas as pd

    if pd.api.types.is_extension_array_dtype(column.dtype):
        whole = pd.api.types.is_integer_dtype(column) and not column.hasnans
        column = column.astype("int64" if whole else "float64")
    infinite = int(np.isinf(column.to_numpy(dtype="float64", na_value=np.nan)).sum())
    if infinite:
        return column.replace([np.inf, -np.inf], np.nan), f"has {infinite} infinities: made missing"
    return column, None


def _plain_object(column: Column) -> tuple[Column, str | None]:
    import numpy as np
    import pandas as pd

    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "decimal":
        return column.astype("float64"), None
    if kind in ("date", "datetime", "datetime64"):
        return pd.to_datetime(column), None
    if kind not in ("string", "boolean", "empty"):
        raise InvalidInput(
            "column", column.name, f"it holds {kind} values, not numbers, texts or booleans.", _DROP
        )
    return column.where(column.notna(), np.nan), None


_DROP = "Leave it out with drop=, or convert it in the file."


def _unusable(column: Column) -> str | None:
    """Say why a column is no feature; None when it is one."""
    import pandas as pd

    if column.isna().all():
        return "has no value at all: left out"
    if isinstance(column.dtype, pd.PeriodDtype) or column.dtype.kind in "mM":
        return "holds dates or times: left out"
    if not column.hasnans and column.nunique() == 1:
        return f"is {str(column.iloc[0])[:40]!r} in every row: left out"
    return _naming(column)


def _naming(column: Column) -> str | None:
    """Say that texts name single rows: nothing can be learned, and a model would keep them all."""
    rows = int(column.count())
    if rows < _IDENTIFIER_ROWS or not is_categorical(column):
        return None
    distinct = column.nunique()
    if distinct <= rows / 2:
        return None
    return f"has {distinct} different texts in {rows} rows, as names and ids do: left out"
