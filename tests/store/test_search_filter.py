from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltrack.exceptions import InvalidFilter
from airflow_mltrack.store.search_filter import (
    COMPARISON_LIMIT,
    DEPTH_LIMIT,
    LIST_LIMIT,
    And,
    Comparison,
    Entity,
    Field,
    Not,
    Or,
    OrderTerm,
    Value,
    parse,
    parse_order,
)
from airflow_mltrack.store.search_tokens import TEXT_LIMIT

AUC = Field(Entity.METRIC, "auc")
DEPTH = Field(Entity.PARAM, "depth")
STATUS = Field(Entity.ATTRIBUTE, "status")
GOOD = Comparison(AUC, ">", 0.5)
DEEP = Comparison(DEPTH, "=", "3")
DONE = Comparison(STATUS, "=", "FINISHED")
GOOD_TEXT, DEEP_TEXT, DONE_TEXT = "metrics.auc > 0.5", "params.depth = '3'", "status = 'FINISHED'"


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_the_empty_filter_takes_everything(text: str) -> None:
    assert parse(text) == And()


@pytest.mark.parametrize(
    ("text", "entity", "key"),
    [
        ("metric.auc", Entity.METRIC, "auc"),
        ("METRICS.auc", Entity.METRIC, "auc"),
        ("metrics.`a ``b`` > c`", Entity.METRIC, "a `b` > c"),
        ('metrics."val/loss 1"', Entity.METRIC, "val/loss 1"),
        ("metrics.val/loss-1:x", Entity.METRIC, "val/loss-1:x"),
        ("metrics.größe", Entity.METRIC, "größe"),
        ("metrics.and", Entity.METRIC, "and"),
        ("param.a.b", Entity.PARAM, "a.b"),
        ("params.1st", Entity.PARAM, "1st"),
        ("parameter.a", Entity.PARAM, "a"),
        ("parameters.a", Entity.PARAM, "a"),
        ("tag.mlflow.user", Entity.TAG, "mlflow.user"),
        ('tags."mlflow.user"', Entity.TAG, "mlflow.user"),
        ("dataset.name", Entity.DATASET, "name"),
        ("datasets.context", Entity.DATASET, "context"),
        ("attribute.run_name", Entity.ATTRIBUTE, "run_name"),
        ("attributes.`Run Name`", Entity.ATTRIBUTE, "run_name"),
        ("attr.run_id", Entity.ATTRIBUTE, "run_id"),
        ("run.status", Entity.ATTRIBUTE, "status"),
        ("user_id", Entity.ATTRIBUTE, "user_id"),
        ('"run name"', Entity.ATTRIBUTE, "run_name"),
        ("`artifact_uri`", Entity.ATTRIBUTE, "artifact_uri"),
    ],
)
def test_every_way_to_name_a_field_is_understood(text: str, entity: Entity, key: str) -> None:
    assert parse(f"{text} IS NULL") == Comparison(Field(entity, key), "IS NULL")
    if entity is not Entity.DATASET:
        assert parse_order(f"{text} DESC") == OrderTerm(Field(entity, key), descending=True)


