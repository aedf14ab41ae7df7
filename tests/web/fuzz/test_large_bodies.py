"""Bodies that are huge, deep, or never end are refused in their shape, and cost little memory."""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.endpoints import Endpoint
from tests.web.fuzz.hostile import DEEP
from tests.web.fuzz.wire import JSON_LOGIN, Sent

_MEGABYTE = 1024 * 1024


def _with_bodies(target: Target) -> Iterator[Endpoint]:
    seen = set()
    for found in target.endpoints:
        name = found.path.rpartition("/mlflow/")[2] or found.path
        if found.body is not None and (found.method, name) not in seen:
            seen.add((found.method, name))
            yield found


def _deep() -> Iterator[bytes]:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
        yield opening * DEEP
        yield opening * DEEP + b"1" + closing * DEEP
    yield b'{"tags": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    for depth in (30, 900):
        yield b'{"gates": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def test_no_depth_breaks_the_server(local: Target) -> None:
    with local.attacked("deep bodies") as (wire, judge):
        for endpoint in _with_bodies(local):
            for body in _deep():
                path = endpoint.path.replace("{", "").replace("}", "")
                sent = Sent(endpoint.method, path.encode(), body, JSON_LOGIN)
                answer = wire.send(sent)
                judge.look(endpoint.kind, sent, answer)
                assert answer.status != 200 or len(body) < DEEP


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_body_without_an_end_is_refused_before_it_is_in_memory(
    local: Target, chunked: bool
) -> None:
    huge = b'{"name": "' + b"a" * (48 * _MEGABYTE) + b'"}'
    with traced_memory(), local.attacked("huge bodies") as (wire, judge):
        for place in (
            b"/mltrack/api/2.0/mlflow/runs/create",
            b"/mltrack/api/2.0/mlflow/runs/log-batch",
            b"/api/2.0/mlflow/upload-artifact?run_id=x&path=a",
            b"/mltrack/api/v1/models",
        ):
            sent = Sent("POST", place, huge, JSON_LOGIN, chunked=chunked)
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            answer = wire.send(sent)
            _, peak = tracemalloc.get_traced_memory()
            judge.look("api" if b"/v1/" in place else "protocol", sent, answer)
            assert 400 <= answer.status < 500
            # The protocol takes bodies of 24 MB.
            assert peak - before < 60 * _MEGABYTE, place


@contextmanager
def traced_memory() -> Iterator[None]:
    """Let memory be measured."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def test_a_long_list_costs_time_in_proportion(local: Target) -> None:
    items = b'{"key": "a", "value": "b"},' * 200_000
    body = b'{"run_id": "x", "tags": [' + items[:-1] + b"]}"
    assert len(body) < 24 * _MEGABYTE
    began = time.monotonic()
    with local.attacked("long lists") as (wire, judge):
        sent = Sent("POST", b"/api/2.0/mlflow/runs/log-batch", body, JSON_LOGIN)
        answer = wire.send(sent)
        judge.look("protocol", sent, answer)
    assert answer.status in (400, 404)
    assert time.monotonic() - began < 60  # not minutes: the limit, not the machine, ends it


@pytest.mark.parametrize("digits", [4_000, sys.get_int_max_str_digits() + 1, 1_000_000])
def test_no_number_is_too_long(local: Target, digits: int) -> None:
    with local.attacked("long numbers") as (wire, judge):
        for number in (
            b"1" * digits,
            b"-" + b"9" * digits,
            b"0." + b"3" * digits,
            b"1e" + b"9" * digits,
        ):
            for kind, place, name in (
                ("protocol", b"/api/2.0/mlflow/runs/log-metric", b"value"),
                ("protocol", b"/api/2.0/mlflow/runs/log-metric", b"step"),
                ("api", b"/api/v1/models/x/aliases/a", b"version"),
            ):
                body = b'{"run_id": "x", "key": "k", "timestamp": 1, "%b": %b}' % (name, number)
                method = "PUT" if kind == "api" else "POST"
                sent = Sent(method, place, body, JSON_LOGIN)
                judge.look(kind, sent, wire.send(sent))
