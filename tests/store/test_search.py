from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event, literal_column, text

from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.entities.metrics import MetricPoint
from airflow_mltrack.entities.runs import RunIdentity, RunStatus, task_identity
from airflow_mltrack.exceptions import InvalidFilter, InvalidInput
from airflow_mltrack.store import search_order
from airflow_mltrack.store.search_filter import parse, parse_order
from airflow_mltrack.store.search_order import MERGED_EXPERIMENTS
from airflow_mltrack.store.tracking_store import TrackingStore

NAN, INFINITY = float("nan"), float("inf")
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def add_run(
    store: TrackingStore,
    name: str,
    *,
    experiment: str = "search",
    minutes: float = 0,
    metrics: dict[str, float] | None = None,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    **options: Any,
) -> str:
    with store.transaction() as tx:
        run, attempt = tx.runs.open(
            experiment_id=tx.experiments.ensure(experiment).experiment_id,
            name=name,
            run_id=options.pop("run_id", name),
            started_at=START + timedelta(minutes=minutes),
            tags=tags,
            **options,
        )
        tx.runs.log_params(attempt.attempt_id, params or {})
        points = [MetricPoint(key, value) for key, value in (metrics or {}).items()]
        tx.metrics.log_points(attempt.attempt_id, points)
    return run.run_id


def pages(store: TrackingStore, experiment: str = "search", **options: Any) -> list[list[str]]:
    """Give the run ids of all pages."""
    found: list[list[str]] = []
    token = None
    with store.transaction() as tx:
        ids = [tx.experiments.ensure(experiment).experiment_id]
        while True:
            page = tx.search.runs(experiment_ids=ids, page_token=token, **options)
            found.append([data.run.run_id for data in page.runs])
            token = page.next_page_token
            if token is None:
                return found


def names(store: TrackingStore, wanted: str = "", **options: Any) -> list[str]:
    return [name for page in pages(store, filter=wanted, **options) for name in page]


@contextmanager
def statements(store: TrackingStore) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def remember(*arguments: Any) -> None:
        seen.append((arguments[2], arguments[3]))

    event.listen(store.engine, "before_cursor_execute", remember)
    yield seen
    event.remove(store.engine, "before_cursor_execute", remember)


def test_runs_come_newest_first_with_all_they_logged(store: TrackingStore) -> None:
    add_run(store, "old", metrics={"auc": NAN}, params={"depth": "3"}, tags={"team": "risk"})
    add_run(store, "new", minutes=1)
    with store.transaction() as tx:
        experiment = tx.experiments.get_by_name("search").experiment_id
        page = tx.search.runs(experiment_ids=[experiment])
        light = tx.search.runs(experiment_ids=[experiment], info_only=True)
        data = tx.runs.data_many(["new", "old"])
    assert page.next_page_token is None
    assert repr(page.runs) == repr(tuple(data))
    assert page.runs[1].params == {"depth": "3"}
    assert page.runs[1].run.tags == {"team": "risk"}
    assert [item.run for item in light.runs] == [item.run for item in page.runs]
    assert [item.attempt for item in light.runs] == [item.attempt for item in page.runs]
    assert not light.runs[1].params
    assert not light.runs[1].metrics


def test_no_experiments_hold_no_runs(store: TrackingStore) -> None:
    add_run(store, "one")
    with store.transaction() as tx:
        assert tx.search.runs(experiment_ids=[]).runs == ()
        assert tx.search.runs(experiment_ids=[12345]).runs == ()


def test_a_page_that_ends_with_the_last_run_has_no_successor(store: TrackingStore) -> None:
    for number in range(4):
        add_run(store, f"r{number}", minutes=number)
    assert pages(store, max_results=2) == [["r3", "r2"], ["r1", "r0"]]
    assert pages(store, max_results=3) == [["r3", "r2", "r1"], ["r0"]]
    assert pages(store, max_results=4) == [["r3", "r2", "r1", "r0"]]


