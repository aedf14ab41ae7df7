"""Metric points arrive once, whatever happens to the database, and never block for long."""

from __future__ import annotations

import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import SupportsFloat

import numpy as np
import pytest

from airflow_mltrack.exceptions import Conflict, InvalidInput, StoreError, StoreUnavailable
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking import metric_writer
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.metric_writer import MetricWriter
from airflow_mltrack.tracking.spool import SpoolOwner, spool_directory
from airflow_mltrack.tracking.spool_delivery import deliver_spools
from tests.tracking.conftest import UnsteadyStore, history, spools


def store_of(client: TrackingClient) -> UnsteadyStore:
    assert isinstance(client.store, UnsteadyStore)
    return client.store


def wait_until(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_points_are_durable_when_flush_returns(client: TrackingClient) -> None:
    with client.start_run() as run:
        for step in range(1000):
            run.log_metric("loss", step / 2, step)
        run.flush()
        assert history(client, run.attempt_id, "loss") == [(n, n / 2) for n in range(1000)]


def test_points_arrive_without_a_flush(client: TrackingClient) -> None:
    with client.start_run() as run:
        run.log_metric("loss", 1.0)
        wait_until(lambda: history(client, run.attempt_id, "loss") == [(0, 1.0)])


def test_the_end_of_the_run_flushes(client: TrackingClient) -> None:
    with client.start_run() as run:
        run.log_metrics({"a": 1, "b": 2.5}, step=7)
    assert client.run(run.run_id).metrics == {"a": 1.0, "b": 2.5}
    assert history(client, run.attempt_id, "b") == [(7, 2.5)]


def test_any_number_is_a_value(client: TrackingClient) -> None:
    values: list[SupportsFloat] = [
        1,
        True,
        0.5,
        np.float32(0.25),
        np.int64(7),
        np.array(3.0),
        Decimal("1.5"),
    ]
    odd: list[SupportsFloat] = [float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308]
    with client.start_run() as run:
        for step, value in enumerate(values + odd):
            run.log_metric("m", value, np.int64(step), timestamp=np.int64(step))
        run.log_metric("nan", float("nan"), -(2**63) + 1)
    found = [value for _, value in history(client, run.attempt_id, "m")]
    assert found == [1.0, 1.0, 0.5, 0.25, 7.0, 3.0, 1.5, *odd]
    ((step, value),) = history(client, run.attempt_id, "nan")
    assert step == -(2**63) + 1
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("key", "value", "step", "timestamp"),
    [
        ("m", "0.5", 0, None),
        ("m", None, 0, None),
        ("m", 1 + 2j, 0, None),
        ("m", [1.0, 2.0], 0, None),
        ("m", np.array([1.0, 2.0]), 0, None),
        ("m", 10**400, 0, None),
        ("m", 1.0, 0.5, None),
        ("m", 1.0, "1", None),
        ("m", 1.0, 2**63, None),
        ("m", 1.0, 0, -1),
        ("m", 1.0, 0, 2**63),
        ("m", 1.0, 0, 1.5),
        ("", 1.0, 0, None),
        ("k" * 5000, 1.0, 0, None),
        ("a/../b", 1.0, 0, None),
        ("a\x00b", 1.0, 0, None),
        (7, 1.0, 0, None),
    ],
)
def test_what_cannot_be_stored_is_refused_at_the_call(
    client: TrackingClient, key: str, value: float, step: int, timestamp: int | None
) -> None:
    with client.start_run() as run:
        with pytest.raises(InvalidInput):
            run.log_metric(key, value, step, timestamp)
        run.log_metric("good", 1.0)
    assert client.run(run.run_id).metrics == {"good": 1.0}


def test_threads_log_at_the_same_time(client: TrackingClient) -> None:
    with client.start_run() as run:

        def work(thread: int) -> None:
            for step in range(2000):
                run.log_metric(f"m{step % 3}", thread, thread * 10_000 + step)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    found = [pair for key in range(3) for pair in history(client, run.attempt_id, f"m{key}")]
    assert sorted(found) == [(t * 10_000 + s, float(t)) for t in range(8) for s in range(2000)]


def test_points_wait_in_the_spool_and_arrive_once(unsteady: TrackingClient) -> None:
    with unsteady.start_run() as run:
        run.log_metric("m", 0.0, 0)
        run.flush()
        store_of(unsteady).go_away()
        for step in range(1, 5001):
            run.log_metric("m", float(step), step)
        wait_until(
            lambda: any(path.stat().st_size > 5000 * 24 for path in spools(unsteady.settings))
        )
        run.log_metric("m", 5001.0, 5001)
        store_of(unsteady).error = None
        run.flush()
        assert history(unsteady, run.attempt_id, "m") == [(n, float(n)) for n in range(5002)]
        assert spools(unsteady.settings) == []


def test_a_lost_answer_to_a_commit_doubles_nothing(unsteady: TrackingClient) -> None:
    with unsteady.start_run() as run:
        run.flush()
        store_of(unsteady).lose_answers = 2
        for step in range(100):
            run.log_metric("m", 1.0, step)
        run.flush()
    assert history(unsteady, run.attempt_id, "m") == [(step, 1.0) for step in range(100)]


