"""pandas dtypes to MLflow's column types and back, without losing anything."""

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

    if isinstance(values.dtype, pandas.CategoricalDtype):
        values = pandas.Series(values.dtype.categories)
    if pandas.api.types.is_object_dtype(values.dtype):
        values = values.dropna().infer_objects()
    kind = _kind(values.dtype)
    if kind in ("integer", "long") and bool(values.isna().any()):
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


def convert(values: pandas.Series[Any], kind: str, dtype: str) -> pandas.Series[Any] | None:
    """Convert a column to the type of training, when nothing is lost by it.

    MLflow's conversions (narrow to wide numbers, whole numbers to floating point, texts to dates)
    and those of the same spirit that keep every value: whole floating-point numbers to integers,
    wide integers to narrow ones that hold them.

    :param kind: MLflow type that the model wants.
    :param dtype: pandas dtype that the model saw in training.
    :return: the converted column, None when it cannot be converted without a loss.
    """
    if str(values.dtype) == dtype and dtype != "object":
        return values
    import pandas

    try:
        converted = _CONVERSIONS[kind](values)
        if converted is None or str(converted.dtype) == dtype:
            return converted
        return converted.astype(pandas.api.types.pandas_dtype(dtype))
    except (TypeError, ValueError, OverflowError):
        return None


def _to_boolean(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    import pandas

    found = values.dropna()
    if not found.map(
        lambda value: isinstance(value, bool) or type(value).__name__ == "bool_"
    ).all():
        types = pandas.api.types
        if not (types.is_bool_dtype(values.dtype) or types.is_bool_dtype(found.infer_objects())):
            return None
    return values


def _to_integer(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    numbers = _numbers(values)
    if numbers is None or bool(numbers.isna().any()):
        return None
    whole = numbers.astype("int64")
    return whole if bool((whole == numbers).all()) else None


def _to_narrow(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    whole = _to_integer(values)
    if whole is None or not bool(whole.between(-(2**31), 2**31 - 1).all()):
        return None
    return whole


def _to_floating(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    numbers = _numbers(values)
    return None if numbers is None else numbers.astype("float64")


def _numbers(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    """Give a column of numbers; None for texts and booleans, which are not numbers."""
    import pandas

    types = pandas.api.types
    if types.is_object_dtype(values.dtype):
        if values.isna().all():
            return values.astype("float64")
        values = values.infer_objects()
        if types.is_object_dtype(values.dtype):
            known = values.dropna()
            if known.map(lambda value: isinstance(value, str | bytes | bool)).any():
                return None
            values = pandas.to_numeric(values.astype("float64"))
    if types.is_bool_dtype(values.dtype) or not types.is_numeric_dtype(values.dtype):
        return None
    return values


def _to_text(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    import pandas

    if isinstance(values.dtype, pandas.CategoricalDtype):
        values = values.astype(object)
    return values if values.dropna().map(lambda value: isinstance(value, str)).all() else None


def _to_datetime(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    import pandas

    if pandas.api.types.is_numeric_dtype(values.dtype):
        return None
    return pandas.to_datetime(values, format="ISO8601")


def _to_binary(values: pandas.Series[Any]) -> pandas.Series[Any] | None:
    return values if values.dropna().map(lambda value: isinstance(value, bytes)).all() else None


_CONVERSIONS = {
    "boolean": _to_boolean,
    "integer": _to_narrow,
    "long": _to_integer,
    "float": _to_floating,
    "double": _to_floating,
    "string": _to_text,
    "datetime": _to_datetime,
    "binary": _to_binary,
}