ORDERS = {
    "metrics.auc": ["low", "zero", "high", "top", "nan", "none2", "none1"],
    "metrics.auc DESC": ["top", "high", "zero", "low", "nan", "none2", "none1"],
    "params.depth": ["top", "low", "high", "nan", "none2", "none1", "zero"],
    "params.depth DESC": ["nan", "high", "low", "top", "none2", "none1", "zero"],
    "tags.team DESC": ["none2", "none1", "nan", "top", "high", "zero", "low"],
    "end_time": ["high", "low", "none2", "none1", "nan", "top", "zero"],
    "end_time DESC": ["low", "high", "none2", "none1", "nan", "top", "zero"],
    "run_name": ["high", "low", "nan", "none1", "none2", "top", "zero"],
    "start_time": ["low", "zero", "high", "top", "nan", "none1", "none2"],
    "duration DESC": ["low", "high", "none2", "none1", "nan", "top", "zero"],
    "attempt": ["none2", "none1", "nan", "top", "high", "zero", "low"],
    "dag_id": ["none2", "none1", "nan", "top", "high", "zero", "low"],
    "parent_run_id": ["none2", "none1", "nan", "top", "high", "zero", "low"],
}


def test_numbers_come_before_nan_and_what_is_missing_comes_last(store: TrackingStore) -> None:
    add_run(store, "low", minutes=0, metrics={"auc": -INFINITY}, params={"depth": "2"})
    add_run(store, "zero", minutes=1, metrics={"auc": 0.0})
    add_run(store, "high", minutes=2, metrics={"auc": 1.5}, params={"depth": "a"})
    add_run(store, "top", minutes=3, metrics={"auc": INFINITY}, params={"depth": "10"})
    add_run(store, "nan", minutes=4, metrics={"auc": NAN}, params={"depth": "b"})
    add_run(store, "none1", minutes=5)
    add_run(store, "none2", minutes=6, tags={"team": "x"})
    with store.transaction() as tx:
        for name, minutes in (("high", 3), ("low", 5)):
            attempt = tx.runs.get(name).attempt_id
            ended = START + timedelta(minutes=minutes)
            tx.runs.set_status(attempt, RunStatus.FINISHED, ended_at=ended)
    for size in (1, 3, 50):
        assert {
            order: names(store, order_by=[order], max_results=size) for order in ORDERS
        } == ORDERS


def test_several_fields_order_one_after_the_other(store: TrackingStore) -> None:
    add_run(store, "a", metrics={"auc": 1.0, "loss": 2.0}, params={"kind": "x"})
    add_run(store, "b", metrics={"auc": 1.0, "loss": NAN}, params={"kind": "x"})
    add_run(store, "c", metrics={"auc": 1.0, "loss": 3.0}, params={"kind": "y"})
    add_run(store, "d", metrics={"auc": 2.0}, params={"kind": "x"})
    order = ["metrics.auc DESC", "params.kind DESC", "metrics.loss DESC", "start_time ASC"]
    for size in (1, 2, 9):
        assert names(store, order_by=order, max_results=size) == ["d", "c", "a", "b"]
    assert names(store, order_by=["params.kind", "metrics.auc DESC"]) == ["d", "a", "b", "c"]


def test_equals_are_ordered_by_start_and_then_by_id(store: TrackingStore) -> None:
    for run_id in ("b", "B", "a", "_"):
        add_run(store, run_id, metrics={"auc": 1.0})
    add_run(store, "z", minutes=1, metrics={"auc": 1.0})
    for size in (1, 2, 9):
        found = names(store, order_by=["metrics.auc DESC"], max_results=size)
        assert found == ["z", "B", "_", "a", "b"]
    assert names(store, order_by=["run_id DESC"]) == ["z", "b", "a", "_", "B"]


