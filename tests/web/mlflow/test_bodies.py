"""Bodies that end before their end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from fastapi import Request
from starlette.types import Message

from airflow_mltrack.web.mlflow.bodies import read_body
from airflow_mltrack.web.mlflow.errors import BAD_REQUEST, STATUS, MlflowError


def _request(messages: Iterator[Message]) -> Request:
    async def receive() -> Message:
        return next(messages)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_failure_of_ours() -> None:
    part: Message = {"type": "http.request", "body": b'{"run_', "more_body": True}
    gone: Message = {"type": "http.disconnect"}

    with pytest.raises(MlflowError, match="went away") as refused:
        asyncio.run(read_body(_request(iter([part, gone]))))

    assert STATUS[refused.value.code] == STATUS[BAD_REQUEST] == 400