@pytest.mark.parametrize(
    ("text", "key", "operator", "value"),
    [
        ("metrics.auc>=-1.5e-3", "auc", ">=", -0.0015),
        ("metrics.auc != +.5", "auc", "!=", 0.5),
        ("metrics.auc<1.", "auc", "<", 1.0),
        ("metrics.auc <= 1e999", "auc", "<=", float("inf")),
        ("params.depth = 'it''s'", "depth", "=", "it's"),
        ('params.depth != "say ""it"""', "depth", "!=", 'say "it"'),
        ("params.depth like 'a%'", "depth", "LIKE", "a%"),
        ("params.depth Not ILike 'a_'", "depth", "NOT ILIKE", "a_"),
        ("params.depth in ('a', \"b\",'')", "depth", "IN", ("a", "b", "")),
        ("params.depth NOT IN ('a',)", "depth", "NOT IN", ("a",)),
        ("params.depth is null", "depth", "IS NULL", None),
        ("params.depth IS\nnot NULL", "depth", "IS NOT NULL", None),
        ("params.depth > 3", "depth", ">", 3.0),
        ("params.depth <= '3.5'", "depth", "<=", 3.5),
        ("params.depth = 3", "depth", "=", 3.0),
        ("Created > 1700000000000", "start_time", ">", 1.7e12),
        ("map_index = -1", "map_index", "=", -1.0),
    ],
)
def test_comparisons_are_read(text: str, key: str, operator: str, value: Value) -> None:
    node = parse(text)
    assert isinstance(node, Comparison)
    assert (node.field.key, node.operator, node.value) == (key, operator, value)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-01-31T12:00:00Z", 12),
        ("2026-01-31 12:00", 12),
        ("2026-01-31", 0),
        ("2026-01-31T12:00:00+02:00", 10),
    ],
)
def test_times_may_be_in_iso_form_and_are_utc_where_they_name_no_zone(
    text: str, hours: int
) -> None:
    moment = datetime(2026, 1, 31, tzinfo=timezone.utc) + timedelta(hours=hours)
    expected = Comparison(Field(Entity.ATTRIBUTE, "end_time"), "<", moment)
    assert parse(f"end_time < '{text}'") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{GOOD_TEXT} and {DEEP_TEXT} AND {DONE_TEXT}", And((GOOD, DEEP, DONE))),
        (f"{GOOD_TEXT} OR {DEEP_TEXT} AND {DONE_TEXT}", Or((GOOD, And((DEEP, DONE))))),
        (f"({GOOD_TEXT} or {DEEP_TEXT}) AND {DONE_TEXT}", And((Or((GOOD, DEEP)), DONE))),
        (f"NOT {GOOD_TEXT} AND {DEEP_TEXT}", And((Not(GOOD), DEEP))),
        (f"not ({GOOD_TEXT} AND {DEEP_TEXT})", Not(And((GOOD, DEEP)))),
        (f"NOT NOT(({GOOD_TEXT}))", Not(Not(GOOD))),
        (f"{GOOD_TEXT} AND", GOOD),
        (f"{GOOD_TEXT} OR {DEEP_TEXT} AND ", Or((GOOD, DEEP))),
    ],
)
def test_and_binds_stronger_than_or_and_not_strongest(text: str, expected: object) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("metrics.auc > ", 14, "a number"),
        ("metrics.auc > '0.5'", 14, "a number"),
        ("metrics.auc > abc", 14, "a number"),
        ("metrics.auc LIKE 'a'", 12, "one of =, !=, <, <=, >, >=, IS NULL"),
        ("metrics.auc == 1", 13, "a number"),
        ("metrics.auc", 11, "one of ="),
        ("metrics. = 1", 8, "a key, bare or in backticks or double quotes"),
        ("metrics. 'a' = 1", 8, "a key, bare"),
        ("metrics.`` = 1", 8, "a key"),
        ("model.auc = 1", 0, "metrics, params, tags, attributes or datasets"),
        ("colour = 'red'", 0, "run_id, run_name, status, user_id, artifact_uri, start_time"),
        ("attributes.colour = 'red'", 11, "run_id, run_name"),
        ("datasets.size = '1'", 9, "name, digest, context"),
        ("params.a = b", 11, "quoted text"),
        ("params.a = `b`", 11, "quoted text"),
        ("params.a > 'x'", 11, "a number"),
        ("params.a > 'nan'", 11, "not NaN"),
        ("status > 'A'", 7, "text has no order here"),
        ("status = 5", 9, "quoted text"),
        ("start_time > 'yesterday'", 13, "milliseconds since 1970 or a quoted time"),
        ("start_time > '0001-01-01T00:00+10:00'", 13, "milliseconds since 1970"),
        ("start_time > abc", 13, "milliseconds since 1970"),
        ("params.a IN 'b'", 12, "( and quoted values"),
        ("params.a IN ()", 13, "quoted text"),
        ("params.a IN ('b' 'c')", 17, ", or )"),
        ("params.a IN ('b', 5)", 18, "quoted text"),
        ("params.a NOT = 'b'", 13, "LIKE, ILIKE or IN"),
        ("params.a IS 'b'", 12, "NULL or NOT NULL"),
        ("params.a IS NOT 'b'", 16, "NULL"),
        ("(metrics.auc > 1", 16, "AND, OR or )"),
        ("metrics.auc > 1)", 15, "AND, OR or the end"),
        ("metrics.auc > 1 metrics.b > 2", 16, "AND, OR or the end"),
        ("metrics.auc > 1 OR", 18, "a field such as"),
        ("(metrics.auc > 1 AND)", 20, "a field such as"),
        ("AND metrics.auc > 1", 0, "a field such as"),
        ("'auc' > 1", 0, "a field such as"),
        ("1 < metrics.auc", 0, "a field such as"),
        ("params.a = 'b", 11, "text that ends with another '"),
        ("params.a ! 'b'", 9, "!="),
        ("params.a = 'b'; DROP TABLE runs", 14, "a name, a comparison"),
        ("params.a = 'b' -- all", 15, "a name, a comparison"),
        ("params.a = '\x00'", 12, "without NUL"),
        ("params.a = '\ud800'", 12, "surrogate"),
    ],
)
def test_a_wrong_filter_says_where_and_what_was_expected(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(text)
    assert caught.value.position == position
    assert expected in caught.value.expected
    assert f"at character {position + 1}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "a field such as"),
        ("metrics.auc UP", 12, "ASC, DESC or the end"),
        ("metrics.auc DESC ASC", 17, "ASC, DESC or the end"),
        ("metrics.auc, metrics.b", 11, "ASC, DESC or the end"),
        ("dataset.name", 0, "many data sets"),
        ("speed DESC", 0, "an attribute (run_id"),
    ],
)
def test_a_wrong_order_says_where_and_what_was_expected(
    text: str, position: int, expected: str
) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_order(text)
    assert caught.value.position == position
    assert expected in caught.value.expected


