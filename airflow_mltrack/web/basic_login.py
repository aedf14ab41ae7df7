"""Name and password for clients that send nothing else: exchanged for a token, briefly remembered.

MLflow's clients send ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD`` with every
request. Airflow knows tokens only, so the login is changed into one before anybody looks at it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from airflow_mltrack.web.mlflow.errors import UNAUTHENTICATED, UNAVAILABLE, error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

Exchange = Callable[[str, str, "Scope"], Awaitable[str | None]]
"""Gives a token for a name and a password, None where they are wrong; the request they came with
tells which app is around ours."""

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 1_000
BROWSER_HEADERS = (b"origin", b"sec-fetch-site")
"""A browser adds a login by itself, also for another site's page: these tell it apart."""


class Logins:
    """Tokens for the logins that were right within the last minute.

    :param exchange: asked at most once a minute for a login that is right, and each time for one
        that is wrong.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._secret = secrets.token_bytes(32)
        self._tokens: dict[bytes, tuple[str, float]] = {}
        self._asked: dict[bytes, asyncio.Future[str | None]] = {}

    async def token(self, name: str, password: str, scope: Scope) -> str | None:
        """Return the token, None where name or password is wrong."""
        # Only a keyed digest is kept: a dump of this process's memory holds no password of it.
        login = f"{len(name)}:{name}{password}".encode()
        key = hmac.digest(self._secret, login, hashlib.sha256)
        known = self._tokens.get(key)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        asked = self._asked.get(key)
        if asked is None:
            # A task of its own: others wait for it, too, and whoever came first may go away.
            asked = asyncio.ensure_future(self._ask(key, name, password, scope))
            self._asked[key] = asked
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(asked)

    async def _ask(self, key: bytes, name: str, password: str, scope: Scope) -> str | None:
        token = await self._exchange(name, password, scope)
        if token is not None:
            if len(self._tokens) >= _MOST_REMEMBERED:
                self._tokens.clear()
            self._tokens[key] = (token, time.monotonic() + REMEMBERED_SECONDS)
        return token


class BasicLogin:
    """Middleware that changes a Basic login into a Bearer token.

    :param app: what stands behind it.
    :param logins: shared by all apps of a server.
    """

    def __init__(self, app: ASGIApp, logins: Logins) -> None:
        self.app, self._logins = app, logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with a token in the place of the password."""
        login = _basic_login(scope) if scope["type"] == "http" else None
        if login is None:
            await self.app(scope, receive, send)
            return
        try:
            token = await self._logins.token(*login, scope)
        except Exception as error:  # noqa: BLE001 - whatever an auth manager raises
            # By its name only: what it says may hold the password.
            log.error("A login could not be checked: %s.", type(error).__name__)  # noqa: TRY400
            refusal = error_response(UNAVAILABLE, "Logins cannot be checked now.")
            await refusal(scope, receive, send)
            return
        if token is None:
            refusal = error_response(UNAUTHENTICATED, "User name or password is wrong.")
            await refusal(scope, receive, send)
            return
        await self.app(_with_token(scope, token), receive, send)


def _basic_login(scope: Scope) -> tuple[str, str] | None:
    """Read name and password, None where there are none or a browser may have added them."""
    headers = dict(scope["headers"])
    kind, _, encoded = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"basic" or any(name in headers for name in BROWSER_HEADERS):
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    # RFC 7617 allows no control characters; databases cannot hold all of them.
    if not colon or not name or any(ord(char) < 32 or ord(char) == 127 for char in text):
        return None
    return name, password


def _with_token(scope: Scope, token: str) -> Scope:
    rest = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    return {**scope, "headers": [*rest, (b"authorization", b"Bearer " + token.encode())]}
