"""Files on their way to a reader."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timezone
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.entities.artifacts import Artifact
from airflow_mltrack.web.files import _SentFile, send_file


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_reader_who_leaves_before_the_first_byte_keeps_no_file_open(
    tmp_path: Path, version: str
) -> None:
    store = LocalArtifactStore(tmp_path)
    stored = store.put_bytes("a/b.txt", b"inside")
    record = Artifact(
        "b.txt",
        stored.key,
        stored.size,
        stored.sha256,
        stored.content_type,
        datetime.now(timezone.utc),
    )
    answer = send_file(store, record)
    assert isinstance(answer, _SentFile)
    assert not answer._file.closed

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        await asyncio.sleep(0)
        if version == "2.4":
            raise OSError

    async def answered() -> None:
        scope = {"type": "http", "method": "GET", "headers": [], "asgi": {"spec_version": version}}
        with contextlib.suppress(ClientDisconnect):  # how a server is told differs by version
            await answer(scope, receive, send)

    asyncio.run(answered())

    assert answer._file.closed
