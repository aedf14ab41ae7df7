"""Bodies of requests: small ones whole, large ones as a file that a worker thread reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from starlette.requests import ClientDisconnect

from airflow_mltrack.web.mlflow.errors import BAD_REQUEST, MlflowError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request

BODY_LIMIT = 24 * 1024 * 1024
"""Bytes; the profile of one data set may have 16 million characters."""
SILENCE_SECONDS = 120.0
"""How long a client may send nothing in the middle of a body."""
TRANSFERS = 32
"""Large bodies that are moved at a time; each has a thread, and up to 30 MB on its way to S3."""
LARGEST_HINT = 500 * 10**9
"""Largest body that is taken for S3, where an object has 10,000 parts; these have 50 MB then."""
_AHEAD = 1024 * 1024
_transfer_slots: RunVar[CapacityLimiter] = RunVar("mltrack_transfer_slots")


class BodyReader:
    """Reads a body part by part; what is not asked for stays in the socket.

    Its making belongs to the event loop, reading to any thread: boto3 reads in threads of its own.
    """

    def __init__(self, request: Request) -> None:
        self._parts: AsyncIterator[bytes] = request.stream().__aiter__()
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._ended = False
        self.size_hint = _announced(request.headers.get("content-length", ""))
        """Bytes that the client announces."""

    async def read_ahead(self) -> bool:
        """Wait for the first MiB; say whether that was everything.

        A slow client with a small file keeps no thread waiting then.

        :raises MlflowError: when the client goes away, or falls silent.
        """
        await self._fill(_AHEAD + 1)
        return self._ended

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, fewer only at the end; not to be called in the event loop.

        :raises MlflowError: when the client goes away, or falls silent.
        """
        if not self._holds(size):
            asyncio.run_coroutine_threadsafe(self._fill(size), self._loop).result()
        end = len(self._waiting) if size < 0 else size
        data = bytes(self._waiting[:end])
        del self._waiting[:end]
        return data

    def _holds(self, size: int) -> bool:
        return self._ended or 0 <= size <= len(self._waiting)

    async def _fill(self, size: int) -> None:
        while not self._holds(size):
            part = await self._next()
            self._ended = part is None
            self._waiting += part or b""

    async def _next(self) -> bytes | None:
        try:
            return await asyncio.wait_for(self._pull(), SILENCE_SECONDS)
        except asyncio.TimeoutError:
            words = f"The client sent nothing for {SILENCE_SECONDS:.0f} seconds."
            raise MlflowError(BAD_REQUEST, words) from None
        except ClientDisconnect:
            raise _gone() from None

    async def _pull(self) -> bytes | None:
        return await anext(self._parts, None)


def _gone() -> MlflowError:
    return MlflowError(BAD_REQUEST, "The client went away.")


def _announced(length: str) -> int | None:
    """Read a Content-Length. Part sizes follow it, and memory follows them: it is not believed."""
    if not (length.isascii() and length.isdecimal() and len(length) <= 20):
        return None
    return min(int(length), LARGEST_HINT)


async def read_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """Read a body into memory.

    :raises MlflowError: when it is too large; what follows is not read. Or the client goes away.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise MlflowError(BAD_REQUEST, f"A body has at most {limit} bytes.")
            parts.append(part)
    except ClientDisconnect:
        raise _gone() from None
    return b"".join(parts)


def transfer_slots() -> CapacityLimiter:
    """Return the places for threads that move bytes, of this event loop.

    They have their own: the threads that every other request needs, also of the app around this
    one, must not all wait for slow clients.
    """
    try:
        return _transfer_slots.get()
    except LookupError:
        _transfer_slots.set(CapacityLimiter(TRANSFERS))
        return _transfer_slots.get()
