"""Canonical JSON: the same facts always give the same bytes, so that a digest can stand for them.

Keys are sorted by code point at every level; there is no white space outside strings; only what
JSON makes one escape is escaped (other characters stand for themselves, in UTF-8). A number without
a fractional part is an integer (``1.0`` is ``1``, ``1e22`` is written out), every other number has
the shortest decimal form that reads back to the same IEEE 754 double. NaN and infinities are
refused. The form survives a trip through a ``jsonb`` column.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping

from airflow_mltrack.exceptions import InvalidInput


def canonical_json(value: object) -> str:
    """Write a value in the form that the module's docstring describes.

    :raises InvalidInput: when the value is not JSON-able.
    """
    return json.dumps(
        canonical_value(value),
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )


def canonical_value(value: object) -> object:
    """Return JSON-able data with its numbers and containers in canonical form.

    :raises InvalidInput: when the value is not JSON-able, holds NaN, an infinity, or a character
        that Postgres cannot keep.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _canonical_text(value)
    if isinstance(value, float):
        return _canonical_number(value)
    if isinstance(value, Mapping):
        return {_canonical_key(key): canonical_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical_value(item) for item in value]
    raise InvalidInput("payload value", value, "it is text, a number, a flag, a list or a mapping.")


def digest_of(value: object) -> str:
    """Return the sha256 of a value's canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _canonical_number(value: float) -> int | float:
    if not math.isfinite(value):
        raise InvalidInput("payload value", value, "NaN and infinities cannot be kept.")
    return int(value) if value.is_integer() else value


def _canonical_key(key: object) -> str:
    if not isinstance(key, str):
        raise InvalidInput("payload key", key, "it is text.")
    return _canonical_text(key)


def _canonical_text(value: str) -> str:
    """Refuse what Postgres cannot keep; a str subclass (an enum) becomes its plain text."""
    text = str.__str__(value)
    if "\x00" in text or any("\ud800" <= mark <= "\udfff" for mark in text):
        raise InvalidInput("payload text", text, "NUL and lone surrogates cannot be kept.")
    return text
