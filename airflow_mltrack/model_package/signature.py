"""What a model expects: columns, types, and the values it has seen.

Two forms are stored. The MLmodel file holds MLflow's own form (``inputs`` and ``outputs`` as JSON
strings), which says names and types. The manifest holds the same columns with what MLflow's form
cannot say: the pandas dtype, whether values were missing, and the values seen in training.

Constraints come from training data and are facts about it: the smallest and largest number of a
column, and the set of categories of a column that has few. A text column with many different values
(names, free text) has no recorded values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.model_package.column_types import logical_type

if TYPE_CHECKING:
    import pandas

    from airflow_mltrack.model_package.signature_check import CheckedInput

MAX_CATEGORIES = 100
"""A column with more distinct values than this has no recorded category set."""
UNKNOWN_DTYPE = "unknown"
"""dtype of a column of which only the type is known: its values keep the dtype that they have."""


@dataclass(frozen=True, slots=True)
class Column:
    """One input column."""

    name: str
    type: str
    """MLflow's name: boolean, integer, long, float, double, string, binary, datetime; ``any`` for
    a column of a model of MLflow's whose values are not looked at."""
    dtype: str
    """pandas dtype in training, for example ``category``; or :data:`UNKNOWN_DTYPE`."""
    nullable: bool = True
    """Whether values were missing in training."""
    minimum: float | None = None
    """Smallest number seen in training; None when not recorded."""
    maximum: float | None = None
    categories: tuple[Any, ...] | None = None
    """Every value seen in training (texts, numbers or booleans); None when not recorded."""
    required: bool = True
    """False where a model of MLflow's takes rows that lack the column."""

    def to_json(self) -> dict[str, Any]:
        """Give the column as JSON-able data."""
        found = {
            "name": self.name,
            "type": self.type,
            "dtype": self.dtype,
            "nullable": self.nullable,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "categories": None if self.categories is None else list(self.categories),
        }
        return found if self.required else {**found, "required": False}


@dataclass(frozen=True, slots=True)
class Violation:
    """A value that training data did not have."""

    column: str
    rule: str
    """``missing`` (a null), ``range`` or ``category``."""
    rows: int
    """How many rows break it."""
    message: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a model: named columns, or one array of numbers."""

    columns: tuple[Column, ...] = ()
    """Named input columns in the order of training; empty for a model that takes an array."""
    array: tuple[str, int] | None = None
    """For a model that takes an array: its numpy dtype and number of columns, -1 for any number."""
    outputs: tuple[Mapping[str, Any], ...] = ()
    """MLflow specifications of what ``predict`` returns."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the input columns."""
        return tuple(column.name for column in self.columns)

    def check(self, data: Any, *, constraints: str = "warn") -> CheckedInput:
        """Check rows and convert them; see :func:`.signature_check.check_input`."""
        from airflow_mltrack.model_package.signature_check import check_input

        return check_input(self, data, constraints=constraints)

    def to_mlflow(self) -> dict[str, str | None]:
        """Give the form of an MLmodel file: JSON texts under ``inputs``, ``outputs``, ``params``.

        A column is required whether it may hold nulls or not: the model fails without it.
        """
        return {
            "inputs": json.dumps(self._mlflow_inputs()),
            "outputs": json.dumps([dict(output) for output in self.outputs])
            if self.outputs
            else None,
            "params": None,
        }

    def to_json(self) -> dict[str, Any]:
        """Give everything as JSON-able data."""
        return {
            "columns": [column.to_json() for column in self.columns],
            "array": list(self.array) if self.array else None,
            "outputs": [dict(output) for output in self.outputs],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signature:
        """Read what :meth:`to_json` gave.

        :raises LookupError: when it is something else; so are ``TypeError``, ``ValueError`` and
            ``AttributeError``.
        """
        columns = []
        for entry in data["columns"]:
            categories = entry.get("categories")
            fields = {**entry, "categories": None if categories is None else tuple(categories)}
            columns.append(Column(**fields))
        array = data.get("array")
        return cls(
            columns=tuple(columns),
            array=(str(array[0]), int(array[1])) if array else None,
            outputs=tuple(dict(output) for output in data.get("outputs", ())),
        )

    def _mlflow_inputs(self) -> list[dict[str, Any]]:
        if self.array is not None:
            dtype, width = self.array
            return [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, width]}}]
        return [
            {"type": column.type, "name": column.name, "required": column.required}
            for column in self.columns
        ]