@pytest.fixture
def portfolio(store: TrackingStore) -> TrackingStore:
    """Give a store with a few runs that differ in everything."""
    add_run(store, "best", metrics={"auc": 0.9}, params={"depth": "10", "kind": "gbm"})
    add_run(store, "nan", minutes=1, metrics={"auc": NAN}, params={"depth": "9"}, user="ann")
    add_run(store, "text", minutes=2, params={"depth": "deep", "note": "50% off_"})
    add_run(store, "child", minutes=3, parent_run_id="best", tags={"mlflow.user": "bob"})
    task = task_identity(
        ti_id="t1", dag_id="credit", dag_run_id="manual", task_id="train", map_index=4
    )
    add_run(store, "task", minutes=4, identity=task, metrics={"auc": 0.5, "a b/c.d": 1.0})
    with store.transaction() as tx:
        attempt = tx.runs.get("best").attempt_id
        record = DatasetRecord("credit", "d" * 64)
        tx.inputs.log(attempt, [RunInput(record, "training")])
        ended = START + timedelta(seconds=1.5)
        tx.runs.set_status(attempt, RunStatus.FINISHED, ended_at=ended)
    return store


FILTERS = {
    "metrics.auc > 0.5": ["best"],
    "metrics.auc >= 0.5": ["task", "best"],
    "metrics.auc < 1e999": ["task", "best"],
    "metrics.auc >= -1e999": ["task", "best"],
    "metrics.auc != 0.9": ["task", "nan"],
    "NOT metrics.auc = 0.9": ["task", "child", "text", "nan"],
    "metrics.auc IS NULL": ["child", "text"],
    "metrics.auc IS NOT NULL AND metrics.auc < 0.6": ["task"],
    "metrics.`a b/c.d` = 1": ["task"],
    "params.depth = '10'": ["best"],
    "params.depth != '10'": ["text", "nan"],
    "params.depth > 9": ["best"],
    "params.depth >= '9'": ["nan", "best"],
    "params.depth = 9.0": ["nan"],
    "params.depth != 9": ["text", "best"],
    "NOT params.depth < 10": ["task", "child", "text", "best"],
    "params.depth LIKE 'd%'": ["text"],
    "params.depth LIKE 'D%'": [],
    "params.depth ILIKE 'D__P'": ["text"],
    "params.depth NOT LIKE '1%'": ["text", "nan"],
    "params.depth NOT ILIKE 'D%'": ["nan", "best"],
    "params.depth IN ('9', '10')": ["nan", "best"],
    "params.depth NOT IN ('9', '10')": ["text"],
    "params.note LIKE '%\\'": [],
    "params.kind IS NULL AND params.depth IS NOT NULL": ["text", "nan"],
    "tags.mlflow.user = 'bob'": ["child"],
    "status = 'FINISHED' or run_name = 'nan'": ["nan", "best"],
    "status != 'RUNNING'": ["best"],
    "user_id = 'ann'": ["nan"],
    "run_id IN ('best', 'nan', 'absent')": ["nan", "best"],
    "run_id NOT IN ('best', 'nan')": ["task", "child", "text"],
    "artifact_uri LIKE '%/best/1/%'": ["best"],
    "parent_run_id = 'best'": ["child"],
    "parent_run_id IS NULL": ["task", "text", "nan", "best"],
    "NOT parent_run_id = 'best'": ["task", "text", "nan", "best"],
    "dag_id = 'credit' AND dag_run_id = 'manual' AND task_id LIKE 'tr%'": ["task"],
    "map_index > -1": ["task"],
    "dag_id != 'credit'": [],
    "dag_id IS NULL": ["child", "text", "nan", "best"],
    "attempt = 1 AND dataset.name = 'credit'": ["best"],
    "dataset.context = 'training' AND dataset.digest LIKE 'ddd%'": ["best"],
    "dataset.name != 'credit'": [],
    "dataset.name IS NULL": ["task", "child", "text", "nan"],
    "end_time IS NOT NULL": ["best"],
    "end_time > 0": ["best"],
    "NOT end_time > 0": ["task", "child", "text", "nan"],
    "duration = 1500": ["best"],
    "duration > 1500": [],
    "start_time >= '2026-01-01T00:02:00Z'": ["task", "child", "text"],
    "start_time > '2026-01-01 02:03+02:00'": ["task"],
    "start_time = 1767225720000": ["text"],
    "start_time != 1767225720000": ["task", "child", "nan", "best"],
    "start_time > 1767225720000": ["task", "child"],
    "start_time > 1767225719999.5": ["task", "child", "text"],
    "start_time <= 1767225720000": ["text", "nan", "best"],
    "start_time < 1767225720000.5": ["text", "nan", "best"],
    "start_time = 1767225720000.5": [],
    "start_time < 1e300": ["task", "child", "text", "nan", "best"],
    "start_time > 1e999": [],
    "start_time > -1e999 AND run_name = 'best'": ["best"],
    "run_id = 'x' OR (run_id = 'best' OR NOT (map_index = -1))": ["task", "best"],
}


