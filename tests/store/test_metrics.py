from __future__ import annotations

import math
import multiprocessing
import random
import struct
from array import array
from collections.abc import Sequence

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from airflow_mltrack.entities.metrics import LatestMetric, MetricBatch, MetricPoint, MetricSeries
from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.exceptions import InvalidInput, NotFound, StoreUnavailable
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.metric_codec import decode_array, encode_array
from airflow_mltrack.store.metric_history import in_order, thinned
from airflow_mltrack.store.tables import latest_metrics, metric_chunks
from airflow_mltrack.store.tracking_store import TrackingStore

NAN = float("nan")
INFINITY = float("inf")
INT64 = st.integers(-(2**63), 2**63 - 1)


def new_attempt(store: TrackingStore, identity: RunIdentity | None = None) -> int:
    with store.transaction() as tx:
        experiment = tx.experiments.ensure("metrics")
        _, attempt = tx.runs.open(experiment_id=experiment.experiment_id, identity=identity)
    return attempt.attempt_id


def log(
    store: TrackingStore, attempt_id: int, *points: MetricPoint, batch: int | None = None
) -> None:
    with store.transaction() as tx:
        tx.metrics.log_points(attempt_id, points, batch=batch)


def history(store: TrackingStore, attempt_id: int, key: str = "loss") -> list[MetricPoint]:
    with store.transaction() as tx:
        return tx.metrics.history(attempt_id, key)


def latest(store: TrackingStore, attempt_id: int) -> dict[str, LatestMetric]:
    with store.transaction() as tx:
        return {metric.key: metric for metric in tx.metrics.latest(attempt_id)}


def chunks(store: TrackingStore, attempt_id: int) -> int:
    with store.transaction() as tx:
        query = select(func.count()).where(metric_chunks.c.attempt == attempt_id)
        return int(tx.connection.scalar(query) or 0)


def loss(step: int, value: float, timestamp: int = 0) -> MetricPoint:
    return MetricPoint("loss", value, step, timestamp)


def comparable(points: Sequence[MetricPoint]) -> list[tuple[int, int, str]]:
    """NaN is not equal to NaN: compare what is shown."""
    return [(point.step, point.timestamp, repr(point.value + 0.0)) for point in points]


