"""The canonical form: one text for one fact, also after a trip through jsonb."""

from __future__ import annotations

import hashlib
import math

import pytest
from hypothesis import given, settings

from airflow_mltrack.entities.registry import Stage
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.store.canonical_json import canonical_json, canonical_value, digest_of
from tests.store.json_facts import FACTS


def test_keys_are_sorted_and_nothing_is_padded() -> None:
    assert canonical_json({"b": [1, 2.5], "a": {"é": None, "Z": True}}) == (
        '{"a":{"Z":true,"é":null},"b":[1,2.5]}'
    )


def test_the_digest_is_that_of_the_utf8_bytes() -> None:
    assert digest_of({"é": 1}) == hashlib.sha256('{"é":1}'.encode()).hexdigest()


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-0.0, "0"), (1e22, "1" + "0" * 22), (1e-7, "1e-07"), (0.1, "0.1")],
)
def test_equal_numbers_have_one_form(value: float, text: str) -> None:
    assert canonical_json(value) == text


def test_tuples_and_enums_become_plain_data() -> None:
    assert canonical_json((Stage.PRODUCTION, {"stage": Stage.NONE})) == (
        '["Production",{"stage":"None"}]'
    )


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {"a": -math.inf}, {1: 2}, {"a": {1, 2}}, b"x", "a\x00b", "\ud800"]
)
def test_what_json_or_postgres_cannot_keep_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        canonical_json(value)


@given(facts=FACTS)
@settings(max_examples=60, deadline=None)
def test_the_form_is_a_fixed_point(facts: object) -> None:
    once = canonical_value(facts)
    assert canonical_value(once) == once
    assert canonical_json(once) == canonical_json(facts)
