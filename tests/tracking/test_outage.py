"""Postgres really stops, processes are really killed: every point arrives, once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_mltrack.exceptions import StoreUnavailable
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.spool_delivery import deliver_spools
from tests.tracking.conftest import PrivateServer, history, spools

ROOT = Path(__file__).parents[2]


@contextmanager
def script(settings: Settings, body: str) -> Iterator[subprocess.Popen[str]]:
    """Run code with a client ``client`` in another process, which is killed afterwards."""
    code = (
        "import os, sys, time\n"
        "from airflow_mltrack.settings import Settings\n"
        "from airflow_mltrack.tracking.client import TrackingClient\n"
        f"settings = Settings(database_url={settings.database_url!r}, "
        f"artifact_uri={settings.artifact_uri!r}, spool_dir={settings.spool_dir!r})\n"
        "client = TrackingClient(settings, patience=20)\n" + body
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def tell(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdin is not None
    print(words, file=process.stdin, flush=True)


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_for_spool(settings: Settings, *, bytes_at_least: int) -> None:
    deadline = time.monotonic() + 20
    while not any(path.stat().st_size >= bytes_at_least for path in spools(settings)):
        assert time.monotonic() < deadline, "the points did not reach the spool"
        time.sleep(0.05)


def test_postgres_goes_and_comes_back_during_a_run(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    client = TrackingClient(private_settings, pool_size=2, patience=30)
    back = threading.Timer(3, private_server.start)
    with client.start_run() as run:
        slowest = 0.0
        for step in range(30):
            if step == 5:
                private_server.stop()
                back.start()
            started = time.perf_counter()
            run.log_metric("loss", step / 10, step)
            slowest = max(slowest, time.perf_counter() - started)
            time.sleep(0.1)
        run.log_param("logged", "while it was away")
    back.join()
    assert slowest < 1
    assert history(client, run.attempt_id, "loss") == [(n, n / 10) for n in range(30)]
    data = client.run(run.run_id)
    assert data.params == {"logged": "while it was away"}
    assert data.attempt.status.value == "FINISHED"
    assert spools(private_settings) == []
    client.close()


def test_a_process_killed_while_postgres_is_away_loses_nothing(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    body = """
run = client.start_run()
run.log_metric("m", 0.0, 0)
run.flush()
print(run.run_id, run.attempt_id, flush=True)
sys.stdin.readline()
for step in range(1, 3001):
    run.log_metric("m", float(step), step)
time.sleep(60)
"""
    client = TrackingClient(private_settings, patience=5)
    with script(private_settings, body) as process:
        run_id, attempt = hear(process).split()
        private_server.stop()
        try:
            tell(process, "log")
            wait_for_spool(private_settings, bytes_at_least=3000 * 24)
            process.send_signal(signal.SIGSTOP)
        finally:
            private_server.start()
        assert deliver_spools(private_settings, client.store).points == 0, "its owner lives"
    assert deliver_spools(private_settings, client.store).points >= 3000
    assert deliver_spools(private_settings, client.store).points == 0
    assert history(client, int(attempt), "m") == [(n, float(n)) for n in range(3001)]
    assert spools(private_settings) == []
    assert client.run(run_id).attempt.status.value == "RUNNING"
    client.close()


def test_the_next_client_delivers_what_a_dead_process_left(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    body = """
run = client.start_run(heartbeat=False)
print(run.attempt_id, flush=True)
sys.stdin.readline()
run.log_metric("m", 1.0)
time.sleep(60)
"""
    with script(private_settings, body) as process:
        attempt = int(hear(process))
        private_server.stop()
        try:
            tell(process, "log")
            wait_for_spool(private_settings, bytes_at_least=100)
        finally:
            process.kill()
            private_server.start()
    with TrackingClient(private_settings, patience=5) as client, client.start_run():
        deadline = time.monotonic() + 10
        while spools(private_settings):
            assert time.monotonic() < deadline, "the spool was not delivered"
            time.sleep(0.05)
        assert history(client, attempt, "m") == [(0, 1.0)]


def test_a_run_that_nobody_ends_still_writes_its_points(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    body = """
run = client.start_run()
print(run.attempt_id, flush=True)
for step in range(100):
    run.log_metric("m", 1.0, step)
"""
    with script(private_settings, body) as process:
        attempt = int(hear(process))
        assert process.wait(30) == 0
    with TrackingClient(private_settings) as client:
        assert len(history(client, attempt, "m")) == 100


def test_a_forked_child_logs_its_own_points_and_none_of_its_parents(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    body = """
run = client.start_run()
for step in range(1000):
    run.log_metric("parent", 1.0, step)
child = os.fork()
if child == 0:
    for step in range(500):
        run.log_metric("child", 1.0, step)
    run.flush()
    os._exit(0)
status = os.waitpid(child, 0)[1]
run.end()
print(run.attempt_id, status, flush=True)
"""
    with script(private_settings, body) as process:
        attempt, status = map(int, hear(process).split())
        assert process.wait(30) == 0
    assert status == 0
    with TrackingClient(private_settings) as client:
        assert len(history(client, attempt, "parent")) == 1000
        assert len(history(client, attempt, "child")) == 500


def test_a_worker_of_multiprocessing_leaves_no_point_behind(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    body = """
import multiprocessing
def work():
    for step in range(500):
        run.log_metric("child", 1.0, step)
run = client.start_run()
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
run.end()
print(run.attempt_id, child.exitcode, flush=True)
"""
    with script(private_settings, body) as process:
        attempt, status = map(int, hear(process).split())
        assert process.wait(30) == 0
    assert status == 0
    with TrackingClient(private_settings) as client:
        assert len(history(client, attempt, "child")) == 500


def test_starting_a_run_does_not_wait_for_a_database_that_is_away(
    private_server: PrivateServer, private_settings: Settings
) -> None:
    client = TrackingClient(private_settings, patience=60)
    private_server.stop()
    started = time.monotonic()
    try:
        with pytest.raises(StoreUnavailable, match="mltrack doctor"):
            client.start_run()
    finally:
        private_server.start()
    assert time.monotonic() - started < 12
