"""Promotion by many processes at once, and by processes that are killed in the middle of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from sqlalchemy import event, text

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.lifecycle.promotion import (
    UNSET,
    list_history,
    live_version,
    promote,
    verify_history,
)
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import AddVersion

PATIENCE = 60
RACERS, ROUNDS = 8, 6


@pytest.fixture
def processes() -> ForkServerContext:
    """Give a way to start processes that have the package loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["airflow_mltrack.lifecycle.promotion", "airflow_mltrack.tracking.client", "sqlalchemy"]
    )
    return context


def stages(client: TrackingClient) -> dict[int, str]:
    with client.store.transaction() as tx:
        return {version.version: version.stage for version in tx.registry.list_versions("credit")}


def recorded_stages(client: TrackingClient, versions: int) -> dict[int, str]:
    """Work out from the history alone where every version stands."""
    found = dict.fromkeys(range(1, versions + 1), "None")
    for item in list_history(client, "credit"):
        assert item.version is not None
        assert found[item.version] == item.payload["from"]
        found[item.version] = str(item.payload["to"])
    return found


def assert_whole(client: TrackingClient, versions: int) -> None:
    """Check that records and history agree: everything of a promotion happened, or nothing."""
    assert stages(client) == recorded_stages(client, versions)
    assert verify_history(client, "credit") is None


def race(
    settings: Settings, version: int, barrier: Barrier, results: multiprocessing.Queue[Any]
) -> None:
    """Promote one version in every round; in odd rounds only if nobody else came first."""
    client = TrackingClient(settings)
    for number in range(ROUNDS):
        live = live_version(client, "credit")
        expected = None if live is None else live.version
        barrier.wait(PATIENCE)
        try:
            done = promote(
                client,
                "credit",
                version,
                "Production",
                actor=f"racer {version}",
                expected_current=expected if number % 2 else UNSET,
            )
            outcome = "changed" if done.changed else "repeated"
        except Conflict as conflict:
            outcome = str(conflict)
        results.put((number, version, outcome))
        barrier.wait(PATIENCE)


def test_of_many_promotions_at_once_each_round_leaves_one_holder(
    client: TrackingClient,
    add_version: AddVersion,
    settings: Settings,
    processes: ForkServerContext,
) -> None:
    for _ in range(RACERS):
        add_version()
    barrier, results = processes.Barrier(RACERS + 1), processes.Queue()
    racers = [
        processes.Process(target=race, args=(settings, version, barrier, results))
        for version in range(1, RACERS + 1)
    ]
    for racer in racers:
        racer.start()
    for number in range(ROUNDS):
        barrier.wait(PATIENCE)
        outcomes = [results.get(timeout=PATIENCE) for _ in racers]
        assert {found[0] for found in outcomes} == {number}
        assert list(stages(client).values()).count("Production") == 1
        changed = [version for _, version, outcome in outcomes if outcome == "changed"]
        if number % 2:
            # Compare-and-set: one wins; the rest hear who is live (or were live when they asked).
            assert len(changed) == 1
            losers = [outcome for *_, outcome in outcomes if outcome != "changed"]
            clear = f"found version {changed[0]}"
            assert all(clear in outcome or outcome == "repeated" for outcome in losers)
        else:
            assert len(changed) >= RACERS - 1
        barrier.wait(PATIENCE)
    for racer in racers:
        racer.join(PATIENCE)
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    assert_whole(client, RACERS)


def promote_and_die(settings: Settings, version: int, statement: int) -> None:
    """Promote, and be killed right after the given statement reached the server."""
    client = TrackingClient(settings)
    live_version(client, "credit")  # the first transaction also checks the schema
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(client.store.engine, "after_cursor_execute", count)
    promote(client, "credit", version, "Production", actor="doomed")


def test_killed_after_any_statement_all_of_it_happened_or_nothing(
    client: TrackingClient,
    add_version: AddVersion,
    settings: Settings,
    processes: ForkServerContext,
) -> None:
    for _ in range(2):
        add_version()
    promote(client, "credit", 1, "Production", actor="ada")
    before = list_history(client, "credit")
    for statement in range(1, 100):
        doomed = processes.Process(target=promote_and_die, args=(settings, 2, statement))
        doomed.start()
        doomed.join(PATIENCE)
        if doomed.exitcode == 0:
            break
        assert doomed.exitcode == -signal.SIGKILL
        assert stages(client) == {1: "Production", 2: "None"}
        assert list_history(client, "credit") == before
    assert statement > 10  # it was killed at that many places, and finished when it was not
    assert stages(client) == {1: "Archived", 2: "Production"}
    assert_whole(client, 2)


def promote_for_ever(settings: Settings) -> None:
    client = TrackingClient(settings)
    while True:
        for version in (1, 2):
            promote(client, "credit", version, "Production", actor="restless")


def test_killed_at_any_moment_records_and_history_agree(
    client: TrackingClient,
    add_version: AddVersion,
    settings: Settings,
    processes: ForkServerContext,
) -> None:
    for _ in range(3):
        add_version()
    for number in range(6):
        events = len(list_history(client, "credit"))
        restless = processes.Process(target=promote_for_ever, args=(settings,))
        restless.start()
        wait_until(lambda known=events: len(list_history(client, "credit")) > known + 4)
        time.sleep(0.003 * number)
        restless.kill()
        restless.join(PATIENCE)
        # What the killed process had locked is free again, and another one can go on.
        assert promote(client, "credit", 3, "Production", actor="ada").changed
        assert_whole(client, 3)


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def test_promotion_and_deletion_of_one_version_take_turns(
    client: TrackingClient, add_version: AddVersion
) -> None:
    version: ModelVersion = add_version()
    errors: list[str] = []

    def promote_behind() -> None:
        try:
            promote(client, "credit", version.version, "Production", actor="ada")
        except Exception as error:  # noqa: BLE001 - its kind is what is asserted
            errors.append(type(error).__name__)

    with client.store.transaction() as tx:
        tx.registry.delete_version("credit", version.version)
        thread = threading.Thread(target=promote_behind)
        thread.start()
        wait_until(lambda: waiting(client) == 1)
    thread.join(PATIENCE)
    assert errors == ["NotFound"]


def waiting(client: TrackingClient) -> int:
    with client.store.transaction() as tx:
        query = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(tx.connection.execute(query).scalar_one())