def infer_signature(inputs: Any, outputs: Any = None, *, constraints: bool = True) -> Signature:
    """Learn a signature from data.

    :param inputs: a DataFrame (better the whole training table than a few rows), or a
        two-dimensional array of numbers for a model that was trained on one.
    :param outputs: what ``predict`` returned for some of the rows; None when unknown.
    :param constraints: whether to record ranges, category sets and where values were missing. Leave
        it out when ``inputs`` are only a few example rows.
    :raises InvalidInput: for inputs of another kind, repeated column names, or a column type that
        no model file can describe.
    """
    described = _output_specs(outputs)
    if hasattr(inputs, "columns"):
        return Signature(columns=_infer_columns(inputs, constraints), outputs=described)
    shape: tuple[int, ...] = getattr(inputs, "shape", ())
    if len(shape) != 2 or inputs.dtype.kind not in "biuf":
        raise InvalidInput(
            "model input",
            type(inputs).__name__,
            "it must be a DataFrame or a two-dimensional array of numbers.",
        )
    return Signature(array=(str(inputs.dtype), int(shape[1])), outputs=described)


def _infer_columns(frame: pandas.DataFrame, constraints: bool) -> tuple[Column, ...]:
    names = [str(name) for name in frame.columns]
    if len(set(names)) != len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInput("column names", repeated, "every column needs a name of its own.")
    return tuple(
        _infer_column(name, frame.iloc[:, place], constraints) for place, name in enumerate(names)
    )


def _infer_column(name: str, values: pandas.Series[Any], constraints: bool) -> Column:
    kind = logical_type(name, values)
    dtype = str(values.dtype)
    if not constraints:
        return Column(name, kind, dtype)
    nullable = bool(values.isna().any())
    low, high = _range(kind, values)
    return Column(name, kind, dtype, nullable, low, high, _categories(kind, values))


def _range(kind: str, values: pandas.Series[Any]) -> tuple[float | None, float | None]:
    import numpy

    if kind not in ("integer", "long", "float", "double"):
        return None, None
    numbers = values.dropna().to_numpy(dtype="float64")
    numbers = numbers[numpy.isfinite(numbers)]
    if not len(numbers):
        return None, None
    return float(numbers.min()), float(numbers.max())


def _categories(kind: str, values: pandas.Series[Any]) -> tuple[Any, ...] | None:
    if kind == "boolean" or (kind != "string" and str(values.dtype) != "category"):
        return None
    seen = values.dropna().unique().tolist()
    # A value per row or two is a name or free text: a fact about people, not a category.
    if not seen or len(seen) > MAX_CATEGORIES or len(seen) * 2 > len(values):
        return None
    return tuple(sorted(seen, key=str))


def _output_specs(outputs: Any) -> tuple[Mapping[str, Any], ...]:
    import numpy

    if outputs is None:
        return ()
    if hasattr(outputs, "columns"):
        return tuple(
            {"type": column.type, "name": column.name, "required": True}
            for column in _infer_columns(outputs, constraints=False)
        )
    array = numpy.asarray(outputs)
    if array.dtype.kind in "biuf":
        shape = [-1, *array.shape[1:]]
        return ({"type": "tensor", "tensor-spec": {"dtype": str(array.dtype), "shape": shape}},)
    return ({"type": "string", "required": True},)


def describe(violations: Sequence[Violation]) -> str:
    """Give violations as one line."""
    return " ".join(violation.message for violation in violations)