@pytest.mark.parametrize("opening", ["(", "NOT ", "not ("])
def test_nesting_without_end_is_refused(opening: str) -> None:
    with pytest.raises(InvalidFilter, match=f"at most {DEPTH_LIMIT} parentheses"):
        parse(opening * 10_000 + GOOD_TEXT)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert parse("(" * DEPTH_LIMIT + GOOD_TEXT + ")" * DEPTH_LIMIT) == GOOD


def test_filters_of_too_many_comparisons_are_refused() -> None:
    parse(" OR ".join([GOOD_TEXT] * COMPARISON_LIMIT))
    with pytest.raises(InvalidFilter, match=f"at most {COMPARISON_LIMIT} comparisons"):
        parse(" OR ".join([GOOD_TEXT] * (COMPARISON_LIMIT + 1)))


def test_lists_of_too_many_values_are_refused() -> None:
    parse("run_id IN (" + "'a'," * LIST_LIMIT + ")")
    with pytest.raises(InvalidFilter, match="at most 10,000 values"):
        parse("run_id IN (" + "'a'," * LIST_LIMIT + "'a')")


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidFilter, match="at most 1,000,000 characters"):
        parse("(" * (TEXT_LIMIT + 1))


PIECES = st.sampled_from(
    ["metrics.auc", "params.`a b`", "status", "AND", "or", "NOT", "(", ")", "=", ">", "LIKE", "IN",
     "IS", "NULL", "'x'", '"y"', "1.5", ",", "'", "start_time", "dataset.name", " "]
)  # fmt: skip


@given(st.text() | st.lists(PIECES).map(" ".join))
def test_text_of_any_kind_is_read_or_refused_at_a_character(text: str) -> None:
    for read in (parse, parse_order):
        refusal = refused(read, text)
        assert refusal is None or (0 <= refusal.position <= len(text) and refusal.expected)


def refused(read: Callable[[str], object], text: str) -> InvalidFilter | None:
    try:
        read(text)
    except InvalidFilter as error:
        return error
    return None
