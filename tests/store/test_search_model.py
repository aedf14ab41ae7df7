"""Search, held against a model of what it means, written in the plainest way."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.entities.metrics import MetricPoint
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.search_filter import (
    And,
    Comparison,
    Entity,
    Field,
    Kind,
    Node,
    Not,
    Or,
    OrderTerm,
    parse,
    parse_order,
)
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.conftest import fresh_database

NAN, INFINITY = float("nan"), float("inf")
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
NUMBERS = [NAN, -INFINITY, -1.0, 0.0, 0.5, 2.0, INFINITY]
TEXTS = ["", "a", "B", "it's", 'say "a"', "2", "10", "1e1", "a_b%", "`"]
PATTERNS = ["%", "a%", "_", "%B", "it''s", "1_", "%a%"]


@dataclass
class ModelRun:
    run_id: str
    name: str
    minutes: int
    lasted: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    contexts: list[str] = field(default_factory=list)

    @property
    def attributes(self) -> dict[str, Any]:
        start = START + timedelta(minutes=self.minutes)
        end = None if self.lasted is None else start + timedelta(seconds=self.lasted)
        return {
            "run_id": self.run_id,
            "run_name": self.name,
            "status": "RUNNING" if end is None else "FINISHED",
            "start_time": start,
            "end_time": end,
            "duration": None if self.lasted is None else self.lasted * 1000.0,
            "map_index": -1,
            "dag_id": None,
        }

    def values(self, wanted: Field) -> list[Any]:
        """Every value that the run has of a field: none or one, or many contexts of data sets."""
        if wanted.entity is Entity.DATASET:
            return self.contexts
        sources: dict[Entity, Mapping[str, Any]] = {
            Entity.METRIC: self.metrics,
            Entity.PARAM: self.params,
            Entity.TAG: self.tags,
            Entity.ATTRIBUTE: self.attributes,
        }
        value = sources[wanted.entity].get(wanted.key)
        return [] if value is None else [value]


def matches(node: Node, run: ModelRun) -> bool:
    if isinstance(node, And):
        return all(matches(part, run) for part in node.parts)
    if isinstance(node, Or):
        return any(matches(part, run) for part in node.parts)
    if isinstance(node, Not):
        return not matches(node.part, run)
    values = run.values(node.field)
    if node.operator in ("IS NULL", "IS NOT NULL"):
        return bool(values) == (node.operator == "IS NOT NULL")
    return any(compare(node.operator, value, node.value) for value in values)


def compare(operator: str, value: Any, wanted: Any) -> bool:
    if operator.startswith("NOT "):
        return not compare(operator.removeprefix("NOT "), value, wanted)
    if operator == "IN":
        return value in wanted
    if operator in ("LIKE", "ILIKE"):
        pattern = re.escape(wanted).replace("%", ".*").replace("_", ".")
        flags = re.DOTALL | (re.IGNORECASE if operator == "ILIKE" else 0)
        return re.fullmatch(pattern, value, flags) is not None
    if isinstance(value, datetime) and isinstance(wanted, float):
        value = (value - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    if isinstance(value, str) and isinstance(wanted, float):
        if not NUMBER.fullmatch(value):
            return operator == "!="
        value, wanted = Decimal(value), Decimal(repr(wanted))
    return bool(
        {
            "=": value == wanted,
            "!=": value != wanted,
            "<": operator == "<" and value < wanted,
            "<=": operator == "<=" and value <= wanted,
            ">": operator == ">" and value > wanted,
            ">=": operator == ">=" and value >= wanted,
        }[operator]
    )


def ordered(runs: list[ModelRun], terms: list[OrderTerm]) -> list[str]:
    found = sorted(runs, key=lambda run: run.run_id)
    found.sort(key=lambda run: run.minutes, reverse=True)
    for term in reversed(terms):
        values: dict[str, Any] = {
            run.run_id: next(iter(run.values(term.field)), None) for run in found
        }
        present = [run for run in found if not is_odd(values[run.run_id])]
        present.sort(key=lambda run: values[run.run_id], reverse=term.descending)
        nans = [run for run in found if is_nan(values[run.run_id])]
        found = present + nans + [run for run in found if values[run.run_id] is None]
    return [run.run_id for run in found]


def is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def is_odd(value: Any) -> bool:
    return value is None or is_nan(value)


def quoted(text: str, quote: str = "'") -> str:
    return quote + text.replace(quote, quote * 2) + quote


def show_field(it: Field) -> str:
    if it.entity is Entity.ATTRIBUTE:
        return it.key
    return f"{it.entity.value}s.{quoted(it.key, '`')}"


def show(node: Node) -> str:
    """Write a tree as a filter."""
    if isinstance(node, Comparison):
        return show_comparison(node)
    if isinstance(node, Not):
        return f"NOT ({show(node.part)})"
    word = " AND " if isinstance(node, And) else " or "
    return word.join(f"({show(part)})" for part in node.parts)


def show_comparison(node: Comparison) -> str:
    value = node.value
    if value is None:
        shown = ""
    elif isinstance(value, tuple):
        shown = f"({', '.join(map(quoted, value))})"
    elif isinstance(value, float):
        shown = repr(value).replace("inf", "1e999")
    else:
        shown = quoted(value.isoformat() if isinstance(value, datetime) else value)
    return f"{show_field(node.field)} {node.operator} {shown}".strip()


FIELDS = [
    *(Field(Entity.METRIC, key) for key in ("m", "n x")),
    *(Field(Entity.PARAM, key) for key in ("p", "q.r")),
    Field(Entity.TAG, "t"),
    Field(Entity.DATASET, "context"),
    *(
        Field(Entity.ATTRIBUTE, key)
        for key in ("run_id", "run_name", "status", "start_time", "end_time", "duration",
                    "map_index", "dag_id")
    ),
]  # fmt: skip
MOMENTS = [START + timedelta(minutes=1), START + timedelta(seconds=90, microseconds=1)]
MILLISECONDS = [moment.timestamp() * 1000 for moment in MOMENTS]
NULLS = st.sampled_from(["IS NULL", "IS NOT NULL"])
SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
FINITE = st.sampled_from([number for number in NUMBERS if not math.isnan(number)])


def comparisons(of: Field) -> st.SearchStrategy[Comparison]:
    made = [st.builds(Comparison, st.just(of), NULLS)]
    if of.kind is Kind.TIME:
        times = st.sampled_from([*MOMENTS, *MILLISECONDS, -1.0, INFINITY])
        made.append(st.builds(Comparison, st.just(of), SIGNS, times))
    elif of.kind is Kind.NUMBER:
        made.append(st.builds(Comparison, st.just(of), SIGNS, FINITE | st.just(30_000.0)))
    else:
        texts = st.sampled_from([*TEXTS, "r01", "r07", "FINISHED", "training"])
        like = st.sampled_from(["LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"])
        lists = st.lists(texts, min_size=1, max_size=4).map(tuple)
        equal, among = st.sampled_from(["=", "!="]), st.sampled_from(["IN", "NOT IN"])
        made.append(st.builds(Comparison, st.just(of), equal, texts))
        made.append(st.builds(Comparison, st.just(of), like, st.sampled_from(PATTERNS)))
        made.append(st.builds(Comparison, st.just(of), among, lists))
    if of.entity in (Entity.PARAM, Entity.TAG):
        made.append(st.builds(Comparison, st.just(of), SIGNS, FINITE | st.just(10.0)))
    return st.one_of(made)


def _groups(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, parts))


COMPARISONS: st.SearchStrategy[Node] = st.sampled_from(FIELDS).flatmap(comparisons)
NODES = st.recursive(COMPARISONS, _groups, max_leaves=6)
TERMS = st.lists(
    st.builds(
        OrderTerm,
        st.sampled_from([it for it in FIELDS if it.entity is not Entity.DATASET]),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda term: term.field,
)


@given(NODES)
def test_a_filter_that_was_written_from_a_tree_reads_as_that_tree(node: Node) -> None:
    assert parse(show(node)) == node


@given(TERMS)
def test_an_order_that_was_written_from_a_term_reads_as_that_term(terms: list[OrderTerm]) -> None:
    for term in terms:
        assert parse_order(f"{show_field(term.field)} {'desc' * term.descending}") == term


def random_run(numbers: random.Random, place: int) -> ModelRun:
    def some(keys: tuple[str, ...], values: list[Any]) -> dict[str, Any]:
        return {key: numbers.choice(values) for key in keys if numbers.random() < 0.7}

    return ModelRun(
        run_id=f"r{place:02}",
        name=numbers.choice([text for text in TEXTS if text]),
        minutes=numbers.randrange(4),
        lasted=numbers.choice([None, 0, 30]),
        metrics=some(("m", "n x"), NUMBERS),
        params=some(("p", "q.r"), TEXTS),
        tags=some(("t",), TEXTS),
        contexts=numbers.choice([[], ["training"], ["a", "B"]]),
    )


def add(store: TrackingStore, model: ModelRun) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(
            experiment_id=tx.experiments.ensure("model").experiment_id,
            run_id=model.run_id,
            name=model.name,
            started_at=model.attributes["start_time"],
            tags=model.tags,
        )
        tx.runs.log_params(attempt.attempt_id, model.params)
        points = [MetricPoint(key, value) for key, value in model.metrics.items()]
        tx.metrics.log_points(attempt.attempt_id, points)
        records = [
            RunInput(DatasetRecord(f"data{place}", "d" * 64), context)
            for place, context in enumerate(model.contexts)
        ]
        tx.inputs.log(attempt.attempt_id, records)
        if model.lasted is not None:
            ended = model.attributes["end_time"]
            tx.runs.set_status(attempt.attempt_id, RunStatus.FINISHED, ended_at=ended)


@pytest.fixture(scope="module")
def world(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[TrackingStore, list[ModelRun]]]:
    """Give a store with random runs, and the same runs as models."""
    numbers = random.Random(20)
    models = [random_run(numbers, place) for place in range(40)]
    with fresh_database(postgres_url) as url:
        settings = Settings(database_url=url, artifact_uri=str(tmp_path_factory.mktemp("a")))
        store = TrackingStore(settings, pool_size=2)
        for model in models:
            add(store, model)
        yield store, models
        store.close()


@settings(deadline=None, max_examples=150)
@given(NODES | st.just(And()), TERMS, st.integers(1, 15))
def test_all_pages_of_any_search_are_what_the_model_says(
    world: tuple[TrackingStore, list[ModelRun]], node: Node, terms: list[OrderTerm], size: int
) -> None:
    store, models = world
    order = [f"{show_field(term.field)} {'DESC' if term.descending else 'ASC'}" for term in terms]
    expected = ordered([run for run in models if matches(node, run)], terms)
    found: list[list[str]] = []
    token = None
    with store.transaction() as tx:
        experiment = tx.experiments.get_by_name("model").experiment_id
        while True:
            page = tx.search.runs(
                experiment_ids=[experiment],
                filter=show(node) if node != And() else "",
                order_by=order,
                max_results=size,
                page_token=token,
                info_only=True,
            )
            found.append([data.run.run_id for data in page.runs])
            token = page.next_page_token
            if token is None:
                break
    assert [run_id for one in found for run_id in one] == expected
    assert len(found) == max(1, math.ceil(len(expected) / size))
