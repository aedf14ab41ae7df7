"""Values on their way into an evidence pack's JSON: strict, and the same for the same facts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum

from airflow_mltrack.store.row_digest import utc_text

_NAMES = {math.inf: "Infinity", -math.inf: "-Infinity"}


def plain(value: object) -> object:
    """Return a value as strict JSON knows it.

    Times become text in UTC, NaN and infinities the texts ``NaN``, ``Infinity``, ``-Infinity``.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return _NAMES.get(value, "NaN")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def mapping(value: object) -> Mapping[str, object]:
    """Return a mapping as it is, anything else as an empty one: records may hold anything."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Mapping[str, object]]:
    """Return a list of mappings as it is, anything else as an empty one."""
    return value if isinstance(value, list) else []


def texts(value: object) -> Sequence[str]:
    """Return a list as texts, anything else as an empty one."""
    return [str(item) for item in value] if isinstance(value, list) else []
