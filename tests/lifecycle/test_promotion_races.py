"""Promotion by many processes at once, and by processes that are killed in the middle of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, text

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.exceptions import Conflict, PromotionRefused
from airflow_mltrack.lifecycle.approval import approve
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.promotion import live_version, promote
from airflow_mltrack.lifecycle.rollback import rollback
from airflow_mltrack.lifecycle.transitions import UNSET
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVersion, write_verdict, write_version

PATIENCE = 60
RACERS, ROUNDS = 16, 200
UNSET_EVERY = 10
"""Every so many rounds nobody says whom they expect, and all go live one after another."""


@pytest.fixture
def processes() -> ForkServerContext:
    """Give a way to start processes that have the package loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "airflow_mltrack.lifecycle.rollback",
            "airflow_mltrack.lifecycle.promotion",
            "airflow_mltrack.artifacts.local",
            "airflow_mltrack.tracking.client",
            "psycopg",
            "sqlalchemy.dialects.postgresql.psycopg",
            "tests.lifecycle.test_promotion_races",
        ]
    )
    return context


def stages(client: TrackingClient) -> dict[int, str]:
    with client.store.transaction() as tx:
        return {version.version: version.stage for version in tx.registry.list_versions("credit")}


def recorded_stages(client: TrackingClient, versions: int) -> dict[int, str]:
    """Work out from the history alone where every version stands."""
    found = dict.fromkeys(range(1, versions + 1), "None")
    for item in list_history(client, "credit"):
        if item.kind != "transition":
            continue
        assert item.version is not None
        assert found[item.version] == item.payload["from"]
        found[item.version] = str(item.payload["to"])
    return found


def assert_whole(client: TrackingClient, versions: int) -> None:
    """Check that records and history agree: everything of a promotion happened, or nothing."""
    assert stages(client) == recorded_stages(client, versions)
    assert verify_history(client, "credit").is_whole


@dataclass
class Round:
    """What one racer got in one round."""

    number: int
    version: int
    outcome: str


def race(
    settings: Settings,
    version: int,
    barrier: Barrier,
    expected: Synchronized[int],
    results: multiprocessing.Queue[Round],
) -> None:
    """Promote one version in every round; over one connection that stays open."""
    client = TrackingClient(settings, pool_size=1)
    for number in range(ROUNDS):
        barrier.wait(PATIENCE)
        try:
            done = promote(
                client,
                "credit",
                version,
                "Production",
                actor=f"racer {version}",
                expected_current=UNSET if number % UNSET_EVERY == 0 else expected.value or None,
            )
            outcome = "changed" if done.changed else "repeated"
        except Conflict as conflict:
            outcome = str(conflict)
        results.put(Round(number, version, outcome))
        barrier.wait(PATIENCE)
    client.close()


def test_of_many_promotions_at_once_each_round_leaves_one_holder(
    client: TrackingClient,
    add_version: AddVersion,
    settings: Settings,
    processes: ForkServerContext,
) -> None:
    for _ in range(RACERS):
        add_version()
    barrier, results = processes.Barrier(RACERS + 1), processes.Queue()
    expected = processes.Value("i", 0)
    racers = [
        processes.Process(target=race, args=(settings, version, barrier, expected, results))
        for version in range(1, RACERS + 1)
    ]
    for racer in racers:
        racer.start()
    with psycopg.connect(settings.database_url, autocommit=True) as connection:
        for number in range(ROUNDS):
            barrier.wait(PATIENCE)
            outcomes = [results.get(timeout=PATIENCE) for _ in racers]
            holder = check_round(number, outcomes, holders(connection), before=expected.value)
            expected.value = holder
            barrier.wait(PATIENCE)
        for racer in racers:
            racer.join(PATIENCE)
        deadlocks = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert [racer.exitcode for racer in racers] == [0] * RACERS
    assert deadlocks == (0,)
    assert_whole(client, RACERS)


def holders(connection: psycopg.Connection[tuple[object, ...]]) -> list[object]:
    query = "SELECT version FROM model_versions WHERE stage = 'Production'"
    return [version for (version,) in connection.execute(query)]


def check_round(number: int, outcomes: list[Round], found: list[object], *, before: int) -> int:
    """Check what a round has left; return who is live."""
    assert {outcome.number for outcome in outcomes} == {number}
    (holder,) = found
    changed = [outcome.version for outcome in outcomes if outcome.outcome == "changed"]
    repeated = [outcome.version for outcome in outcomes if outcome.outcome == "repeated"]
    refused = [outcome.outcome for outcome in outcomes if outcome.version not in changed + repeated]
    assert holder in changed
    # Who was live when it came to its turn has nothing to do.
    assert set(repeated) <= {before}
    if number % UNSET_EVERY == 0:
        assert (len(changed), refused) == (RACERS - len(repeated), [])
    else:
        # Compare-and-set: one wins, and the others hear whom they did not expect.
        was = f"version {before}" if before else "no version"
        clear = f"expected {was} in Production, found version {holder}"
        assert changed == [holder]
        assert len(refused) == RACERS - 1 - len(repeated)
        assert all(clear in outcome for outcome in refused)
    assert isinstance(holder, int)
    return holder


