"""Params are written once for each attempt, by any number of writers."""

from __future__ import annotations

import time

import pytest

from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.processes import at_once


def test_ten_thousand_params_of_any_text_read_back(store: TrackingStore) -> None:
    given = {f"p/{number:05}": f"wert {number} ✓" for number in range(9_997)}
    given |= {"empty": "", "long": "x" * 6_000, "k.e-y_ /:ü": "' \" \\ %s :x\n"}
    with store.transaction() as tx:
        run, attempt = tx.runs.open(experiment_id=0)
        started = time.perf_counter()
        tx.runs.log_params(attempt.attempt_id, given)
        assert time.perf_counter() - started < 5
        assert tx.runs.data(run.run_id).params == given


def test_the_same_value_again_is_fine_and_new_keys_are_added(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, attempt = tx.runs.open(experiment_id=0)
        tx.runs.log_params(attempt.attempt_id, {"a": "1"})
        tx.runs.log_params(attempt.attempt_id, {"a": "1"})
        tx.runs.log_params(attempt.attempt_id, {"b": "2", "a": "1"})
        tx.runs.log_params(attempt.attempt_id, {})
        assert tx.runs.data(run.run_id).params == {"a": "1", "b": "2"}


def test_another_value_is_refused_with_key_old_and_new(store: TrackingStore) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        tx.runs.log_params(attempt.attempt_id, {"depth": "3"})
    with (
        pytest.raises(Conflict, match=r"param 'depth'.*'3'.*'4'.*once"),
        store.transaction() as tx,
    ):
        tx.runs.log_params(attempt.attempt_id, {"depth": "4", "new": "1"})
    with store.transaction() as tx:
        assert tx.runs.data(attempt.run_id).params == {"depth": "3"}


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("", "v", "at least one character"),
        ("k" * 251, "v", "at most 250"),
        ("a=b", "v", "only letters"),
        ("a\nb", "v", "only letters"),
        ("/a", "v", "neither begins"),
        ("a/", "v", "neither begins"),
        ("a/../b", "v", "'..' part"),
        ("k", "v" * 6_001, "at most 6000"),
        ("k", "\x00", "NUL"),
        ("k", "\udfff", "surrogate"),
        ("k", 1, "it is text"),
        (1, "v", "it is text"),
    ],
)
def test_a_bad_param_is_refused_and_nothing_is_written(
    store: TrackingStore, key: str, value: str, rule: str
) -> None:
    with store.transaction() as tx:
        run, attempt = tx.runs.open(experiment_id=0)
        with pytest.raises(InvalidInput, match=rule):
            tx.runs.log_params(attempt.attempt_id, {"good": "1", key: value})
        assert tx.runs.data(run.run_id).params == {}


def test_params_of_no_attempt_are_refused(store: TrackingStore) -> None:
    with store.transaction() as tx, pytest.raises(NotFound, match="attempt '42'"):
        tx.runs.log_params(42, {"a": "1"})


def log_in_turns(settings: Settings, attempt_id: int, backwards: bool) -> int:
    store = TrackingStore(settings, pool_size=1)
    keys = [f"key{number:03}" for number in range(200)]
    for _ in range(10):
        with store.transaction() as tx:
            ordered = reversed(keys) if backwards else keys
            tx.runs.log_params(attempt_id, dict.fromkeys(ordered, "same"))
    store.close()
    return len(keys)


def test_writers_in_opposite_orders_never_deadlock(
    settings: Settings, store: TrackingStore
) -> None:
    with store.transaction() as tx:
        run, attempt = tx.runs.open(experiment_id=0)
    number = attempt.attempt_id
    at_once(log_in_turns, [(settings, number, turn % 2 == 0) for turn in range(4)])
    with store.transaction() as tx:
        assert len(tx.runs.data(run.run_id).params) == 200
