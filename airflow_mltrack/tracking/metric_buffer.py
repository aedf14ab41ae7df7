"""Metric points between the caller and the writer thread: bounded, packed, cheap to add to."""

from __future__ import annotations

import operator
import secrets
import threading
import time
from array import array
from collections.abc import Callable
from typing import SupportsFloat, SupportsIndex

from airflow_mltrack.entities.metrics import MetricBatch
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.key_rules import check_key

_LARGEST = 2**63 - 1

_Series = tuple["array[int]", "array[int]", "array[float]"]
"""Steps, timestamps and values of one metric: 24 bytes a point."""


class MetricBuffer:
    """Points that wait to be written. Safe to share between threads.

    :param attempt_id: attempt that the points belong to.
    :param limit: most points; a caller who adds one more waits until the writer has taken some.
    :param hurry_at: number of points at which ``hurry`` is called, once for each filling.
    :param hurry: wakes the writer; it is called with the buffer's lock held.
    """

    def __init__(
        self, attempt_id: int, *, limit: int, hurry_at: int, hurry: Callable[[], object]
    ) -> None:
        self._attempt_id = attempt_id
        self._limit, self._hurry_at, self._hurry = limit, hurry_at, hurry
        self._room = threading.Condition(threading.Lock())
        self._series: dict[str, _Series] = {}
        self._known: set[str] = set()
        self._points = 0
        self._closed: BaseException | None = None

    def __len__(self) -> int:
        return self._points

    def add(
        self,
        key: str,
        value: SupportsFloat,
        step: SupportsIndex = 0,
        timestamp: SupportsIndex | None = None,
    ) -> None:
        """Add one point.

        :raises InvalidInput: when a part of it cannot be stored; nothing was added.
        :raises BaseException: what the buffer was closed with.
        """
        if type(value) is not float:
            value = _number(key, value)
        if type(step) is not int or not -_LARGEST <= step <= _LARGEST:
            step = _whole("step", step, -_LARGEST)
        if timestamp is None:
            timestamp = time.time_ns() // 1_000_000
        elif type(timestamp) is not int or not 0 <= timestamp <= _LARGEST:
            timestamp = _whole("timestamp", timestamp, 0)
        if key not in self._known:
            self._known.add(check_key("metric key", key))
        with self._room:
            if self._closed is not None or self._points >= self._limit:
                self._wait_for_room()
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = (array("q"), array("q"), array("d"))
            series[0].append(step)
            series[1].append(timestamp)
            series[2].append(value)
            self._points += 1
            if self._points == self._hurry_at:
                self._hurry()

    def take(self) -> list[MetricBatch]:
        """Take everything out, as one batch with a new number for each metric."""
        with self._room:
            series, self._series = self._series, {}
            self._points = 0
            self._room.notify_all()
        return [
            MetricBatch(self._attempt_id, key, secrets.randbits(63), *packed)
            for key, packed in series.items()
        ]

    def close(self, reason: BaseException) -> None:
        """Refuse points from now on with ``reason``; whoever waits for room gets it, too."""
        with self._room:
            self._closed = reason
            self._room.notify_all()

    def _wait_for_room(self) -> None:
        self._hurry()
        while self._closed is None and self._points >= self._limit:
            self._room.wait()
        if self._closed is not None:
            raise self._closed


def _number(key: str, value: object) -> float:
    """Return a metric's value as a float; numpy scalars, Decimal and bool are numbers."""
    if isinstance(value, SupportsFloat) and not isinstance(value, (str, bytes)):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise InvalidInput(f"value of metric {key}", value, "it is a number that fits into a float.")


def _whole(what: str, value: object, least: int) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InvalidInput(f"metric {what}", value, "it is a whole number.") from None
    if not least <= number <= _LARGEST:
        raise InvalidInput(f"metric {what}", number, f"it is {least} to {_LARGEST}.")
    return number
