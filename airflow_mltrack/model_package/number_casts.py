"""Which numbers a cast would change: numpy wraps, cuts and overflows without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


def changed_by_cast(numbers: NDArray[Any], dtype: numpy.dtype[Any]) -> NDArray[numpy.bool_]:
    """Say which numbers are others after a cast.

    :param numbers: integers or floating-point numbers.
    :param dtype: type of integers or of floating-point numbers.
    :return: a mask. Whole numbers must stay exactly what they are. Floating-point numbers may be
        rounded to the digits of a narrower type, but not become infinite or 0.
    """
    import numpy

    changed: NDArray[numpy.bool_]
    with numpy.errstate(all="ignore"):
        if dtype.kind in "iu":
            changed = _leaves_range(numbers, dtype) | (numbers != numpy.trunc(numbers))
            return changed
        after = numbers.astype(dtype)
        if numbers.dtype.kind in "iu":
            changed = _leaves_range(after, numbers.dtype) | (after.astype(numbers.dtype) != numbers)
        else:
            overflow = numpy.isfinite(numbers) & ~numpy.isfinite(after)
            changed = overflow | ((numbers != 0) & (after == 0))
    return changed


def _leaves_range(numbers: NDArray[Any], dtype: numpy.dtype[Any]) -> NDArray[numpy.bool_]:
    """Say which numbers an integer type does not reach; NaN is one of them."""
    import numpy

    limits = numpy.iinfo(dtype)
    inside: NDArray[numpy.bool_]
    if numbers.dtype.kind == "f":
        # As floating point, the highest number of a wide type would be rounded up, out of it.
        inside = (numbers >= float(limits.min)) & (numbers < 2.0 ** int(limits.max).bit_length())
    else:
        own = numpy.iinfo(numbers.dtype)
        low, high = max(limits.min, own.min), min(limits.max, own.max)
        inside = (numbers >= low) & (numbers <= high)
    return ~inside
