"""Data sets as MLflow writes them: schema and profile are text, the context is a tag."""

from __future__ import annotations

import json
from collections.abc import Mapping

CONTEXT_TAG = "mlflow.data.context"
"""Tag of an input that says what it was for."""
_TEXT_KEY = "mlflow"


def object_of(text: str) -> dict[str, object]:
    """Read schema or profile; what is no JSON object is kept as text under one key."""
    if not text:
        return {}
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {_TEXT_KEY: text}


def text_of(value: Mapping[str, object]) -> str:
    """Write what :func:`object_of` has read."""
    if set(value) == {_TEXT_KEY} and isinstance(value[_TEXT_KEY], str):
        return str(value[_TEXT_KEY])
    return json.dumps(value) if value else ""
