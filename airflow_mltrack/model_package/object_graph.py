"""Walks everything that a fitted model holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType

_LEAVES = (str, bytes, bytearray, int, float, complex, bool, type(None), type, range, ModuleType)


def children(obj: object) -> Iterator[tuple[str, object]]:
    """Yield the objects that ``obj`` holds directly, each with its name inside ``obj``."""
    import numpy

    if isinstance(obj, _LEAVES):
        return
    if isinstance(obj, numpy.ndarray):
        if obj.dtype == object:
            yield from ((f"[{place}]", value) for place, value in enumerate(obj.ravel().tolist()))
    elif isinstance(obj, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in obj.items())
    elif isinstance(obj, list | tuple | set | frozenset):
        yield from ((f"[{place}]", value) for place, value in enumerate(obj))
    elif callable(obj) and not hasattr(obj, "get_params") and not hasattr(obj, "predict"):
        return
    else:
        yield from (getattr(obj, "__dict__", None) or {}).items()


def walk(model: object) -> Iterator[tuple[str, object]]:
    """Yield every object reachable from ``model`` once, with its path, ``model`` first.

    :param model: anything; arrays of numbers and strings are not entered.
    """
    seen: set[int] = set()
    # Visited objects are kept alive: an id may be given again once its object is gone.
    kept: list[object] = []
    waiting: list[tuple[str, object]] = [("", model)]
    while waiting:
        path, obj = waiting.pop()
        if id(obj) in seen:
            continue
        seen.add(id(obj))
        kept.append(obj)
        yield path, obj
        found = [
            (f"{path}{name}" if name.startswith("[") else f"{path}.{name}".lstrip("."), child)
            for name, child in children(obj)
            if not isinstance(child, _LEAVES)
        ]
        waiting.extend(reversed(found))


def type_name(obj: object) -> str:
    """Dotted name of an object's class."""
    cls = type(obj)
    return f"{cls.__module__}.{cls.__qualname__}"