def test_filters_mean_what_they_say(portfolio: TrackingStore) -> None:
    assert {wanted: names(portfolio, wanted) for wanted in FILTERS} == FILTERS
    by_metric = {
        wanted: names(portfolio, wanted, order_by=["metrics.auc"], max_results=2)
        for wanted in FILTERS
    }
    assert {wanted: set(found) for wanted, found in by_metric.items()} == {
        wanted: set(expected) for wanted, expected in FILTERS.items()
    }


def test_times_are_compared_in_whole_milliseconds(store: TrackingStore) -> None:
    add_run(store, "a", minutes=0.0005 / 60)  # half a millisecond after the start
    milliseconds = int(START.timestamp() * 1000)
    assert names(store, f"start_time = {milliseconds}") == ["a"]
    assert names(store, f"start_time > {milliseconds}") == []
    assert names(store, "start_time > '2026-01-01'") == ["a"]


def test_long_values_are_compared_to_their_end(store: TrackingStore) -> None:
    long = "x" * 300
    add_run(store, "a", params={"text": long + "a", "short": "x" * 256})
    assert names(store, f"params.text = '{long}a'") == ["a"]
    assert names(store, f"params.text = '{long}b'") == []
    assert names(store, f"params.text = '{'x' * 256}'") == []
    assert names(store, f"params.short = '{'x' * 256}'") == ["a"]
    assert names(store, f"params.short = '{'x' * 255}'") == []


def test_params_of_every_form_can_be_compared_with_numbers(store: TrackingStore) -> None:
    big = ["1e999", "9" * 400]
    for value in [*big, "-1e-999", "1_0", "٣", "0x10", " 1", "1e9999", "", "."]:
        add_run(store, value[:10] or "empty", params={"n": value})
    assert sorted(names(store, "params.n > 1e308")) == ["1e999", "9" * 10]
    assert names(store, "params.n < 0") == ["-1e-999"]
    assert len(names(store, "params.n != 5")) == 10


def test_a_retried_run_is_found_by_its_latest_attempt_only(store: TrackingStore) -> None:
    for number, auc in (("1", 0.9), ("2", 0.1)):
        identity = RunIdentity("work", f"try-{number}")
        metrics, params = {"auc": auc, f"only{number}": 1.0}, {"p": number}
        with store.transaction() as tx:
            experiment = tx.experiments.ensure("search").experiment_id
            _, attempt = tx.runs.open(experiment_id=experiment, identity=identity, run_id="r")
            tx.runs.log_params(attempt.attempt_id, params)
            tx.metrics.log_points(
                attempt.attempt_id, [MetricPoint(key, value) for key, value in metrics.items()]
            )
    assert names(store, "metrics.auc > 0.5") == names(store, "params.p = '1'") == []
    assert names(store, "metrics.only1 IS NULL AND attempt = 2") == ["r"]
    assert names(store, order_by=["metrics.auc DESC"]) == ["r"]
    assert names(store, "metrics.auc < 0.5 AND params.p = '2'", order_by=["metrics.auc"]) == ["r"]


def test_deleted_runs_show_in_their_views_only(store: TrackingStore) -> None:
    add_run(store, "kept", metrics={"auc": 1.0})
    add_run(store, "gone", minutes=1, metrics={"auc": 2.0})
    with store.transaction() as tx:
        tx.runs.delete("gone")
    for order in ([], ["metrics.auc DESC"]):
        assert names(store, order_by=order) == ["kept"]
        assert names(store, view="deleted", order_by=order) == ["gone"]
        assert names(store, view="all", order_by=order) == ["gone", "kept"]


def test_children_of_a_run_are_found(portfolio: TrackingStore) -> None:
    assert names(portfolio, parent_run_id="best") == ["child"]
    assert names(portfolio, parent_run_id="absent") == []


