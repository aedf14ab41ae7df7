"""MLflow's signature in our form.

It knows names and types; not dtypes of training, ranges or categories, so there is nothing to hold
against values. Of a column of texts, dates or bytes the dtype stays what it is; numbers get the
type that MLflow's check would give them. What only a model of another kind takes is not checked: a
signature without names, of several arrays, or of an array that has not two dimensions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_mltrack.model_package.bounded_yaml import DEPTH, is_shallow
from airflow_mltrack.model_package.signature import UNKNOWN_DTYPE, Column, Signature

_DTYPES = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": UNKNOWN_DTYPE,
    "binary": UNKNOWN_DTYPE,
    "datetime": UNKNOWN_DTYPE,
}
_NEVER_MISSING = ("boolean", "integer", "long")
"""Types that have no place for a missing value."""
_NUMBERS = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64|96|128)")
"""dtypes of arrays of numbers. numpy would evaluate a part of other texts, and not only refuse."""


def read_signature(value: object) -> Signature | None:
    """Read what an MLmodel file says under ``signature``.

    :return: None when there is none, or none that is checked.
    :raises ValueError: when it cannot be read.
    :raises TypeError: the same, when something is of another type.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise TypeError("its signature is no mapping")
    inputs, outputs = _specs(value, "inputs"), tuple(_specs(value, "outputs"))
    if any(spec.get("type") == "tensor" for spec in inputs):
        array = _array(inputs)
        return None if array is None else Signature(array=array, outputs=outputs)
    if not inputs or any("name" not in spec for spec in inputs):
        return None
    columns = tuple(_column(spec) for spec in inputs)
    if len({column.name for column in columns}) != len(columns):
        raise ValueError("its signature names a column twice")
    return Signature(columns=columns, outputs=outputs)


def _specs(value: Mapping[str, object], part: str) -> list[dict[str, Any]]:
    """Read one part: a JSON text with a list of specifications."""
    text = value.get(part)
    if text is None:
        return []
    try:
        found = json.loads(text, parse_constant=_no_number) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{part} of its signature is no JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(spec, dict) for spec in found):
        raise ValueError(f"{part} of its signature is no JSON text of a list of specifications")
    if not is_shallow(found):
        raise ValueError(f"{part} of its signature is nested deeper than {DEPTH} levels")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON's")


def _array(specs: list[dict[str, Any]]) -> tuple[str, int] | None:
    """Return dtype and width of the one array of numbers that a model takes."""
    described = specs[0].get("tensor-spec")
    if len(specs) != 1 or "name" in specs[0] or not isinstance(described, dict):
        return None
    shape, dtype = described.get("shape"), described.get("dtype")
    if not isinstance(shape, list) or len(shape) != 2 or not isinstance(dtype, str):
        return None
    width = shape[1]
    if not _is_numeric(dtype) or type(width) is not int or width < -1:
        return None
    return dtype, width


def _is_numeric(dtype: str) -> bool:
    """Say whether a dtype is one of numbers, and one that this machine has."""
    import numpy

    return _NUMBERS.fullmatch(dtype) is not None and hasattr(numpy, dtype.replace("bool", "bool_"))


def _column(spec: Mapping[str, Any]) -> Column:
    kind = spec.get("type")
    if not isinstance(kind, str):
        raise TypeError("a column of its signature has no type")
    kind = kind if kind in _DTYPES else "any"
    required = spec.get("required", not spec.get("optional", False))
    return Column(
        name=str(spec["name"]),
        type=kind,
        dtype=_DTYPES.get(kind, UNKNOWN_DTYPE),
        nullable=kind not in _NEVER_MISSING,
        required=required is not False,
    )