def die_at(client: TrackingClient, statement: int) -> None:
    """Be killed right after the given statement reached the server, or before that COMMIT does."""
    live_version(client, "credit")  # the first transaction also checks the schema
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(client.store.engine, "after_cursor_execute", count)
    event.listen(client.store.engine, "commit", count)


def promote_and_die(settings: Settings, statement: int) -> None:
    client = TrackingClient(settings)
    die_at(client, statement)
    promote(client, "credit", 2, "Production", actor="doomed", reason="better")


def go_back_and_die(settings: Settings, statement: int) -> None:
    from airflow_mltrack.lifecycle import rollback as module

    module.check_loads = lambda *_, **__: None  # type: ignore[attr-defined]  # no real package
    client = TrackingClient(settings)
    die_at(client, statement)
    rollback(client, "credit", actor="doomed", reason="worse")


def open_model(client: TrackingClient) -> None:
    """Make a model in which version 1 is live and 2 may follow."""
    for _ in range(2):
        write_version(client)
    promote(client, "credit", 1, "Production", actor="ada")


def gated_model(client: TrackingClient) -> None:
    """Make a gated model in which version 1 is live and 2 has what it needs to follow."""
    for number in (1, 2):
        version = write_version(client, gates=POLICY, stages=GATED)
        promote(client, "credit", number, "Staging", actor="ada")
        if number == 2:
            promote(client, "credit", 1, "Production", actor="ada", reason="first")
        write_verdict(client, version)
        approve(client, "credit", number, "Production", approver="bob", reason="fine")


def left_model(client: TrackingClient) -> None:
    """Make a gated model in which version 1 is live and 2, live before, may come back."""
    gated_model(client)
    for number in (2, 1):
        with client.store.transaction() as tx:
            version = tx.registry.get_version("credit", number)
        if number == 2:
            promote(client, "credit", 2, "Production", actor="ada", reason="better")
            continue
        write_verdict(client, version)
        approve(client, "credit", 1, "Production", approver="bob", reason="fine")


@pytest.mark.parametrize(
    ("prepare", "doom", "comes", "least"),
    [
        (open_model, promote_and_die, 2, 15),
        (gated_model, promote_and_die, 2, 20),
        (left_model, go_back_and_die, 1, 25),
    ],
    ids=["open", "gated", "rollback"],
)
def test_killed_after_any_statement_all_of_it_happened_or_nothing(
    client: TrackingClient,
    settings: Settings,
    processes: ForkServerContext,
    prepare: Callable[[TrackingClient], None],
    doom: Callable[[Settings, int], None],
    comes: int,
    least: int,
) -> None:
    prepare(client)
    before, stood = list_history(client, "credit"), stages(client)
    for statement in range(1, 200):
        doomed = processes.Process(target=doom, args=(settings, statement))
        doomed.start()
        doomed.join(PATIENCE)
        if doomed.exitcode == 0:
            break
        assert doomed.exitcode == -signal.SIGKILL
        assert stages(client) == stood
        assert list_history(client, "credit") == before
    assert statement > least  # killed at so many places, and finished when it was not
    left = 3 - comes
    assert stages(client) == {comes: "Production", left: "Archived"}
    moves = [(event.version, event.payload["to"]) for event in list_history(client, "credit")[-2:]]
    assert moves == [(left, "Archived"), (comes, "Production")]
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


def test_of_two_versions_that_were_both_let_in_the_second_is_judged_again(
    client: TrackingClient,
) -> None:
    for number in (1, 2):
        version = write_version(client, gates=POLICY, stages=GATED)
        promote(client, "credit", number, "Staging", actor="ada")
        write_verdict(client, version)
        approve(client, "credit", number, "Production", approver="bob", reason="fine")
    outcomes: list[object] = []

    def go(number: int) -> None:
        try:
            promote(client, "credit", number, "Production", actor="ada", reason="better")
            outcomes.append(number)
        except PromotionRefused as refusal:
            outcomes.append(refusal)

    threads = [threading.Thread(target=go, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    (came,) = [outcome for outcome in outcomes if isinstance(outcome, int)]
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, PromotionRefused)]
    assert f"now it is version {came}" in str(refused)
    assert stages(client) == {came: "Production", 3 - came: "Staging"}
    assert_whole(client, 2)


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
