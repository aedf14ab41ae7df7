"""Any Python object as a pickle, for those who asked for it by name.

A pickle runs its author's code when it is loaded. It is only written when the caller says
``format="pickle"``, and only loaded when the reader says ``allow_pickle=True``.
"""

from __future__ import annotations

import importlib.util
import pickle
import pickletools
from pathlib import Path
from typing import Any

from airflow_mltrack.exceptions import ModelPackageError, UnsupportedModel, UntrustedPackage
from airflow_mltrack.model_package.object_graph import type_name


def save(model: Any, file: Path) -> tuple[str, frozenset[str]]:
    """Write a model with cloudpickle where it is installed, else with pickle.

    :return: which of the two, and the dotted names that the file refers to.
    :raises UnsupportedModel: when it cannot be pickled.
    """
    kind = "cloudpickle" if importlib.util.find_spec("cloudpickle") else "pickle"
    try:
        data = _dumps(model, kind)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise UnsupportedModel(type_name(model), f"{kind} cannot write it ({error}).") from error
    file.write_bytes(data)
    return kind, names_in(data)


def load(file: Path, *, allow_pickle: bool, where: str = "") -> Any:
    """Load a pickle, when the caller accepts that this runs its author's code.

    :param where: package directory or URI, for errors.
    :raises UntrustedPackage: without ``allow_pickle``; nothing is executed.
    :raises ModelPackageError: when it cannot be loaded.
    """
    where = where or str(file.parent)
    if not allow_pickle:
        raise UntrustedPackage(
            where,
            (),
            reason="it is a pickle, which runs its author's code when it is loaded. If you trust "
            "its author, load it with allow_pickle=True; better, package it again as skops.",
        )
    try:
        with file.open("rb") as stream:
            return pickle.load(stream)  # noqa: S301 - the caller asked for it
    except (pickle.UnpicklingError, AttributeError, ImportError, EOFError) as error:
        raise ModelPackageError(
            f"The pickle of the model package {where} cannot be loaded: {error}. "
            "Install its requirements.txt in a fresh environment and load it there."
        ) from error


def names_in(data: bytes) -> frozenset[str]:
    """List the dotted names that a pickle refers to, without loading it."""
    found: set[str] = set()
    # The texts that were pushed, in order, and those that were put into the pickle's memo: the two
    # before a STACK_GLOBAL are its module and name.
    pushed: list[str] = []
    memo: list[str] = []
    last = ""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            found.add(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            found.add(".".join(pushed[-2:]))
        elif opcode.name == "MEMOIZE":
            memo.append(last)
        elif opcode.name in ("BINGET", "LONG_BINGET") and isinstance(argument, int):
            pushed.append(memo[argument])
        if isinstance(argument, str):
            pushed.append(argument)
        last = argument if isinstance(argument, str) else ""
    return frozenset(found)


def _dumps(model: Any, kind: str) -> bytes:
    if kind == "pickle":
        return pickle.dumps(model)
    import cloudpickle  # type: ignore[import-untyped]

    return bytes(cloudpickle.dumps(model))
