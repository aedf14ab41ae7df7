"""Brings incoming rows into the form a model was trained on, and says what is new about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput, shorten
from airflow_mltrack.model_package.column_conversion import CORRECT, convert
from airflow_mltrack.model_package.number_casts import changed_by_cast
from airflow_mltrack.model_package.signature import Column, Signature, Violation, describe

if TYPE_CHECKING:
    import numpy
    import pandas
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CheckedInput:
    """Rows as the model wants them."""

    data: Any
    """A DataFrame with the columns of training in their order and types, or an array."""
    violations: tuple[Violation, ...] = ()
    """Values that training data did not have."""
    dropped: tuple[str, ...] = ()
    """Columns that the model does not know; they are not in ``data``."""


def check_input(signature: Signature, data: Any, *, constraints: str = "warn") -> CheckedInput:
    """Check rows against a signature and convert them.

    Extra columns are dropped, the order is put right, types are converted when nothing is lost by
    it.

    :param data: a DataFrame; for a model that takes an array, anything that numpy makes one of.
    :param constraints: ``error`` refuses values that training data did not have (a number outside
        its range, an unknown category, a null in a column that had none); ``warn`` logs them;
        ``ignore`` does not look.
    :raises InvalidInput: when columns are missing or cannot be converted, naming all of them; and
        on violations with ``constraints="error"``.
    """
    if constraints not in ("error", "warn", "ignore"):
        raise InvalidInput("constraints", constraints, "it is error, warn or ignore.")
    if signature.array is not None:
        return CheckedInput(_checked_array(signature.array, data))
    if not hasattr(data, "columns"):
        raise InvalidInput(
            "model input", type(data).__name__, "it must be a DataFrame with named columns."
        )
    frame, dropped = _select(signature, data)
    converted = _convert(signature, frame)
    violations: tuple[Violation, ...] = ()
    if constraints != "ignore":
        violations = tuple(
            violation
            for column in _present(signature, converted)
            for violation in _violations(column, converted[column.name])
        )
    if violations and constraints == "error":
        raise InvalidInput(
            "model input",
            f"{len(frame)} rows",
            f"it holds values that the training data did not have. {describe(violations)}",
            'Check where they come from; constraints="warn" predicts all the same.',
        )
    if violations:
        log.warning("The input differs from the training data. %s", describe(violations))
    return CheckedInput(converted, violations, dropped)


def _select(
    signature: Signature, data: pandas.DataFrame
) -> tuple[pandas.DataFrame, tuple[str, ...]]:
    given = [str(name) for name in data.columns]
    required = [column.name for column in signature.columns if column.required]
    if missing := [name for name in required if name not in given]:
        raise InvalidInput(
            "columns",
            given,
            f"the model needs {', '.join(map(shorten, missing[:_SHOWN]))}"
            f"{' and more' if len(missing) > _SHOWN else ''}, which are not there.",
            f"It takes {len(signature.columns)} columns; see its signature.",
        )
    if repeated := {name for name in signature.names if given.count(name) > 1}:
        raise InvalidInput("columns", sorted(repeated), "each may be given once.")
    wanted = [name for name in signature.names if name in given]
    frame = data.iloc[:, [given.index(name) for name in wanted]]
    frame.columns = wanted
    return frame, tuple(name for name in given if name not in set(wanted))


def _present(signature: Signature, frame: pandas.DataFrame) -> Iterator[Column]:
    """Give the columns that are there: optional ones may be absent."""
    return (column for column in signature.columns if column.name in frame.columns)


def _convert(signature: Signature, frame: pandas.DataFrame) -> pandas.DataFrame:
    import pandas

    columns: dict[str, Any] = {}
    refused = [
        error
        for column in _present(signature, frame)
        if (error := _convert_into(columns, column, frame[column.name]))
    ]
    if len(refused) == 1:
        raise refused[0]
    if refused:
        listed = " ".join(
            f"{error.what} {shorten(error.value, 40)!r}: {error.rule}" for error in refused[:_SHOWN]
        )
        raise InvalidInput("model input", f"{len(frame)} rows", listed, refused[0].hint)
    return pandas.DataFrame(columns, index=frame.index)


def _convert_into(
    columns: dict[str, Any], column: Column, values: pandas.Series[Any]
) -> InvalidInput | None:
    """Convert one column; the error is given back, so that all of them can be named."""
    try:
        columns[column.name] = convert(column, values)
    except InvalidInput as error:
        return error
    return None


def violating_rows(signature: Signature, data: Any) -> dict[tuple[str, str], NDArray[numpy.bool_]]:
    """Say which rows hold values that training data did not have.

    :param data: as for :func:`check_input`.
    :return: (column, rule) to a mask over the rows, for every rule that at least one row breaks;
        nothing for a model that takes an array, which has no recorded values.
    :raises InvalidInput: when columns are missing or cannot be converted.
    """
    rows = check_input(signature, data, constraints="ignore").data
    return {
        (column.name, rule): broken.to_numpy(dtype=bool)
        for column in _present(signature, rows)
        for rule, broken in _broken_rules(column, rows[column.name])
    }


def _violations(column: Column, values: pandas.Series[Any]) -> list[Violation]:
    return [
        Violation(column.name, rule, int(broken.sum()), _wording(column, rule, values[broken]))
        for rule, broken in _broken_rules(column, values)
    ]


def _broken_rules(
    column: Column, values: pandas.Series[Any]
) -> Iterator[tuple[str, pandas.Series[bool]]]:
    """Give every rule that some values break, and a mask of those values."""
    missing = values.isna()
    if not column.nullable and missing.any():
        yield "missing", missing
    if column.minimum is not None and column.maximum is not None:
        numbers = values.astype("float64")
        outside = ~missing & ((numbers < column.minimum) | (numbers > column.maximum))
        if outside.any():
            yield "range", outside
    if column.categories is not None:
        unknown = ~missing & ~values.astype(object).isin(list(column.categories))
        if unknown.any():
            yield "category", unknown


def _wording(column: Column, rule: str, values: pandas.Series[Any]) -> str:
    rows = len(values)
    if rule == "missing":
        return f"Column {column.name!r} is missing in {rows} rows and never was in training."
    if rule == "range":
        return (
            f"Column {column.name!r} is outside {column.minimum:g} to {column.maximum:g} "
            f"in {rows} rows."
        )
    shown = ", ".join(shorten(str(value), 40) for value in values.unique()[:_SHOWN])
    return f"Column {column.name!r} has unknown categories in {rows} rows: {shown}."


def _checked_array(spec: tuple[str, int], data: Any) -> Any:
    import numpy

    dtype, width = spec
    try:
        array = numpy.asarray(data)
        if array.dtype.kind not in "biuf":
            array = array.astype("float64")
        with numpy.errstate(all="ignore"):
            converted = array.astype(dtype, casting="same_kind")
    # A package may tell any dtype; numpy evaluates what stands in parentheses.
    except (TypeError, ValueError, SyntaxError) as error:
        raise InvalidInput(
            "model input", type(data).__name__, f"the model wants an array of {dtype}: {error}."
        ) from error
    if converted.ndim != 2 or width not in (-1, converted.shape[1]):
        raise InvalidInput(
            "model input",
            f"shape {converted.shape}",
            f"the model wants {'two dimensions' if width == -1 else f'{width} columns'}.",
        )
    _refuse_changed(array, converted.dtype)
    return converted


def _refuse_changed(array: NDArray[Any], dtype: numpy.dtype[Any]) -> None:
    """Refuse numbers that numpy would wrap, overflow or round without a word."""
    import numpy

    if array.dtype.kind not in "iuf" or dtype.kind not in "iuf":
        return
    changed = changed_by_cast(array, dtype)
    if changed.any():
        row, place = (int(index) for index in numpy.argwhere(changed)[0])
        raise InvalidInput(
            f"column {place}",
            array[row, place].item(),
            f"the model wants an array of {dtype}, which does not hold this number; "
            f"{int(changed.sum())} numbers break this, first row {row} (from 0).",
            CORRECT,
        )
