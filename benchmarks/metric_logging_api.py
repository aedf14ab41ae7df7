"""Measure metric logging through the Python API, on embedded Postgres with its real fsync.

Run: ``python benchmarks/metric_logging_api.py [--points 600000]``

Prints the cost of a ``log_metric`` call at the caller, and points per second from the first call
until ``flush`` returns (durable), as ratios to the targets and to plain row-wise inserts
(executemany, one row a point, one index) into the same server in the same run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psycopg

from airflow_mltrack.settings import embedded_settings
from airflow_mltrack.store.engine import start_embedded, stop_embedded
from airflow_mltrack.tracking.client import TrackingClient

TARGET_RATE = 150_000
TARGET_MICROSECONDS = 10.0
CALLS = 40_000
"""Calls in a burst that is timed: fewer than make the writer start before its time."""
ROWS = 50_000


def call_cost(client: TrackingClient) -> float:
    """Return microseconds of a call, the best of five bursts."""
    best = float("inf")
    with client.start_run() as run:
        for _ in range(5):
            started = time.perf_counter()
            for step in range(CALLS):
                run.log_metric("loss", 0.5, step)
            best = min(best, time.perf_counter() - started)
            run.flush()
    return best / CALLS * 1e6


def durable_rate(client: TrackingClient, points: int, keys: int) -> float:
    """Return durable points per second with ``keys`` metrics that take turns."""
    names = [f"metric {number}" for number in range(keys)]
    with client.start_run() as run:
        started = time.perf_counter()
        for step in range(points // keys):
            for name in names:
                run.log_metric(name, 0.5, step)
        run.flush()
        return points / (time.perf_counter() - started)


def rowwise_rate(url: str) -> float:
    """Return rows per second of executemany into a plain table."""
    rows = [(1, "loss", step, 1_700_000_000_000 + step, 0.5) for step in range(ROWS)]
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE plain "
            "(run bigint, key text, step bigint, at bigint, value double precision)"
        )
        connection.execute("CREATE INDEX ON plain (run, key)")
        connection.commit()
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO plain VALUES (%s, %s, %s, %s, %s)", rows)
        connection.commit()
        return ROWS / (time.perf_counter() - started)


def main() -> None:
    """Run everything and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=600_000)
    points = parser.parse_args().points
    with tempfile.TemporaryDirectory() as directory:
        settings = embedded_settings(Path(directory))
        try:
            with TrackingClient(settings) as client:
                cost = call_cost(client)
                rates = {keys: durable_rate(client, points, keys) for keys in (1, 20)}
            plain = rowwise_rate(start_embedded(settings.embedded_directory))
        finally:
            stop_embedded(settings.embedded_directory)
    print(
        f"log_metric call: {cost:.2f} microseconds, {cost / TARGET_MICROSECONDS:.2f} x the limit "
        f"of {TARGET_MICROSECONDS:.0f}"
    )
    for keys, rate in rates.items():
        print(
            f"durable, {keys} metrics: {rate:,.0f} points/s, {rate / TARGET_RATE:.2f} x the target "
            f"of {TARGET_RATE:,}, {rate / plain:.1f} x row-wise inserts ({plain:,.0f} rows/s)"
        )


if __name__ == "__main__":
    main()
