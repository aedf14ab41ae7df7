"""The database goes away and workers are killed in the middle of a sweep: nothing is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.entities.sweeps import TrialState
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.robustness.conftest import FragileServer
from tests.robustness.ledger import assert_nothing_lost
from tests.robustness.training_worker import Job, plan, start, work_until_done
from tests.tracking.conftest import history

OUTAGE = float(os.environ.get("MLTRACK_TEST_OUTAGE_SECONDS", "5"))
"""Seconds that the database is away: longer than every pause between two tries to reach it."""


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Give a directory where workers note what they logged."""
    (tmp_path / "journal").mkdir()
    return tmp_path / "journal"


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def complete(client: TrackingClient, sweep: str) -> int:
    with client.store.transaction() as tx:
        return tx.sweeps.counts(sweep)[TrialState.COMPLETE]


def two_workers(job: Job, pool: ThreadPoolExecutor) -> list[Future[int]]:
    return [pool.submit(work_until_done, job, worker) for worker in range(2)]


def test_postgres_is_away_in_mid_sweep_and_the_training_goes_on(
    server: FragileServer, own_settings: Settings, journal: Path
) -> None:
    with TrackingClient(own_settings) as client, ThreadPoolExecutor() as pool:
        sweep = plan(client)
        workers = two_workers(Job(own_settings, sweep, journal), pool)
        wait_until(lambda: complete(client, sweep) >= 2, "no trial ended")
        server.stop()
        time.sleep(OUTAGE)
        server.start()
        assert [worker.result() for worker in workers] == [1, 1], "no try of a worker was lost"
        assert assert_nothing_lost(client, sweep, journal) == []


def test_workers_that_lose_patience_with_a_killed_postgres_are_tried_again(
    server: FragileServer, own_settings: Settings, journal: Path
) -> None:
    with TrackingClient(own_settings) as client, ThreadPoolExecutor() as pool:
        sweep = plan(client)
        workers = two_workers(Job(own_settings, sweep, journal, patience=1), pool)
        wait_until(lambda: complete(client, sweep) >= 2, "no trial ended")
        server.kill()
        time.sleep(OUTAGE)
        server.start()
        assert max(worker.result() for worker in workers) > 1
        assert assert_nothing_lost(client, sweep, journal)


def test_a_killed_embedded_server_is_started_again_by_whoever_needs_it(
    server: FragileServer, own_settings: Settings, journal: Path
) -> None:
    embedded = Settings(
        database_url=f"embedded://{server.directory}",
        artifact_uri=own_settings.artifact_uri,
        spool_dir=own_settings.spool_dir,
    )
    with TrackingClient(embedded) as client, ThreadPoolExecutor() as pool:
        sweep = plan(client)
        workers = two_workers(Job(embedded, sweep, journal), pool)
        wait_until(lambda: complete(client, sweep) >= 2, "no trial ended")
        server.kill()
        assert [worker.result() for worker in workers] == [1, 1]
        assert assert_nothing_lost(client, sweep, journal) == []


def test_a_worker_killed_in_mid_trial_costs_one_attempt_while_others_go_on(
    settings: Settings, journal: Path
) -> None:
    with TrackingClient(settings, pool_size=2) as client, ThreadPoolExecutor() as pool:
        sweep = plan(client)
        job = Job(settings, sweep, journal)
        victim = start(job, worker=0, attempt=1)
        wait_until(lambda: bool(list(journal.iterdir())), "the worker took no trial")
        (attempt,) = (int(path.name) for path in journal.iterdir())
        other = pool.submit(work_until_done, job, 1)
        wait_until(lambda: bool(history(client, attempt, "curve")), "no point was written")
        written = len(history(client, attempt, "curve"))
        victim.kill()
        victim.join()
        assert other.result() == 1
        retried = work_until_done(job, worker=0, first_attempt=2)
        assert retried == 2
        given_up = assert_nothing_lost(client, sweep, journal)
        assert [(one.attempt_id, one.status) for one in given_up] == [(attempt, RunStatus.KILLED)]
        assert len(history(client, attempt, "curve")) >= written
