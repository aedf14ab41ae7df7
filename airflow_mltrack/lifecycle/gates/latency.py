"""How long the candidate takes to score a request."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from airflow_mltrack.exceptions import InvalidInput, shorten
from airflow_mltrack.lifecycle.gates.check_fields import (
    CONFIDENCE_KEYS,
    check_keys,
    read_bound,
    read_name,
    read_number,
    read_severity,
    read_whole_number,
)
from airflow_mltrack.lifecycle.gates.gate import BoundGate, Evidence, Measured, Outcome
from airflow_mltrack.model_package import signature_check

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from airflow_mltrack.model_package.reader import LoadedModel

_QUANTILE = 0.95
_FEWEST_CALLS, _MOST_CALLS = 20, 100_000  # below, there is no slowest twentieth
_LARGEST_BATCH = 1_000_000
_WARM_UP = 5
_PATIENCE = 60.0  # seconds beyond what a model within its limit could take


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyGate(BoundGate):
    """``{"kind": "latency", "max_p95_ms": 50, "batch": 1, "calls": 200}``.

    Observed is the 95th percentile of the wall time of a call that checks ``batch`` judged rows
    (default 1) against the signature and gives their probabilities, in milliseconds, over ``calls``
    calls (default 200, each with other rows). It is the time on the machine that validates, in its
    own process, without network.
    """

    KIND: ClassVar[str] = "latency"

    batch: int
    calls: int

    @property
    def observes(self) -> str:
        """Name of the time."""
        return "p95_ms"

    @classmethod
    def from_json(cls, check: Mapping[str, object]) -> LatencyGate:
        """Read a check; see :class:`~airflow_mltrack.lifecycle.gates.gate.Gate`."""
        check_keys("latency check", check, ("max_p95_ms", "batch", "calls", *CONFIDENCE_KEYS))
        bound = read_bound(check, None, "max_p95_ms")
        read_number(check, "max_p95_ms", low=0)
        return cls(
            name=read_name(check, "latency"),
            severity=read_severity(check),
            bound=bound,
            batch=read_whole_number(check, "batch", 1, low=1, high=_LARGEST_BATCH),
            calls=read_whole_number(check, "calls", 200, low=_FEWEST_CALLS, high=_MOST_CALLS),
        )

    def judge(self, evidence: Evidence) -> Outcome:
        """Time the calls, with an interval from order statistics."""
        return self.decide(evidence, lambda: self._measure(evidence))

    def _measure(self, evidence: Evidence) -> Measured:
        import numpy as np

        patience = _PATIENCE + 2 * self.calls * self.bound.limit / 1000
        batches = self._batches(evidence.features)
        times = time_calls(evidence.candidate, batches, patience)
        p50, p95 = np.quantile(times, [0.5, _QUANTILE], method="inverted_cdf")
        low, high = quantile_interval(times, _QUANTILE, self.bound.confidence)
        reach = f"{high:.3g}" if math.isfinite(high) else "unknown, there were too few calls,"
        message = (
            f"the 95th percentile of {self.calls} calls with {self.batch} rows is {p95:.3g} ms "
            f"({self.bound.percent} {low:.3g} to {reach} ms)"
        )
        data = {
            "batch": self.batch,
            "calls": self.calls,
            "p50_ms": float(p50),
            "p95_ms": float(p95),
            "max_ms": float(times.max()),
            "mean_ms": float(times.mean()),
        }
        return Measured(float(p95), (low, high), message, method="order statistics", data=data)

    def _batches(self, features: pd.DataFrame) -> Iterator[pd.DataFrame]:
        """Give warm-up batches and one for every call; rows repeat where there are too few."""
        import numpy as np

        for number in range(_WARM_UP + self.calls):
            places = (np.arange(self.batch) + number * self.batch) % len(features)
            yield features.iloc[places].reset_index(drop=True)


def time_calls(
    model: LoadedModel, batches: Iterator[pd.DataFrame], patience: float
) -> NDArray[np.float64]:
    """Time one call for each batch.

    :param batches: the first few are the warm-up and not counted.
    :param patience: seconds after which to give up.
    :return: shape (calls,), milliseconds.
    :raises InvalidInput: when a call fails, or all together take too long.
    """
    import numpy as np

    times = []
    begun = time.monotonic()
    with _values_not_logged():
        for rows in batches:
            times.append(_time_call(model, rows))
            if time.monotonic() - begun > patience:
                raise InvalidInput(
                    "calls",
                    len(times),
                    f"they took {patience:g} seconds already, twice of what the limit allows.",
                )
    return np.asarray(times[_WARM_UP:]) * 1000


def _time_call(model: LoadedModel, rows: pd.DataFrame) -> float:
    begun = time.perf_counter()
    try:
        model.predict_proba(rows)
    except Exception as error:  # the model's own code may raise anything
        reason = f"the call failed: {type(error).__name__}: {shorten(str(error), 300)}"
        raise InvalidInput("model", model.manifest.model_class, reason) from error
    return time.perf_counter() - begun


@contextmanager
def _values_not_logged() -> Iterator[None]:
    """Keep what this thread would log about unusual values out of the log, once per call."""
    thread = threading.get_ident()

    def passes(record: logging.LogRecord) -> bool:
        return record.thread != thread

    signature_check.log.addFilter(passes)
    try:
        yield
    finally:
        signature_check.log.removeFilter(passes)


def quantile_interval(
    values: NDArray[np.float64], quantile: float, level: float
) -> tuple[float, float]:
    """Bound a quantile by two order statistics.

    How many of n independent values lie below the quantile is binomial, whatever their
    distribution (David and Nagaraja, "Order Statistics", 2003, section 7.1).

    :return: (low, high); infinite where there are too few values to bound it.
    """
    import numpy as np
    from scipy.stats import binom

    ordered = np.sort(values)
    tail = (1 - level) / 2
    lower = int(binom.ppf(tail, ordered.size, quantile))
    upper = int(binom.ppf(1 - tail, ordered.size, quantile)) + 1
    low = float(ordered[lower - 1]) if lower >= 1 else -math.inf
    high = float(ordered[upper - 1]) if upper <= ordered.size else math.inf
    return low, high
