"""Run one function in several real processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def at_once(work: Callable[..., Result], arguments: Sequence[tuple[object, ...]]) -> list[Result]:
    """Call ``work`` once for each tuple of arguments, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(arguments), mp_context=context) as pool:
        futures = [pool.submit(work, *given) for given in arguments]
        return [future.result(timeout=60) for future in futures]