def test_runs_can_be_restricted_to_dags_and_runs_without_a_dag(portfolio: TrackingStore) -> None:
    for order in ([], ["metrics.auc DESC"]):
        assert "task" not in names(portfolio, dag_ids=["other"], order_by=order)
        assert len(names(portfolio, dag_ids=[], order_by=order)) == 4
        assert "task" in names(portfolio, dag_ids={"credit", "other"}, order_by=order)


@pytest.mark.parametrize("count", [3, MERGED_EXPERIMENTS + 1])
def test_several_experiments_are_searched_as_one(store: TrackingStore, count: int) -> None:
    expected = [f"r{number:02}" for number in range(count * 2)]
    for number, name in enumerate(expected):
        metrics = {"auc": float(number)}
        add_run(store, name, experiment=f"e{number % count}", minutes=number, metrics=metrics)
    assert all_of(store, count, []) == expected[::-1]
    assert all_of(store, count, ["metrics.auc DESC"]) == expected[::-1]
    assert all_of(store, count, ["run_name"]) == expected


def all_of(store: TrackingStore, count: int, order: list[str]) -> list[str]:
    """Give all run ids of the experiments e0, e1, ..."""
    found: list[str] = []
    token = None
    with store.transaction() as tx:
        ids = [tx.experiments.get_by_name(f"e{number}").experiment_id for number in range(count)]
        while True:
            page = tx.search.runs(
                experiment_ids=ids, order_by=order, max_results=4, page_token=token
            )
            found += [data.run.run_id for data in page.runs]
            token = page.next_page_token
            if token is None:
                return found


def test_the_number_of_queries_does_not_depend_on_the_number_of_runs(store: TrackingStore) -> None:
    counts = []
    for number in range(12):
        add_run(store, f"r{number}", minutes=number, metrics={"auc": 1.0})
        if number in (1, 11):
            with statements(store) as seen:
                assert len(names(store, "metrics.auc > 0", order_by=["metrics.auc"])) == number + 1
            counts.append(len(seen))
    assert counts[0] == counts[1]


def token_for(store: TrackingStore, **options: Any) -> str:
    with store.transaction() as tx:
        experiment = tx.experiments.ensure("search").experiment_id
        token = tx.search.runs(
            experiment_ids=[experiment], max_results=1, **options
        ).next_page_token
    assert token is not None
    return token


OTHERS: tuple[dict[str, Any], ...] = (
    {"filter": "metrics.auc > 1"},
    {"order_by": ["metrics.auc DESC"]},
    {"order_by": []},
    {"view": "all"},
    {"parent_run_id": "a"},
    {"experiment_ids": [0, 1, 2]},
)


def test_a_token_of_another_search_is_refused(store: TrackingStore) -> None:
    for name in ("a", "b"):
        add_run(store, name, metrics={"auc": 1.0})
    token = token_for(store, order_by=["metrics.auc"])
    with store.transaction() as tx:
        experiment = tx.experiments.get_by_name("search").experiment_id
        same: dict[str, Any] = {"experiment_ids": [experiment], "order_by": ["metrics.auc"]}
        second = tx.search.runs(page_token=token, max_results=7, **same)
        assert [data.run.run_id for data in second.runs] == ["b"]
        for other in OTHERS:
            with pytest.raises(InvalidInput, match="page_token"):
                tx.search.runs(page_token=token, **(same | other))


FORGED: tuple[Any, ...] = (
    [],
    {},
    ["SEARCH"],
    ["SEARCH", 0, []],
    ["SEARCH", 9, [1.0, "2026-01-01T00:00:00+00:00", "a"]],
    ["SEARCH", -1, [1.0, "2026-01-01T00:00:00+00:00", "a"]],
    ["SEARCH", True, [1.0, "2026-01-01T00:00:00+00:00", "a"]],
    ["SEARCH", "0", [1.0, "2026-01-01T00:00:00+00:00", "a"]],
    ["SEARCH", 0, [1, "2026-01-01T00:00:00+00:00", "a"]],
    ["SEARCH", 0, [True, "2026-01-01T00:00:00+00:00", "a"]],
    ["SEARCH", 0, [1.0, "2026-01-01T00:00:00", "a"]],
    ["SEARCH", 0, [1.0, "yesterday", "a"]],
    ["SEARCH", 0, [1.0, "2026-01-01T00:00:00+00:00", "a\x00"]],
    ["SEARCH", 0, [1.0, "2026-01-01T00:00:00+00:00", "a\ud800"]],
    ["SEARCH", 0, [1.0, "2026-01-01T00:00:00+00:00", None]],
    ["SEARCH", 0, [1.0, "2026-01-01T00:00:00+00:00", "a", "b"]],
    ["OTHER", 0, [1.0, "2026-01-01T00:00:00+00:00", "a"]],
)