def test_a_database_that_stays_away_fails_the_end_and_keeps_the_points(
    unsteady: TrackingClient,
) -> None:
    unsteady.patience = 0.7
    run = unsteady.start_run()
    store_of(unsteady).go_away()
    for step in range(100):
        run.log_metric("m", 1.0, step)
    with pytest.raises(StoreUnavailable, match=r"safe in .*spool") as caught:
        run.end()
    assert str(spools(unsteady.settings)[0]) in str(caught.value)
    store_of(unsteady).error = None
    done = deliver_spools(unsteady.settings, unsteady.store)
    assert done.points == 100
    assert history(unsteady, run.attempt_id, "m") == [(step, 1.0) for step in range(100)]
    assert spools(unsteady.settings) == []


def test_an_error_that_no_retry_cures_is_never_swallowed(unsteady: TrackingClient) -> None:
    run = unsteady.start_run()
    store = store_of(unsteady)
    run.flush()
    store.error = StoreError("The tracking database refused: no.")
    run.log_metric("m", 1.0)
    with pytest.raises(StoreError, match=r"refused: no\."):
        run.flush()
    with pytest.raises(StoreError, match=r"refused: no\."):
        run.log_metric("m", 2.0)
    store.error = None
    with pytest.raises(StoreError, match=r"refused: no\."):
        run.end()
    attempt = unsteady.run(run.run_id).attempt
    assert attempt.status.value == "FAILED"
    assert attempt.error == "StoreError: The tracking database refused: no."


def test_an_unexpected_error_in_the_thread_reaches_the_caller(unsteady: TrackingClient) -> None:
    run = unsteady.start_run()
    run.flush()
    store_of(unsteady).error = ZeroDivisionError("surprise")
    run.log_metric("m", 1.0)
    with pytest.raises(StoreError, match="ZeroDivisionError") as caught:
        run.flush()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    store_of(unsteady).error = None
    with pytest.raises(StoreError):
        run.end()


def test_memory_and_spool_are_bounded_and_then_callers_wait(
    unsteady: TrackingClient, settings: Settings
) -> None:
    run = unsteady.start_run(heartbeat=False)
    store = store_of(unsteady)
    writer = MetricWriter(
        store,
        SpoolOwner(run.run_id, run.attempt_id),
        spool_directory(settings),
        heartbeat=False,
        buffer_points=1000,
        max_spool_bytes=50_000,
    )
    store.go_away()
    logged = []

    def work() -> None:
        for step in range(10_000):
            writer.log("m", float(step), step)
            logged.append(step)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(1.5)
    stuck_at = len(logged)
    time.sleep(0.7)
    assert len(logged) == stuck_at < 5000
    assert len(writer._buffer) <= 1000
    assert sum(path.stat().st_size for path in spools(settings)) <= 50_000
    store.error = None
    thread.join(20)
    writer.close(10)
    assert history(unsteady, run.attempt_id, "m") == [(n, float(n)) for n in range(10_000)]
    run.end()


def test_a_spool_that_cannot_be_written_keeps_points_in_memory(
    unsteady: TrackingClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = spool_directory(settings)
    directory.parent.mkdir(exist_ok=True)
    directory.write_bytes(b"a file where the directory should be")
    unsteady.patience = 0.5
    run = unsteady.start_run()
    store_of(unsteady).go_away()
    run.log_metric("m", 1.0)
    with pytest.raises(StoreUnavailable, match="wait in memory"):
        run.flush()
    store_of(unsteady).error = None
    run.flush(10)
    assert history(unsteady, run.attempt_id, "m") == [(0, 1.0)]
    run.end()


def test_a_running_attempt_gives_signs_of_life(
    client: TrackingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric_writer, "HEARTBEAT_EVERY", 0.1)
    with client.start_run() as run:
        first = client.run(run.run_id).attempt.heartbeat_at
        assert first is not None

        def is_later() -> bool:
            now = client.run(run.run_id).attempt.heartbeat_at
            return now is not None and now > first

        wait_until(is_later)


def test_an_ended_run_refuses_points(client: TrackingClient) -> None:
    with client.start_run() as run:
        run.log_metric("m", 1.0)
    for late in (run, client.start_run(heartbeat=False)):
        late.end()
        with pytest.raises(Conflict, match="has ended here"):
            late.log_metric("m", 2.0)
    late.flush()


def test_a_call_is_not_held_up_by_a_slow_database(unsteady: TrackingClient) -> None:
    with unsteady.start_run() as run:
        store_of(unsteady).go_away()
        started = time.perf_counter()
        for step in range(20_000):
            run.log_metric("m", 1.0, step)
        assert time.perf_counter() - started < 2
        store_of(unsteady).error = None


def test_a_forked_child_never_waits_for_a_lock_of_its_parent(
    client: TrackingClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = MetricWriter(
        client.store, SpoolOwner("a-run", 1), spool_directory(settings), heartbeat=False
    )
    ending = threading.Thread(target=writer.close, args=(1.0,), daemon=True)
    with writer._buffer._room:  # as another thread of the parent may have held it at the fork
        monkeypatch.setattr(os, "getpid", lambda: -1)
        ending.start()
        ending.join(5)
        assert not ending.is_alive()
    with pytest.raises(Conflict, match="has ended here"):
        writer._buffer.add("m", 1.0)
