"""Incoming columns to the types of training, when nothing is lost by it.

These are MLflow's conversions (narrow to wide numbers, whole numbers to floating point, texts to
dates) and those of the same spirit that keep every value: whole floating-point numbers to integers,
wide integers to narrow ones that hold them. A floating-point number is rounded to the digits of a
narrower type, as those of training were. Everything else is refused: a number out of range, a whole
number that floating point would round, a time that would be cut, a missing value where the type
has no place for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.model_package.number_casts import changed_by_cast
from airflow_mltrack.model_package.signature import UNKNOWN_DTYPE

if TYPE_CHECKING:
    import numpy
    import pandas
    from numpy.typing import NDArray

    from airflow_mltrack.model_package.signature import Column

_STAND_IN = {"integer": "int32", "long": "int64", "float": "float32", "double": "float64"}
"""What numbers of a type fit into when training held them as objects or as a category."""
CORRECT = "Correct the values, or train the model on data that has such values, too."
"""The next step when values do not fit a type."""
_FILL = "Fill them, or train the model on data in which the column is missing, too."


def convert(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    """Convert a column to the type of training.

    :param column: what the model wants.
    :param values: what it gets.
    :raises InvalidInput: when something would be lost; names the column, the first value, the rule.
    """
    same = str(values.dtype) == column.dtype
    if same and column.dtype not in ("object", "category"):
        return values
    try:
        converted = _CONVERSIONS[column.type](column, values)
    except InvalidInput:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        rule = f"which {values.dtype} cannot become: {error}"
        raise _refusal(column, values, None, rule) from error
    return values if same else converted


def _to_number(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    import numpy
    from pandas.api.types import pandas_dtype

    numbers, target = _numbers(column, values), pandas_dtype(column.dtype)
    missing = numbers.isna()
    if isinstance(target, numpy.dtype) and target.kind in "iu":
        _refuse_missing(column, numbers)
    held = _number_type(column, target, missing)
    known = numbers[~missing].to_numpy(dtype=_numpy_dtype(numbers.dtype))
    changed = numpy.zeros(len(numbers), dtype=bool)
    changed[~missing.to_numpy(dtype=bool)] = changed_by_cast(known, held)
    if changed.any():
        raise _refusal(column, values, changed, _reach(known, held))
    with numpy.errstate(under="ignore"):
        if held == _numpy_dtype(target):
            return numbers.astype(target)
        return numbers.astype(held).astype(target)


def _number_type(column: Column, target: Any, missing: pandas.Series[bool]) -> numpy.dtype[Any]:
    """Choose the type in which the numbers are held: as objects or a category, MLflow's."""
    import numpy

    found = _numpy_dtype(target)
    if found.kind in "iuf":
        return found
    whole = column.type in ("integer", "long")
    return numpy.dtype("float64" if whole and missing.any() else _STAND_IN[column.type])


def _numpy_dtype(dtype: Any) -> numpy.dtype[Any]:
    """Give numpy's name of a pandas type; a type that numpy does not know counts as object."""
    import numpy

    found = getattr(dtype, "numpy_dtype", dtype)
    return found if isinstance(found, numpy.dtype) else numpy.dtype(object)


def _numbers(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    """Give a column of numbers; texts and booleans are none."""
    import pandas

    types = pandas.api.types
    if isinstance(values.dtype, pandas.CategoricalDtype):
        values = values.astype(values.dtype.categories.dtype if not values.hasnans else object)
    if types.is_object_dtype(values.dtype):
        kind = types.infer_dtype(values, skipna=True)
        if kind == "integer":
            return values.astype("Int64")
        if kind in ("floating", "mixed-integer-float", "decimal", "empty"):
            return values.astype("float64")
    elif types.is_integer_dtype(values.dtype) or types.is_float_dtype(values.dtype):
        return values
    raise _refusal(column, values, _fails(_is_number, values), "which takes numbers")


def _is_number(value: object) -> bool:
    from numbers import Real

    return isinstance(value, Real) and not isinstance(value, bool)


def _reach(numbers: NDArray[Any], held: numpy.dtype[Any]) -> str:
    """Say what a type of numbers can hold."""
    import numpy

    if held.kind in "iu":
        limits = numpy.iinfo(held)
        return f"which takes whole numbers from {limits.min} to {limits.max}"
    if numbers.dtype.kind in "iu":
        return "which would round such a large whole number"
    return "which does not reach numbers of this size"


def _to_boolean(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    import numpy
    from pandas.api.types import pandas_dtype

    target = pandas_dtype(column.dtype)
    broken = _fails(_is_boolean, values)
    if broken.any():
        raise _refusal(column, values, broken, "which takes true and false")
    if isinstance(target, numpy.dtype) and target.kind == "b":
        _refuse_missing(column, values)
    return values.astype(target)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def _to_text(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    return _objects(column, values, str, "which takes texts")


def _to_any(_: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    return values


def _to_binary(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    return _objects(column, values, bytes, "which takes bytes")


def _objects(
    column: Column, values: pandas.Series[Any], kind: type, rule: str
) -> pandas.Series[Any]:
    from pandas.api.types import pandas_dtype

    broken = _fails(lambda value: isinstance(value, kind), values)
    if broken.any():
        raise _refusal(column, values, broken, rule)
    if column.dtype == UNKNOWN_DTYPE:
        return values
    return values.astype(object).astype(pandas_dtype(column.dtype))


def _fails(check: Callable[[object], bool], values: pandas.Series[Any]) -> pandas.Series[bool]:
    """Say which values are there and fail a check."""
    objects = values.astype(object)
    return objects.notna() & ~objects.map(check).astype(bool)


def _to_datetime(column: Column, values: pandas.Series[Any]) -> pandas.Series[Any]:
    import pandas

    if pandas.api.types.is_numeric_dtype(values.dtype):
        raise _refusal(column, values, values.notna(), "which takes dates and times")
    times = pandas.to_datetime(values, format="ISO8601", errors="coerce")
    broken = values.notna() & times.isna()
    if broken.any():
        raise _refusal(column, values, broken, "which takes dates and times in ISO 8601")
    if column.dtype == UNKNOWN_DTYPE:
        return times
    converted = times.astype(pandas.api.types.pandas_dtype(column.dtype))
    cut = times.notna() & (converted != times)
    if cut.any():
        raise _refusal(column, values, cut, "which would cut the time")
    return converted


def _refuse_missing(column: Column, values: pandas.Series[Any]) -> None:
    missing = values.isna()
    if missing.any():
        raise _refusal(column, values, missing, "which cannot be missing", _FILL)


def _refusal(
    column: Column, values: pandas.Series[Any], broken: Any, rule: str, hint: str = CORRECT
) -> InvalidInput:
    """Word what is wrong with the rows of a mask; None when they are not known."""
    import numpy

    found, where = values.dropna().iloc[:1], ""
    if broken is not None:
        rows = numpy.flatnonzero(numpy.asarray(broken, dtype=bool))
        found = values.iloc[rows[:1]]
        where = f"; {len(rows)} of {len(values)} rows break this, first row {rows[0]} (from 0)"
    [value] = found.astype(object).tolist() or [None]
    return InvalidInput(
        f"column {column.name!r}",
        None if found.isna().any() else value,
        f"the model wants {column.type} ({column.dtype}), {rule.rstrip('.')}{where}.",
        hint,
    )


_CONVERSIONS = {
    "boolean": _to_boolean,
    "integer": _to_number,
    "long": _to_number,
    "float": _to_number,
    "double": _to_number,
    "string": _to_text,
    "datetime": _to_datetime,
    "binary": _to_binary,
    "any": _to_any,
}