def test_a_forged_token_is_refused(store: TrackingStore) -> None:
    for name in ("a", "b"):
        add_run(store, name, metrics={"auc": 1.0})
    good = base64.urlsafe_b64decode(token_for(store, order_by=["metrics.auc"]))
    search = json.loads(good)[0]
    forged = [json.dumps(content).replace("SEARCH", search).encode() for content in FORGED]
    tokens = [base64.urlsafe_b64encode(content).decode() for content in [*forged, b"[" * 99_999]]
    with store.transaction() as tx:
        experiment = tx.experiments.get_by_name("search").experiment_id
        for token in [*tokens, "not base64!", "ä", "\ud800", "a"]:
            with pytest.raises(InvalidInput, match="this very search"):
                tx.search.runs(
                    experiment_ids=[experiment], order_by=["metrics.auc"], page_token=token
                )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order_by": ["metrics.auc", "metric.`auc` DESC"]}, "each field is given once"),
        ({"order_by": ["created", "start_time DESC"]}, "each field is given once"),
        ({"view": "hidden"}, "active, deleted, all"),
        ({"max_results": 0}, "1 to 50,000"),
        ({"max_results": 50_001}, "1 to 50,000"),
    ],
)
def test_other_wrong_parameters_are_refused(
    store: TrackingStore, options: dict[str, Any], said: str
) -> None:
    with store.transaction() as tx, pytest.raises(InvalidInput, match=said):
        tx.search.runs(experiment_ids=[1], **options)


def test_values_are_never_part_of_the_statement(portfolio: TrackingStore) -> None:
    injected = "params.`x y` = 'secret''); DROP TABLE runs; --' OR metrics.secretmetric > 42424242"
    with statements(portfolio) as seen:
        assert (
            names(portfolio, injected, order_by=["params.secretorder", "metrics.secretkey"]) == []
        )
    sql = " ".join(statement for statement, _ in seen)
    assert "secret" not in sql
    assert "42424242" not in sql


def test_a_filter_at_the_limits_runs(portfolio: TrackingStore) -> None:
    deep = "metrics.auc > 0.5"
    for _ in range(25):
        deep = f"NOT ({deep} OR params.x = 'y')"
    assert "best" not in names(portfolio, deep)
    wide = " OR ".join(f"run_id = '{number}'" for number in range(499)) + " OR run_id = 'best'"
    assert names(portfolio, wide) == ["best"]
    many = ",".join(f"'{number}'" for number in range(9_999))
    assert names(portfolio, f"run_id IN ({many}, 'best')") == ["best"]


def test_a_wrong_order_by_is_an_invalid_filter(store: TrackingStore) -> None:
    with store.transaction() as tx, pytest.raises(InvalidFilter, match="ASC, DESC or the end"):
        tx.search.runs(experiment_ids=[1], order_by=["metrics.auc upwards"])


