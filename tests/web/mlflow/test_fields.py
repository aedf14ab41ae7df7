"""Reading requests as protocol buffers in JSON, without a server."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltrack.web.mlflow.errors import MlflowError
from airflow_mltrack.web.mlflow.fields import (
    Fields,
    Shape,
    choice,
    double,
    flag,
    int64,
    message,
    number_out,
    pairs,
    read_fields,
    read_json,
    read_query,
    schema_of,
    tags,
    text,
)

SHAPE: Shape = {
    "run_id": text(),
    "step": int64(),
    "value": double(),
    "archive": flag(),
    "status": choice(["RUNNING", "FINISHED"]),
    "order_by": text(repeated=True),
    "point": message({"key": text(required=True), "max_results": int64()}),
    "tags": tags(),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(**sent: object) -> Fields:
    return read_fields(SHAPE, sent)


def attempt(reading: Callable[[], Any]) -> tuple[Any, MlflowError | None]:
    """Give what was read, or the refusal; every other error fails the test."""
    try:
        return reading(), None
    except MlflowError as error:
        return None, error


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_whole_number_reads_the_same_as_number_and_as_text(number: int) -> None:
    assert read(step=number) == read(step=str(number)) == {"step": number}


@given(st.integers(min_value=2**63) | st.integers(max_value=-(2**63) - 1))
def test_a_number_beyond_64_bits_is_refused(number: int) -> None:
    for sent in (number, str(number)):
        with pytest.raises(MlflowError, match="'step'"):
            read(step=sent)


@given(st.floats())
def test_a_double_comes_back_as_it_went(number: float) -> None:
    written = json.loads(json.dumps(number_out(number)))
    for sent in (written, str(written)):
        found = read(value=sent)["value"]
        assert found == number or (math.isnan(found) and math.isnan(number))


@pytest.mark.parametrize(
    "sent",
    [
        "",
        " 1",
        "1 ",
        "1_0",
        "0x1",
        "nan",
        "inf",
        "1e999",
        "\u0661",
        "-",
        ".",
        "1e",
        10**400,
        "+NaN",
    ],
)
def test_text_that_is_no_number_is_refused(sent: object) -> None:
    with pytest.raises(MlflowError, match="'value' supplied: it is a number"):
        read(value=sent)


@pytest.mark.parametrize(
    "sent", ["", " 1", "1.0", "1e3", "0x1", "1_0", "\u0661", True, 1.5, [], {}]
)
def test_text_that_is_no_whole_number_is_refused(sent: object) -> None:
    with pytest.raises(MlflowError, match="'step' supplied: it is a 64-bit whole number"):
        read(step=sent)


@given(st.dictionaries(st.sampled_from(sorted(SHAPE)) | st.text(), JSON, max_size=6))
def test_whatever_is_sent_is_read_or_refused(sent: dict[str, Any]) -> None:
    found, refused = attempt(lambda: read_fields(SHAPE, sent))
    if refused is not None:
        assert refused.code == "INVALID_PARAMETER_VALUE"
        assert len(refused.message) < 1_000
    else:
        assert set(found) <= set(SHAPE) & {
            name for name, value in sent.items() if value is not None
        }


@given(st.binary(max_size=200))
def test_whatever_the_body_is_it_is_an_object_or_refused(body: bytes) -> None:
    found, refused = attempt(lambda: read_json(body))
    assert isinstance(found, dict) or (refused is not None and refused.code == "BAD_REQUEST")


def test_what_was_not_sent_is_not_there() -> None:
    assert read(run_id=None, unknown=1) == {}
    assert read(run_id="") == {"run_id": ""}
    assert read(order_by=[]) == {"order_by": []}


def test_both_spellings_are_read_at_every_depth() -> None:
    assert read(runId="r", point={"key": "k", "maxResults": "3"}) == {
        "run_id": "r",
        "point": {"key": "k", "max_results": 3},
    }
    with pytest.raises(MlflowError, match=r"'point\.max_results' is given twice"):
        read(point={"key": "k", "maxResults": 1, "max_results": 1})


def test_an_error_names_the_place() -> None:
    with pytest.raises(MlflowError, match=r"parameter 'tags\[1\].value'"):
        read(tags=[{"key": "a", "value": "b"}, {"key": "a", "value": 1}])
    with pytest.raises(MlflowError, match=r"required parameter 'point.key'"):
        read(point={})
    with pytest.raises(MlflowError, match=r"'params\[0\].key'"):
        pairs("params", [{"value": "v"}])


def test_of_the_same_tag_the_last_one_counts() -> None:
    assert pairs(
        "tags", [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}, {"key": "b"}]
    ) == {
        "a": "2",
        "b": "",
    }


def test_a_required_text_may_not_be_empty() -> None:
    for sent in ({}, {"name": None}, {"name": ""}):
        with pytest.raises(MlflowError, match="required parameter 'name'"):
            read_fields({"name": text(required=True)}, sent)


def test_a_query_repeats_what_is_a_list() -> None:
    sent = [("order_by", "a"), ("order_by", "b"), ("step", "3"), ("archive", "true")]
    assert read_query(SHAPE, sent) == {"order_by": ["a", "b"], "step": 3, "archive": True}
    assert read_query(SHAPE, [("order_by[]", "a")]) == {"order_by": ["a"]}
    with pytest.raises(MlflowError, match="'archive' supplied: it is true or false"):
        read_query(SHAPE, [("archive", "yes")])


def test_both_spellings_are_read_in_a_query_too() -> None:
    assert read_query(SHAPE, [("orderBy", "a"), ("runId", "r")]) == {
        "order_by": ["a"],
        "run_id": "r",
    }


def test_a_shape_describes_itself() -> None:
    described = schema_of({"key": text(required=True), "order_by": text(repeated=True)})
    assert described["required"] == ["key"]
    assert described["properties"]["order_by"] == {"type": "array", "items": {"type": "string"}}
