"""What changes for callers when one model takes the place of another.

A change *breaks* when a request that the old model accepts is refused by the new one, or when the
answer has another form. Ranges and category sets are not compared: they are facts about training
data, and differ after every training.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_mltrack.exceptions import shorten
from airflow_mltrack.model_package.signature import Column, Signature

# Type to the types that accept its values, but for whole numbers that floating point would round;
# see column_conversion.convert.
_WIDER: dict[str, frozenset[str]] = {
    "integer": frozenset({"integer", "long", "float", "double"}),
    "long": frozenset({"long", "float", "double"}),
    "float": frozenset({"float", "double"}),
    "double": frozenset({"float", "double"}),
}


@dataclass(frozen=True, slots=True)
class SignatureChange:
    """One difference between two signatures."""

    part: str
    """``column NAME``, ``columns``, ``inputs`` or ``outputs``."""
    old: str | None
    """What it was; None when there was none."""
    new: str | None
    breaks: bool
    """Whether somebody who can work with the old model cannot work with the new one."""
    message: str
    """One sentence for people."""


def compare_signatures(old: Signature, new: Signature) -> tuple[SignatureChange, ...]:
    """List what differs between the signature that callers know and another one.

    A column that is new breaks, unless it is optional; one that is no longer asked for does not,
    because extra columns are dropped.
    """
    return (*_input_changes(old, new), *_output_changes(old, new))


def _input_changes(old: Signature, new: Signature) -> Iterator[SignatureChange]:
    if old.array is not None and new.array is not None:
        yield from _array_changes(old.array, new.array)
    elif old.array is not None or new.array is not None:
        yield SignatureChange(
            "inputs", _form(old), _form(new), True, f"It took {_form(old)}, now {_form(new)}."
        )
    else:
        yield from _column_changes(old, new)


def _form(signature: Signature) -> str:
    if signature.array is None:
        return f"{len(signature.columns)} named columns"
    dtype, width = signature.array
    return f"an array of {_width(width)} of {dtype}"


def _width(number: int) -> str:
    return "any number of columns" if number == -1 else f"{number} columns"


def _array_changes(old: tuple[str, int], new: tuple[str, int]) -> Iterator[SignatureChange]:
    import numpy as np

    if old[1] != new[1]:
        message = f"The array had {_width(old[1])}, now {_width(new[1])}."
        yield SignatureChange("inputs", str(old[1]), str(new[1]), new[1] != -1, message)
    if old[0] != new[0]:
        breaks = not np.can_cast(old[0], new[0], "same_kind")  # as signature_check casts
        message = f"The array was of {old[0]}, now of {new[0]}."
        yield SignatureChange("inputs", old[0], new[0], breaks, message)


def _column_changes(old: Signature, new: Signature) -> Iterator[SignatureChange]:
    before = {column.name: column for column in old.columns}
    after = {column.name: column for column in new.columns}
    for name, column in after.items():
        if name not in before:
            rule = "required" if column.required else "optional"
            message = f"Column {shorten(name)!r} is new, and it is {rule}."
            yield SignatureChange(f"column {name}", None, column.type, column.required, message)
        else:
            yield from _column_change(before[name], column)
    for name, column in before.items():
        if name not in after:
            message = f"Column {shorten(name)!r} is no longer asked for."
            yield SignatureChange(f"column {name}", column.type, None, False, message)
    if before.keys() == after.keys() and old.names != new.names:
        message = "The columns stand in another order, which is put right."
        yield SignatureChange("columns", ", ".join(old.names), ", ".join(new.names), False, message)


def _column_change(old: Column, new: Column) -> Iterator[SignatureChange]:
    part, named = f"column {old.name}", f"Column {shorten(old.name)!r}"
    if (old.type, old.dtype) != (new.type, new.dtype):
        before, after = (f"{column.type} ({column.dtype})" for column in (old, new))
        message = f"{named} was {before}, now {after}."
        yield SignatureChange(part, before, after, not _takes_all(old, new), message)
    if old.nullable and not new.nullable:
        message = f"{named} could be missing, and now may not be: no training row lacked it."
        yield SignatureChange(part, "nullable", "never missing", True, message)
    if new.required is not old.required:
        before, after = ("required" if item.required else "optional" for item in (old, new))
        message = f"{named} was {before}, now it is {after}."
        yield SignatureChange(part, before, after, new.required, message)
    if new.nullable and not old.nullable:
        message = f"{named} was never missing in training, and now may be."
        yield SignatureChange(part, "never missing", "nullable", False, message)


def _takes_all(old: Column, new: Column) -> bool:
    """Whether the new column accepts every value that the old one accepts."""
    if new.type == "any":
        return True
    if new.type not in _WIDER.get(old.type, {old.type}):
        return False
    if old.type == "datetime":  # a zone is neither made up nor dropped
        return _has_zone(old.dtype) == _has_zone(new.dtype)
    fractions = old.type in ("float", "double") and not _is_whole(old.dtype)
    if fractions and _is_whole(new.dtype):
        return False
    if _is_whole(old.dtype) and _is_whole(new.dtype):
        return _holds_integers(new.dtype, old.dtype)
    return True


def _has_zone(dtype: str) -> bool:
    return "," in dtype


def _is_whole(dtype: str) -> bool:
    return dtype.lower().lstrip("u").startswith("int")


def _holds_integers(wide: str, narrow: str) -> bool:
    import numpy as np

    return bool(np.can_cast(narrow.lower(), wide.lower(), "safe"))


def _output_changes(old: Signature, new: Signature) -> Iterator[SignatureChange]:
    before, after = (_specs(signature) for signature in (old, new))
    if before == after:
        return
    if before is None:
        message = "It was not recorded what the old model returns."
        yield SignatureChange("outputs", before, after, False, message)
    elif after is None:
        message = "It is not recorded what the new model returns."
        yield SignatureChange("outputs", before, after, True, message)
    else:
        message = f"It returned {shorten(before)}, now {shorten(after)}."
        yield SignatureChange("outputs", before, after, True, message)


def _specs(signature: Signature) -> str | None:
    outputs: list[dict[str, Any]] = [dict(output) for output in signature.outputs]
    return json.dumps(outputs, sort_keys=True) if outputs else None
