"""pandas dtypes to MLflow's column types; :mod:`.column_conversion` is the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    import pandas


def logical_type(name: str, values: pandas.Series[Any]) -> str:
    """Name the MLflow type of a column.

    :param name: the column's name, for the error.
    :param values: the column. Whole numbers with missing values (``Int64``) are ``double``:
        MLflow's integer types cannot be missing. A category has the type of its categories.
    :raises InvalidInput: for a type that MLflow cannot describe, for example lists or time spans.
    """
    import pandas

    missing = bool(values.isna().any())
    if isinstance(values.dtype, pandas.CategoricalDtype):
        values = pandas.Series(values.dtype.categories)
    if pandas.api.types.is_object_dtype(values.dtype):
        values = values.dropna().infer_objects()
    kind = _kind(values.dtype)
    if kind in ("integer", "long") and missing:
        return "double"
    if kind is None and pandas.api.types.is_object_dtype(values.dtype):
        kind = _object_kind(values)
    if kind is None:
        raise InvalidInput(
            f"type of column {name!r}",
            str(values.dtype),
            "a model's input is a boolean, a number, a text or a date.",
            "Convert or drop the column before training.",
        )
    return kind


def _kind(dtype: Any) -> str | None:
    import pandas

    types = pandas.api.types
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_integer_dtype(dtype):
        size = dtype.itemsize * (2 if types.is_unsigned_integer_dtype(dtype) else 1)
        return "integer" if size <= 4 else "long"
    if types.is_float_dtype(dtype):
        return "float" if dtype.itemsize <= 4 else "double"
    if types.is_datetime64_any_dtype(dtype):
        return "datetime"
    return "string" if isinstance(dtype, pandas.StringDtype) else None


def _object_kind(values: pandas.Series[Any]) -> str | None:
    """Type of a column of Python objects, by its values; an empty one counts as text."""
    if values.map(lambda value: isinstance(value, str)).all():
        return "string"
    if values.map(lambda value: isinstance(value, bool)).all():
        return "boolean"
    return "binary" if values.map(lambda value: isinstance(value, bytes)).all() else None
