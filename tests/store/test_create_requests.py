"""What is remembered of requests that made something, and for how long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from airflow_mltrack.store.create_requests import REPEATED_WITHIN_MINUTES
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.waiting import wait_until_somebody_waits


def make(
    store: TrackingStore, connection: str, *, digest: str = "d", experiment: int = 0
) -> tuple[str, list[str]]:
    """Open a run by a request; return its id, and those that were set aside for it."""
    with store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=experiment, watched=False)
        aside = tx.create_requests.note_run(
            run.run_id, digest=digest, connection=connection, name=None, tags={}
        )
    return run.run_id, aside


def grow_older(store: TrackingStore, minutes: int) -> None:
    """Let all requests be from some time ago."""
    with store.transaction() as tx:
        tx.connection.execute(
            text("UPDATE create_requests SET made_at = made_at - make_interval(mins => :minutes)"),
            {"minutes": minutes},
        )


def remembered(store: TrackingStore) -> set[str]:
    with store.transaction() as tx:
        return set(tx.connection.scalars(text("SELECT record_id FROM create_requests")))


def test_the_same_request_over_another_connection_sets_the_earlier_run_aside(
    store: TrackingStore,
) -> None:
    first, aside = make(store, "h:1")
    assert aside == []
    assert make(store, "h:2")[1] == [first]
    assert make(store, "h:3", digest="other")[1] == []


def test_the_same_connection_asks_for_a_second_run(store: TrackingStore) -> None:
    make(store, "h:1")
    assert make(store, "h:1")[1] == []


def test_a_request_of_long_ago_is_no_repetition(store: TrackingStore) -> None:
    first, _ = make(store, "h:1")
    grow_older(store, REPEATED_WITHIN_MINUTES - 1)
    second, aside = make(store, "h:2")
    assert aside == [first]
    grow_older(store, REPEATED_WITHIN_MINUTES + 1)
    assert make(store, "h:3")[1] == []
    with store.transaction() as tx:
        assert tx.runs.get(second).lifecycle.value == "active"


def test_requests_are_forgotten_after_a_day_but_for_what_was_set_aside(
    store: TrackingStore,
) -> None:
    first, _ = make(store, "h:1")
    second, _ = make(store, "h:2")
    grow_older(store, 25 * 60)
    third, _ = make(store, "h:3")
    assert remembered(store) == {first, third}
    with store.transaction() as tx:
        assert tx.create_requests.bring_back(first)
        assert not tx.create_requests.bring_back(first)
        assert not tx.create_requests.bring_back(second)
        assert tx.runs.get(first).lifecycle.value == "active"


def test_a_run_of_a_deleted_experiment_comes_back_after_it(store: TrackingStore) -> None:
    with store.transaction() as tx:
        experiment = tx.experiments.ensure("loans").experiment_id
    first, second = (make(store, f"h:{port}", experiment=experiment)[0] for port in (1, 2))
    with store.transaction() as tx:
        tx.experiments.delete(experiment)
        assert not tx.create_requests.bring_back(first)
        assert tx.runs.get(first).lifecycle.value == "deleted"
        tx.experiments.restore(experiment)
        assert tx.runs.get(first).lifecycle.value == "deleted"
        assert tx.runs.get(second).lifecycle.value == "active"
        assert tx.create_requests.bring_back(first)
        assert tx.runs.get(first).lifecycle.value == "active"


def test_a_run_that_is_being_written_to_is_waited_for(store: TrackingStore) -> None:
    first, _ = make(store, "h:1")
    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as tx:
            tx.runs.log_params(tx.runs.get(first).attempt_id, {"depth": "6"})
            second = pool.submit(make, store, "h:2")
            wait_until_somebody_waits(store)
        assert second.result(30)[1] == []
    with store.transaction() as tx:
        assert tx.runs.get(first).lifecycle.value == "active"


def test_equal_requests_at_the_same_time_follow_one_another(store: TrackingStore) -> None:
    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as tx:
            run, _ = tx.runs.open(experiment_id=0, watched=False)
            tx.create_requests.note_run(
                run.run_id, digest="d", connection="h:1", name=None, tags={}
            )
            second = pool.submit(make, store, "h:2")
            wait_until_somebody_waits(store)
        assert second.result(30)[1] == [run.run_id]
