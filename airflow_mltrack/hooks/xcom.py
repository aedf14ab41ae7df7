"""Values as XCom can keep them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum


def plain(value: object) -> object:
    """Turn a value into JSON's own types: NaN and infinities, which JSON lacks, become None.

    Whatever is neither number, text, list, array nor mapping becomes its text.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if getattr(value, "ndim", 0) and hasattr(value, "tolist"):  # an array, which has __float__ too
        return plain(value.tolist())
    return _number(value) if hasattr(value, "__float__") else str(value)


def _number(value: object) -> int | float | None:
    """Read a float or one of numpy's numbers."""
    if hasattr(value, "__index__"):
        return int(value)
    number = float(value)  # type: ignore[arg-type]
    return number if math.isfinite(number) else None