FILL = (
    """
    INSERT INTO runs (run_id, experiment_id, name, status, started_at, attempt_id, attempt_number)
    SELECT 'r' || n, 0, 'r' || n, 'FINISHED', now() - n * interval '1 minute', n, 1
    FROM generate_series(1, 3000) AS n
    """,
    """
    INSERT INTO attempts (id, run, number, status, started_at)
    SELECT attempt_id, id, 1, status, started_at FROM runs
    """,
    """
    INSERT INTO params (attempt, run, experiment_id, key, value)
    SELECT attempt_id, id, 0, 'p' || p, (id % (p * 10))::text FROM runs, generate_series(1, 5) AS p
    UNION ALL SELECT attempt_id, id, 0, 'kind', 'k' || id % 3 FROM runs
    """,
    """
    INSERT INTO latest_metrics (attempt, run, experiment_id, key, value, step, timestamp)
    SELECT attempt_id, id, 0, 'm' || m, (id * 7919 * m) % 100000 * 1e6, 1, 1
    FROM runs, generate_series(1, 5) AS m
    UNION ALL SELECT attempt_id, id, 0, 'auc', ((id * 7919) % 100003) / 100003.0, 1, 1 FROM runs
    """,
)


def plan(connection: Any, statement: tuple[str, Any]) -> list[dict[str, Any]]:
    """Give the nodes of a plan."""
    explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement[0]}", statement[1])
    waiting, found = [explained.scalar()[0]["Plan"]], []
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += node.get("Plans", [])
    return found


BY_METRIC, BY_START = "latest_metrics_order_idx", "runs_experiment_id_idx"
WALKS: tuple[tuple[str, list[str], str], ...] = (
    ("metrics.auc > 0.3 AND params.kind = 'k1'", ["metrics.auc DESC"], BY_METRIC),
    ("metrics.auc > 0.3 AND params.kind = 'k1'", ["metrics.auc"], BY_METRIC),
    ("metrics.m1 > 5 AND params.kind != 'k1'", ["metrics.auc DESC"], BY_METRIC),
    ("", ["metrics.auc DESC"], BY_METRIC),
    ("params.kind = 'k1'", [], BY_START),
    ("", ["start_time"], BY_START),
)


def test_the_first_pages_are_index_walks(store: TrackingStore) -> None:
    with store.transaction() as tx:
        for statement in FILL:
            tx.connection.execute(text(statement))
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    for wanted, order, index in WALKS:
        with store.transaction() as tx, statements(store) as seen:
            page = tx.search.runs(experiment_ids=[0], filter=wanted, order_by=order)
            second = tx.search.runs(
                experiment_ids=[0], filter=wanted, order_by=order, page_token=page.next_page_token
            )
            assert len(page.runs) == len(second.runs) == 50
            searches = [statement for statement in seen if "sort_0" in statement[0]]
            assert len(searches) == 2
            for search in searches:
                nodes = plan(tx.connection, search)
                assert index in {node.get("Index Name") for node in nodes}
                assert not {"Sort", "Seq Scan"} & {node["Node Type"] for node in nodes}


@pytest.mark.parametrize("order", ["metrics.auc", "metrics.auc DESC"])
@pytest.mark.parametrize("entries", [1, 3, 5, 12, 13])
def test_a_walk_that_ends_among_equals_changes_no_order(
    store: TrackingStore, monkeypatch: pytest.MonkeyPatch, order: str, entries: int
) -> None:
    for number in range(12):
        value = {0: 0.1, 11: 0.9}.get(number, 0.5)
        add_run(store, f"r{number:02}", minutes=7 * number % 12, metrics={"auc": value})
    expected = names(store, order_by=[order])
    monkeypatch.setattr(search_order, "_FIRST_ENTRIES", literal_column(str(entries)))
    for size in (1, 2, 4, 5):
        assert names(store, order_by=[order], max_results=size) == expected


def test_a_walk_is_bounded_where_all_values_are_equal(
    store: TrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        metrics = {"epoch": 1.0, "auc": number / 10}
        add_run(store, f"r{number}", minutes=number, metrics=metrics)
    monkeypatch.setattr(search_order, "_FIRST_ENTRIES", literal_column("3"))
    with store.transaction() as tx:
        ids = [tx.experiments.get_by_name("search").experiment_id]
        looked_at = {}
        for key in ("epoch", "auc"):
            first, *_ = search_order.phases(
                [parse_order(f"metrics.{key}")],
                experiment_ids=ids,
                node=parse(""),
                restrict=lambda _: (),
            )
            assert first.walk is not None
            looked_at[key] = len(tx.connection.execute(first.walk(None)).all())
    assert looked_at == {"epoch": 0, "auc": 3}
