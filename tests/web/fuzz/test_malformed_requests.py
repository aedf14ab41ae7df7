"""Whatever is sent, it is answered in the shape of errors, and the records stay whole."""

from __future__ import annotations

from random import Random

from tests.web.fuzz.conftest import Target
from tests.web.fuzz.existing import fill
from tests.web.fuzz.generator import Generator
from tests.web.fuzz.wire import Answer, request_budget, seed

_REFILL = 300
"""Requests after which there are new things: many delete what they find."""


def test_no_request_breaks_the_server(local: Target) -> None:
    _attack(local, "requests on local files", request_budget() * 55 // 100)


def test_no_request_breaks_the_server_with_tokens_and_s3(on_s3: Target) -> None:
    _attack(on_s3, "requests on S3, with a token", request_budget() * 10 // 100)


def _attack(target: Target, title: str, count: int) -> None:
    generator = Generator(target.endpoints, target.known, Random(seed()))
    with target.attacked(title) as (wire, judge):
        for number in range(1, count + 1):
            endpoint, sent = generator.next()
            answer = wire.send(sent)
            judge.look(endpoint.kind, sent, answer)
            if answer.status == 200 and _is_ours(answer):
                target.known.learn(answer.json())
            if number % _REFILL == 0:
                fill(target.tracking, target.known, number)


def _is_ours(answer: Answer) -> bool:
    """Say whether an answer is JSON of the server's own; a file may only be called so."""
    told = answer.headers
    return told.get("content-type") == "application/json" and "content-disposition" not in told
