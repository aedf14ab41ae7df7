"""Metric points a second that are durable in Postgres, through the store.

    python benchmarks/metric_logging.py [--seconds 3]

One process, one embedded Postgres with its default (durable) settings, one transaction for a
batch. Also: what encoding costs in comparison with psycopg's own array dumper, what points cost
that come one by one, and how long reading a million takes.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg.adapt import PyFormat, Transformer

from airflow_mltrack.entities.metrics import MetricBatch, MetricPoint
from airflow_mltrack.settings import embedded_settings
from airflow_mltrack.store.engine import stop_embedded
from airflow_mltrack.store.metric_codec import encode_array
from airflow_mltrack.store.tracking_store import TrackingStore

TARGET = 150_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings = embedded_settings(Path(directory))
        store = TrackingStore(settings, pool_size=1)
        try:
            measure(store, options.seconds)
        finally:
            store.close()
            stop_embedded(settings.embedded_directory)


def measure(store: TrackingStore, seconds: float) -> None:
    """Print one line for each way to write, then the reads."""
    attempt = new_attempt(store)
    print(f"target: {TARGET:,} points/s\n")
    for keys, points in ((1, 10_000), (20, 1_000), (200, 100), (10_000, 1)):
        rate = writing_rate(store, attempt, keys, points, seconds)
        ratio = rate / TARGET
        print(f"{keys:6,} metrics x {points:6,} points: {rate:12,.0f} points/s ({ratio:5.1f} x)")
    single = writing_rate(store, new_attempt(store), 1, 1, seconds)
    print(f"     1 point a transaction:      {single:12,.0f} points/s")
    encoding()
    reading(store, attempt)


def new_attempt(store: TrackingStore) -> int:
    """Open a run and return its attempt."""
    with store.transaction() as tx:
        experiment = tx.experiments.ensure("metrics").experiment_id
        return tx.runs.open(experiment_id=experiment)[1].attempt_id


def writing_rate(
    store: TrackingStore, attempt: int, keys: int, points: int, seconds: float
) -> float:
    """Write batches for some seconds; return points a second."""
    written, start = 0, time.perf_counter()
    while (now := time.perf_counter()) < start + seconds:
        first = written // keys
        steps = array("q", range(first, first + points))
        timestamps = array("q", [int(now * 1000)]) * points
        values = array("d", map(float, steps))
        number = random.getrandbits(63)
        batches = [
            MetricBatch(attempt, f"m{keys}_{key:05}", number, steps, timestamps, values)
            for key in range(keys)
        ]
        with store.transaction() as tx:
            tx.metrics.log(batches)
        written += keys * points
    return written / (time.perf_counter() - start)


def encoding() -> None:
    """Compare our encoding of arrays with psycopg's."""
    numbers = array("d", [random.random() for _ in range(1_000)])
    listed = list(numbers)

    def dumped() -> None:
        Transformer().get_dumper(listed, PyFormat.BINARY).dump(listed)

    ours, theirs = microseconds(lambda: encode_array(numbers)), microseconds(dumped)
    print(
        f"\nencoding 1,000 values: {ours:.0f} us, psycopg {psycopg.__version__}'s dumper "
        f"{theirs:.0f} us ({theirs / ours:.0f} x)"
    )


def microseconds(work: Callable[[], object], repeat: int = 500) -> float:
    """Return what one call takes."""
    start = time.perf_counter()
    for _ in range(repeat):
        work()
    return (time.perf_counter() - start) / repeat * 1e6


def reading(store: TrackingStore, attempt: int) -> None:
    """Read a series of a million points whole and thinned; compact one of single points."""
    million = new_attempt(store)
    with store.transaction() as tx:
        for first in range(0, 1_000_000, 10_000):
            steps = array("q", range(first, first + 10_000))
            values = array("d", [random.random() for _ in steps])
            tx.metrics.log([MetricBatch(million, "loss", first, steps, steps, values)])
    with store.transaction() as tx:
        start = time.perf_counter()
        tx.metrics.series(million, "loss")
        whole = time.perf_counter() - start
        start = time.perf_counter()
        thin = len(tx.metrics.series(million, "loss", max_points=1_000))
        thinned = time.perf_counter() - start
        for step in range(5_000):
            tx.metrics.log_points(attempt, [MetricPoint("slow", 1.0, step, step)])
        start = time.perf_counter()
        points = len(tx.metrics.series(attempt, "slow"))
        slow = time.perf_counter() - start
    print(f"reading 1,000,000 points: {whole * 1000:.0f} ms, thinned to {thin:,}: "
          f"{thinned * 1000:.0f} ms")  # fmt: skip
    print(f"reading {points:,} points that came one by one: {slow * 1000:.0f} ms")


if __name__ == "__main__":
    main()
