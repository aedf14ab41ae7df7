"""Evidence as JSON: what a gate saw, in numbers that every reader of JSON understands."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from airflow_mltrack.exceptions import InvalidInput


def json_ready(value: object) -> object:
    """Return data with which JSON can be written: NaN and infinities become null.

    numpy scalars and arrays become numbers and lists, moments become ISO 8601.

    :raises InvalidInput: when something in it has no JSON form.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(json_ready(str(key))): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    for name in ("tolist", "isoformat"):
        convert = getattr(value, name, None)
        if callable(convert):
            return json_ready(convert())
    raise InvalidInput("evidence", type(value).__name__, "it has no JSON form.")


def evidence_bytes(value: object) -> bytes:
    """Write evidence as the bytes of an artifact."""
    text = json.dumps(json_ready(value), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode()