def test_points_come_back_in_order_with_every_kind_of_number(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    points = [
        loss(2**63 - 1, 1e308),
        loss(-(2**63), -INFINITY),
        loss(3, NAN, 5),
        loss(3, INFINITY, 5),
        loss(3, 5e-324, 5),
        loss(3, -0.1, 4),
    ]
    log(store, attempt, *points)
    assert comparable(history(store, attempt)) == comparable(
        [points[1], points[5], points[4], points[3], points[2], points[0]]
    )


def test_the_highest_step_timestamp_and_value_counts(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    log(store, attempt, loss(5, 1.0, 100), loss(5, 3.0, 100), loss(5, 2.0, 100))
    log(store, attempt, loss(4, 9.0, 900))
    log(store, attempt, loss(5, 9.0, 99))
    assert latest(store, attempt) == {"loss": LatestMetric("loss", 3.0, 5, 100)}
    log(store, attempt, loss(5, 0.5, 101))
    assert latest(store, attempt)["loss"].value == 0.5


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (-1.0, NAN, NAN),
        (NAN, -1.0, NAN),
        (1.0, NAN, 1.0),
        (NAN, 1.0, 1.0),
        (0.0, NAN, 0.0),
        (NAN, 0.0, NAN),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_nan_counts_as_zero_between_values_of_one_moment(
    store: TrackingStore, first: float, second: float, counts: float, together: bool
) -> None:
    attempt = new_attempt(store)
    if together:
        log(store, attempt, loss(1, first), loss(1, second))
    else:
        log(store, attempt, loss(1, first))
        log(store, attempt, loss(1, second))
    assert repr(latest(store, attempt)["loss"].value) == repr(counts)


def test_a_batch_written_again_is_ignored_and_the_rest_of_the_call_is_kept(
    store: TrackingStore,
) -> None:
    attempt = new_attempt(store)
    log(store, attempt, loss(1, 0.5), batch=7)
    log(store, attempt, loss(1, 0.5), MetricPoint("accuracy", 0.9, 1), batch=7)
    assert history(store, attempt) == [loss(1, 0.5)]
    assert history(store, attempt, "accuracy") == [MetricPoint("accuracy", 0.9, 1)]
    assert chunks(store, attempt) == 2


def test_the_same_point_in_two_batches_counts_once(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    log(store, attempt, loss(1, 0.5, 10), loss(1, NAN, 10))
    log(store, attempt, loss(1, NAN, 10), loss(1, 0.5, 10), loss(1, 0.25, 10))
    expected = comparable([loss(1, 0.25, 10), loss(1, 0.5, 10), loss(1, NAN, 10)])
    assert comparable(history(store, attempt)) == expected
    with store.transaction() as tx:
        tx.metrics.compact(attempt)
    assert comparable(history(store, attempt)) == expected
    assert chunks(store, attempt) == 1


def test_sequences_that_are_no_arrays_are_taken_as_numbers(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    batch = MetricBatch(attempt, "loss", 1, range(3), array("i", [1, 2, 3]), [True, 2, 3.5])
    with store.transaction() as tx:
        tx.metrics.log([batch, MetricBatch(attempt, "empty", 2, [], [], [])])
    assert history(store, attempt) == [loss(0, 1.0, 1), loss(1, 2.0, 2), loss(2, 3.5, 3)]
    assert list(latest(store, attempt)) == ["loss"]


def test_metrics_of_an_attempt_that_was_superseded_are_not_current(store: TrackingStore) -> None:
    old = new_attempt(store, RunIdentity("work", "try-1"))
    log(store, old, loss(1, 1.0))
    new = new_attempt(store, RunIdentity("work", "try-2"))
    log(store, old, loss(2, 2.0), MetricPoint("late", 1.0))
    log(store, new, loss(1, 3.0))
    with store.transaction() as tx:
        columns = latest_metrics.c
        query = select(columns.attempt, columns.key).where(columns.current)
        assert tx.connection.execute(query).all() == [(new, "loss")]
    assert latest(store, old)["loss"].value == 2.0


def test_a_new_attempt_waits_for_metrics_that_are_being_written(store: TrackingStore) -> None:
    old = new_attempt(store, RunIdentity("work", "try-1"))
    with store.transaction() as writing:
        writing.metrics.log_points(old, [loss(1, 1.0)])
        with store.transaction() as opening:
            opening.connection.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                opening.runs.open(experiment_id=1, identity=RunIdentity("work", "try-2"))
    new_attempt(store, RunIdentity("work", "try-2"))
    with store.transaction() as tx:
        query = select(func.count()).where(latest_metrics.c.current)
        assert tx.connection.scalar(query) == 0


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (MetricBatch(1, "", 1, [1], [1], [1.0]), "metric key"),
        (MetricBatch(1, "k" * 5000, 1, [1], [1], [1.0]), "250 characters"),
        (MetricBatch(1, "a\x00b", 1, [1], [1], [1.0]), "metric key"),
        (MetricBatch(1, "a\nb", 1, [1], [1], [1.0]), "metric key"),
        (MetricBatch(1, "a\ud800", 1, [1], [1], [1.0]), "metric key"),
        (MetricBatch(1, "a/../b", 1, [1], [1], [1.0]), "metric key"),
        (
            MetricBatch(1, "loss", 1, [2**63], [1], [1.0]),
            "step of metric loss '9223372036854775808'",
        ),
        (MetricBatch(1, "loss", 1, [0.5], [1], [1.0]), "step of metric loss"),  # type: ignore[list-item]
        (MetricBatch(1, "loss", 1, [1], [-1], [1.0]), "timestamp of metric loss '-1'"),
        (MetricBatch(1, "loss", 1, [1, 2], [1, "x"], [1.0, 2.0]), "timestamp of metric loss 'x'"),  # type: ignore[list-item]
        (MetricBatch(1, "loss", 1, [1], [1], ["0.5"]), "value of metric loss '0.5'"),  # type: ignore[list-item]
        (MetricBatch(1, "loss", 1, [1], [1], [10**400]), "value of metric loss"),
        (MetricBatch(1, "loss", 1, [1, 2], [1], [1.0]), "2 steps, 1 timestamps, 1 values"),
        (MetricBatch(1, "loss", 2**63, [1], [1], [1.0]), "batch number"),
        (MetricBatch(1, "loss", -1, [1], [1], [1.0]), "batch number"),
    ],
)
def test_a_wrong_batch_is_refused_by_name_and_nothing_is_written(
    store: TrackingStore, batch: MetricBatch, said: str
) -> None:
    attempt = new_attempt(store)
    good = MetricBatch(attempt, "good", 1, [1], [1], [1.0])
    with store.transaction() as tx, pytest.raises(InvalidInput, match=said):
        tx.metrics.log([good, batch])
    assert latest(store, attempt) == {}


def test_unicode_keys_of_full_length_are_kept(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    key = "größe/ﬁt: 値 " + "é" * 238
    assert len(key) == 250
    log(store, attempt, MetricPoint(key, 1.0))
    assert history(store, attempt, key) == [MetricPoint(key, 1.0)]


def test_an_attempt_that_does_not_exist_is_named(store: TrackingStore) -> None:
    with pytest.raises(NotFound, match="attempt '999'"), store.transaction() as tx:
        tx.metrics.log_points(999, [loss(1, 1.0)])


def test_a_failed_call_leaves_the_rest_of_the_transaction_alone(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    log(store, attempt, loss(1, 1.0), batch=1)
    with store.transaction() as tx:
        tx.metrics.log_points(attempt, [loss(2, 2.0)], batch=2)
        tx.metrics.log_points(attempt, [loss(1, 1.0)], batch=1)
    assert history(store, attempt) == [loss(1, 1.0), loss(2, 2.0)]


def test_ten_thousand_metrics_arrive_in_one_call(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    log(store, attempt, *(MetricPoint(f"metric_{n:05}", n / 7, 1, n) for n in range(10_000)))
    found = latest(store, attempt)
    assert list(found) == [f"metric_{n:05}" for n in range(10_000)]
    assert found["metric_00070"] == LatestMetric("metric_00070", 10.0, 1, 70)
    with store.transaction() as tx:
        assert len(tx.metrics.keys(attempt)) == 10_000


def _write(settings: Settings, attempt: int, writer: int) -> None:
    store = TrackingStore(settings)
    keys = [f"key_{n}" for n in range(20)]
    for step in range(25):
        random.shuffle(keys)
        log(store, attempt, *(MetricPoint(key, writer, step, writer) for key in keys))


def test_processes_that_write_one_series_lose_no_point_and_never_deadlock(
    store: TrackingStore, settings: Settings
) -> None:
    attempt = new_attempt(store)
    store.close()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(settings, attempt, n)) for n in range(3)]
    for writer in writers:
        writer.start()
    with store.transaction() as tx:
        tx.metrics.compact(attempt)
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with store.transaction() as tx:
        tx.metrics.compact(attempt)
        for key in tx.metrics.keys(attempt):
            expected = [MetricPoint(key, w, step, w) for step in range(25) for w in range(3)]
            assert tx.metrics.history(attempt, key) == expected
        assert {metric.value for metric in tx.metrics.latest(attempt)} == {2.0}
    assert chunks(store, attempt) == 20


def test_compaction_leaves_alone_what_another_one_holds_and_what_is_being_written(
    store: TrackingStore,
) -> None:
    attempt = new_attempt(store)
    for step in range(10):
        log(store, attempt, loss(step, float(step)))
    with store.transaction() as writing, store.transaction() as first:
        writing.metrics.log_points(attempt, [loss(10, 10.0)])
        first.metrics.compact(attempt)
        with store.transaction() as second:
            second.metrics.compact(attempt)
            assert len(second.metrics.history(attempt, "loss")) == 10
    assert history(store, attempt) == [loss(step, float(step)) for step in range(11)]
    assert chunks(store, attempt) == 2


def test_compaction_makes_chunks_of_limited_size(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        for n in range(10):
            steps = range(n, 10_000, 10)
            tx.metrics.log([MetricBatch(attempt, "loss", n, steps, steps, steps)])
        tx.metrics.compact(attempt)
        columns = metric_chunks.c
        query = select(columns.points, columns.first_step, columns.last_step)
        found = tx.connection.execute(query.order_by(columns.first_step)).all()
    assert found == [(4096, 0, 4095), (4096, 4096, 8191), (1808, 8192, 9999)]
    assert history(store, attempt) == [loss(n, float(n), n) for n in range(10_000)]


def test_one_point_appends_are_merged_as_they_come(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    numbers = random.Random(1)
    with store.transaction() as tx:
        for step in range(1500):
            batch = numbers.getrandbits(63)
            tx.metrics.log_points(attempt, [loss(step, float(step))], batch=batch)
    assert chunks(store, attempt) < 700
    assert history(store, attempt) == [loss(step, float(step)) for step in range(1500)]


def test_a_replay_after_compaction_changes_nothing_that_is_read(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    log(store, attempt, loss(1, 1.0), batch=1)
    log(store, attempt, loss(2, 2.0), batch=2)
    with store.transaction() as tx:
        tx.metrics.compact(attempt)
    log(store, attempt, loss(1, 1.0), batch=1)
    assert history(store, attempt) == [loss(1, 1.0), loss(2, 2.0)]


def test_a_thinned_history_keeps_the_ends_and_the_extremes(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    numbers = random.Random(3)
    points = [loss(n, numbers.random()) for n in range(20_000)]
    points[7777], points[12_345] = loss(7777, -5.0), loss(12_345, 5.0)
    points[500] = loss(500, NAN)
    for start in range(0, 20_000, 2500):
        log(store, attempt, *points[start : start + 2500])
    with store.transaction() as tx:
        found = tx.metrics.history(attempt, "loss", max_points=100)
    assert 90 <= len(found) <= 100
    assert [point.step for point in found] == sorted({point.step for point in found})
    assert {points[0], points[-1], points[7777], points[12_345]} <= set(found)
    assert set(found) <= set(points)


def test_a_history_that_fits_is_not_thinned(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    log(store, attempt, *(loss(n, float(n)) for n in range(50)))
    with store.transaction() as tx:
        assert len(tx.metrics.history(attempt, "loss", max_points=50)) == 50
        part = tx.metrics.history(attempt, "loss", max_points=8, min_step=10, max_step=17)
    assert [point.step for point in part] == list(range(10, 18))


@pytest.mark.parametrize(
    ("lowest", "highest", "steps"),
    [
        (None, 2, [0, 1, 2]),
        (8, None, [8, 9]),
        (3, 4, [3, 4]),
        (5, 4, []),
        (-(10**30), 10**30, list(range(10))),
    ],
)
def test_a_range_of_steps_is_read(
    store: TrackingStore, lowest: int | None, highest: int | None, steps: list[int]
) -> None:
    attempt = new_attempt(store)
    log(store, attempt, *(loss(n, float(n)) for n in range(5)))
    log(store, attempt, *(loss(n, float(n)) for n in range(5, 10)))
    with store.transaction() as tx:
        found = tx.metrics.series(attempt, "loss", min_step=lowest, max_step=highest)
    assert list(found.steps) == steps


def test_less_than_one_point_is_refused(store: TrackingStore) -> None:
    with pytest.raises(InvalidInput, match="max_points '0'"), store.transaction() as tx:
        tx.metrics.history(1, "loss", max_points=0)


def test_a_metric_that_was_never_logged_has_an_empty_history(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        assert tx.metrics.history(attempt, "loss") == []
        assert tx.metrics.history(attempt, "loss", max_points=5) == []
        tx.metrics.compact(attempt)


def _log_on_a_dying_connection(store: TrackingStore, url: str, attempt: int) -> None:
    with store.transaction() as tx:
        pid = tx.connection.scalar(select(func.pg_backend_pid()))
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
        tx.metrics.log_points(attempt, [loss(1, 1.0)])


def test_a_lost_connection_is_said_to_be_worth_a_retry(
    store: TrackingStore, database_url: str
) -> None:
    attempt = new_attempt(store)
    with pytest.raises(StoreUnavailable):
        _log_on_a_dying_connection(store, database_url, attempt)
    assert history(store, attempt) == []


@given(st.lists(INT64, min_size=1), st.lists(st.floats(), min_size=1))
def test_arrays_are_encoded_as_postgres_sends_them(whole: list[int], real: list[float]) -> None:
    sent = encode_array(array("q", whole))
    assert sent[:20] == struct.pack("!iiIii", 1, 0, 20, len(whole), 1)
    assert sent[20:] == b"".join(struct.pack("!iq", 8, number) for number in whole)
    assert list(decode_array("q", sent)) == whole
    assert decode_array("d", encode_array(array("d", real))).tobytes() == array("d", real).tobytes()


def test_only_arrays_are_encoded() -> None:
    with pytest.raises(TypeError, match="list"):
        encode_array([1, 2])


POINTS = st.lists(
    st.tuples(
        st.integers(-3, 3), st.integers(0, 2), st.sampled_from([NAN, -1.0, 0.0, 1.0, INFINITY])
    )
)


def series(points: Sequence[tuple[int, int, float]]) -> MetricSeries:
    return MetricSeries(
        array("q", [point[0] for point in points]),
        array("q", [point[1] for point in points]),
        array("d", [point[2] for point in points]),
    )


def model_history(points: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """What a history must be, in the plainest way."""
    found: list[tuple[int, int, float]] = []
    for point in sorted(points, key=lambda p: (p[0], p[1], math.isnan(p[2]), p[2])):
        if not found or repr(found[-1]) != repr(point):
            found.append(point)
    return found


@given(st.lists(POINTS), st.integers(1, 12))
def test_a_thinned_history_holds_points_of_the_history_and_its_extremes(
    batches: list[list[tuple[int, int, float]]], max_points: int
) -> None:
    arrays = [series(points) for points in batches if points]
    arrays.sort(key=lambda it: (min(it.steps), max(it.steps)))
    whole = model_history([point for points in batches for point in points])
    ordered = [
        p
        for piece in in_order(arrays)
        for p in zip(piece.steps, piece.timestamps, piece.values, strict=True)
    ]
    assert repr(ordered) == repr(whole)
    pieces = thinned(in_order(arrays), total=max(1, len(whole)), max_points=max_points)
    kept = [repr(p) for it in pieces for p in zip(it.steps, it.timestamps, it.values, strict=True)]
    shown = [repr(point) for point in whole]
    assert len(kept) <= max_points
    assert [shown.index(point) for point in kept] == sorted({shown.index(point) for point in kept})
    if whole:
        assert shown[-1] in kept
    numbers = [point[2] for point in whole if not math.isnan(point[2])]
    if max_points >= 4 and numbers:
        values = {point.rsplit(", ", 1)[1] for point in kept}
        assert {f"{min(numbers)!r})", f"{max(numbers)!r})"} <= values


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(0, 6), POINTS.filter(bool)),
        st.tuples(st.just("replay"), st.integers(0, 6), st.just([])),
        st.tuples(st.just("compact"), st.just(0), st.just([])),
    ),
    max_size=12,
)


@examples(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ACTIONS)
def test_histories_are_what_the_model_says_however_writes_replays_and_compactions_follow(
    store: TrackingStore, actions: list[tuple[str, int, list[tuple[int, int, float]]]]
) -> None:
    attempt = new_attempt(store)
    written: dict[int, list[tuple[int, int, float]]] = {}
    best: tuple[int, int, float] | None = None
    for action, number, points in actions:
        with store.transaction() as tx:
            if action == "compact":
                tx.metrics.compact(attempt)
                continue
            # A batch number stands for the same points for ever.
            batch = written.setdefault(number, points) if action == "log" else written.get(number)
            if batch:
                made = [loss(step, value, timestamp) for step, timestamp, value in batch]
                tx.metrics.log_points(attempt, made, batch=number)
        for point in batch or []:
            if best is None or rank(point) > rank(best):
                best = point
    everything = [point for points in written.values() for point in points]
    expected = [(step, at, repr(value + 0.0)) for step, at, value in model_history(everything)]
    assert comparable(history(store, attempt)) == expected
    found = latest(store, attempt).get("loss")
    shown = None if found is None else (found.step, found.timestamp, found.value)
    assert repr(shown) == repr(best)


def rank(point: tuple[int, int, float]) -> tuple[int, int, float]:
    return point[0], point[1], 0.0 if math.isnan(point[2]) else point[2]
