"""Requests as protocol buffers in JSON: what a route reads, and reading it.

A :data:`Shape` maps a field's name to a :class:`Field`. Presence matters: a field that was not sent
is not in the result. Whole numbers come as numbers or as text, doubles also as ``"NaN"``,
``"Infinity"`` and ``"-Infinity"``; unknown fields are ignored; both spellings of a name
(``run_id`` and ``runId``) are read, but not both at once.

The form: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from airflow_mltrack.web.mlflow.errors import BAD_REQUEST, MlflowError, invalid

_INT64 = range(-(2**63), 2**63)
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_SHOWN = 200
_A_NUMBER = "it is a number of 64 bits, NaN, Infinity or -Infinity"
_FLAGS = {"true": True, "false": False}
_INT64_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": _INT64.start, "maximum": _INT64.stop - 1},
        {"type": "string", "pattern": f"^{_WHOLE.pattern}$"},
    ]
}
_DOUBLE_SCHEMA = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": f"^(NaN|-?Infinity|{_NUMBER.pattern})$"},
    ]
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request."""

    read: Callable[[str, object], Any]
    """From the field's place (``metrics[3].value``) and what was sent to the value."""
    schema: Mapping[str, Any]
    """For the OpenAPI document."""
    required: bool = False
    repeated: bool = False


Shape: TypeAlias = Mapping[str, Field]
Fields: TypeAlias = dict[str, Any]


def text(*, required: bool = False, repeated: bool = False) -> Field:
    """Return a field of text."""
    return Field(_text, {"type": "string"}, required, repeated)


def int64(*, required: bool = False) -> Field:
    """Return a field of a 64-bit whole number."""
    return Field(_int64, _INT64_SCHEMA, required)


def double(*, required: bool = False) -> Field:
    """Return a field of a number, also NaN or infinite."""
    return Field(_double, _DOUBLE_SCHEMA, required)


def flag() -> Field:
    """Return a field of yes or no."""
    return Field(_flag, {"type": "boolean"})


def choice(values: Sequence[str], *, required: bool = False) -> Field:
    """Return a field with one of some names; their numbers (from 1) are read as well."""
    numbers = {str(number): name for number, name in enumerate(values, start=1)}

    def read(place: str, value: object) -> str:
        if isinstance(value, str) and value in values:
            return value
        if not isinstance(value, bool) and str(value) in numbers:
            return numbers[str(value)]
        raise wrong(place, value, f"it is one of {', '.join(values)}")

    return Field(read, {"type": "string", "enum": list(values)}, required)


def message(shape: Shape, *, required: bool = False, repeated: bool = False) -> Field:
    """Return a field that holds further fields."""

    def read(place: str, value: object) -> Fields:
        if not isinstance(value, Mapping):
            raise wrong(place, value, "it is an object")
        return read_fields(shape, value, place=f"{place}.")

    return Field(read, schema_of(shape), required, repeated)


def tags(*, required: bool = False) -> Field:
    """Return a repeated field of tags or params."""
    return message(KEY_VALUE, required=required, repeated=True)


def pairs(place: str, given: Iterable[Fields], *, what: str = "key") -> dict[str, str]:
    """Return tags or params as a mapping; of the same key the last one counts.

    :raises MlflowError: when one has no key.
    """
    found = {}
    for number, item in enumerate(given):
        if not item.get("key"):
            raise invalid(f"Missing value for required parameter '{place}[{number}].{what}'.")
        found[item["key"]] = item.get("value", "")
    return found


def read_fields(shape: Shape, given: Mapping[str, object], *, place: str = "") -> Fields:
    """Read the fields of a shape; what is not sent, or sent as null, is not in the result.

    :raises MlflowError: names the field, what was sent, and the rule.
    """
    found: Fields = {}
    for name, spec in shape.items():
        sent = _sent(name, given, place)
        if sent is None:
            if spec.required:
                raise invalid(f"Missing value for required parameter '{place}{name}'.")
            continue
        found[name] = _read(spec, f"{place}{name}", sent)
        if spec.required and found[name] in ("", []):
            raise invalid(f"Missing value for required parameter '{place}{name}'.")
    return found


def read_query(shape: Shape, query: Sequence[tuple[str, str]]) -> Fields:
    """Read a query string; a repeated field comes as several keys of one name."""
    specs = {_camel(name): spec for name, spec in shape.items()} | dict(shape)
    given: dict[str, object] = {}
    for name, value in query:
        key = name.removesuffix("[]")
        spec = specs.get(key)
        if spec is not None and spec.repeated:
            listed = given.setdefault(key, [])
            assert isinstance(listed, list)  # noqa: S101 - made here; for the type checker
            listed.append(value)
        else:
            given[key] = _FLAGS.get(value, value) if _is_flag(spec) else value
    return read_fields(shape, given)


def read_json(body: bytes) -> Mapping[str, object]:
    """Read a body: one JSON object in UTF-8; nothing counts as an empty one.

    :raises MlflowError: when it is something else.
    """
    if not body.strip():
        return {}
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MlflowError(BAD_REQUEST, "The body is not a JSON object in UTF-8.") from error
    if not isinstance(found, dict):
        raise MlflowError(BAD_REQUEST, "The body is not a JSON object.")
    return found


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return a shape as JSON schema."""
    properties = {
        name: {"type": "array", "items": dict(spec.schema)} if spec.repeated else dict(spec.schema)
        for name, spec in shape.items()
    }
    required = [name for name, spec in shape.items() if spec.required]
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needed}


def wrong(place: str, value: object, rule: str) -> MlflowError:
    """Return the error for a value of the wrong kind."""
    shown = json.dumps(value, default=str)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return invalid(f"Invalid value {shown} for parameter '{place}' supplied: {rule}.")


def number_out(value: float) -> float | str:
    """Write a double as protocol buffers do in JSON."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _sent(name: str, given: Mapping[str, object], place: str) -> object:
    other = _camel(name)
    if other != name and other in given:
        if name in given:
            raise invalid(f"Parameter '{place}{name}' is given twice, as {name} and as {other}.")
        return given[other]
    return given.get(name)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _read(spec: Field, place: str, value: object) -> Any:
    if not spec.repeated:
        return spec.read(place, value)
    if not isinstance(value, (list, tuple)):
        raise wrong(place, value, "it is a list")
    return [spec.read(f"{place}[{number}]", item) for number, item in enumerate(value)]


def _text(place: str, value: object) -> str:
    if not isinstance(value, str):
        raise wrong(place, value, "it is text")
    if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise wrong(place, value, "it holds no NUL character and no half of a surrogate pair")
    return value


def _int64(place: str, value: object) -> int:
    number = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif _is_whole(value):
        number = int(value)  # type: ignore[call-overload]
    if number is None or number not in _INT64:
        raise wrong(place, value, "it is a 64-bit whole number")
    return int(number)


def _is_whole(value: object) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, str) and _WHOLE.fullmatch(value) is not None


def _double(place: str, value: object) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise wrong(place, value, _A_NUMBER)
    # Python's own reading takes more: underscores, spaces, digits of other scripts.
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise wrong(place, value, _A_NUMBER)
    try:
        found = float(value)
    except OverflowError:
        raise wrong(place, value, _A_NUMBER) from None
    if isinstance(value, str) and math.isinf(found):
        raise wrong(place, value, _A_NUMBER)
    return found


def _flag(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise wrong(place, value, "it is true or false")
    return value


def _is_flag(spec: Field | None) -> bool:
    return spec is not None and spec.read is _flag


KEY_VALUE: Shape = {"key": text(), "value": text()}
"""A tag or a param."""
