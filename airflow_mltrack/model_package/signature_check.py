"""Brings incoming rows into the form a model was trained on, and says what is new about them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput, shorten
from airflow_mltrack.model_package.column_types import convert
from airflow_mltrack.model_package.signature import Column, Signature, Violation, describe

if TYPE_CHECKING:
    import pandas

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
            for column in signature.columns
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
    if missing := [name for name in signature.names if name not in given]:
        raise InvalidInput(
            "columns",
            given,
            f"the model needs {', '.join(map(shorten, missing[:_SHOWN]))}"
            f"{' and more' if len(missing) > _SHOWN else ''}, which are not there.",
            f"It takes {len(signature.columns)} columns; see its signature.",
        )
    if repeated := {name for name in signature.names if given.count(name) > 1}:
        raise InvalidInput("columns", sorted(repeated), "each may be given once.")
    frame = data.iloc[:, [given.index(name) for name in signature.names]]
    frame.columns = list(signature.names)
    return frame, tuple(name for name in given if name not in set(signature.names))


def _convert(signature: Signature, frame: pandas.DataFrame) -> pandas.DataFrame:
    import pandas

    columns, failed = {}, []
    for column in signature.columns:
        values = frame[column.name]
        converted = convert(values, column.type, column.dtype)
        if converted is None:
            failed.append(_mismatch(column, values))
        else:
            columns[column.name] = converted
    if failed:
        raise InvalidInput("model input", f"{len(frame)} rows", " ".join(failed[:_SHOWN]))
    return pandas.DataFrame(columns, index=frame.index)


def _mismatch(column: Column, values: pandas.Series[Any]) -> str:
    text = f"column {column.name!r} is {values.dtype}, the model wants {column.type}"
    if column.type in ("integer", "long") and bool(values.isna().any()):
        return f"{text}, which cannot be missing (there were no missing values in training)."
    return f"{text}, and converting it would lose something."


def _violations(column: Column, values: pandas.Series[Any]) -> list[Violation]:
    missing = values.isna()
    known = values[~missing]
    found = []
    if not column.nullable and (rows := int(missing.sum())):
        found.append(
            Violation(
                column.name,
                "missing",
                rows,
                f"Column {column.name!r} is missing in {rows} rows and never was in training.",
            )
        )
    if column.minimum is not None and column.maximum is not None:
        numbers = known.astype("float64")
        outside = (numbers < column.minimum) | (numbers > column.maximum)
        if rows := int(outside.sum()):
            found.append(
                Violation(
                    column.name,
                    "range",
                    rows,
                    f"Column {column.name!r} is outside {column.minimum:g} to "
                    f"{column.maximum:g} in {rows} rows.",
                )
            )
    if column.categories is not None:
        unknown = known[~known.astype(object).isin(list(column.categories))]
        if len(unknown):
            shown = ", ".join(shorten(str(value), 40) for value in unknown.unique()[:_SHOWN])
            found.append(
                Violation(
                    column.name,
                    "category",
                    len(unknown),
                    f"Column {column.name!r} has unknown categories in {len(unknown)} rows: "
                    f"{shown}.",
                )
            )
    return found


def _checked_array(spec: tuple[str, int], data: Any) -> Any:
    import numpy

    dtype, width = spec
    try:
        array = numpy.asarray(data)
        if array.dtype.kind not in "biuf":
            array = array.astype("float64")
        converted = array.astype(dtype, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            "model input", type(data).__name__, f"the model wants an array of {dtype}: {error}."
        ) from error
    if converted.ndim != 2 or converted.shape[1] != width:
        raise InvalidInput(
            "model input", f"shape {converted.shape}", f"the model wants {width} columns."
        )
    return converted
