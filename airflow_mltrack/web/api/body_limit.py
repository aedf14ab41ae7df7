"""Refuses bodies that no route needs, before they are in memory."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT = 1 << 20
"""Bytes; a policy of a hundred checks has about twenty thousand."""


class BodyLimit:
    """Middleware that stops reading a request's body at :data:`LIMIT`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting what comes in."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LIMIT:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {LIMIT} bytes."
                )
            return message

        await self._app(scope, counted, send)
