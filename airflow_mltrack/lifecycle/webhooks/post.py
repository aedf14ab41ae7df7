"""One HTTP request to a webhook: bounded in time, no redirects, little of the answer kept."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, TypeVar, cast

STEP_SECONDS = 5.0
"""For connecting to one address, and for each wait for bytes."""
REQUEST_SECONDS = 10.0
"""For a whole request: a receiver that sends a byte now and then does not hold the sender."""
_EXCERPT_BYTES = 400
_EXCERPT = 200

Connection = TypeVar("Connection", bound=HTTPConnection)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a request."""

    status: int | None
    """HTTP status; None when there was no answer."""
    error: str | None
    """Why it is no success, in a few words; None when it is one."""
    said: str = ""
    """How an answer that is no success begins; empty for others."""

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken it."""
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver says that it wants nothing more, ever."""
        return self.status == 410


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = REQUEST_SECONDS,
    secrets: Sequence[bytes] = (),
) -> Reply:
    """Send a body and tell what came of it; raises nothing for what the network does.

    Proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``, ...) are asked. Redirects are not
    followed: they could lead a signed body anywhere.

    :param url: http or https.
    :param seconds: for all of it.
    :param secrets: taken out of what the receiver says: it knows them, too.
    """
    request = urllib.request.Request(  # noqa: S310 - the opener knows http and https only
        url, data=body, headers=dict(headers), method="POST"
    )
    exchange = _Exchange(request, min(STEP_SECONDS, seconds), secrets)
    # In a thread of its own: only so can looking up a name and a slow answer be bounded.
    thread = threading.Thread(target=exchange.run, name="mltrack-webhook-post", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        exchange.abort()
        return Reply(None, f"no answer within {seconds:.3g} seconds")
    return exchange.reply


class _Exchange:
    """A request that another thread can end."""

    def __init__(
        self, request: urllib.request.Request, step_seconds: float, secrets: Sequence[bytes]
    ) -> None:
        self.reply = Reply(None, "no answer")
        self._request = request
        self._step_seconds = step_seconds
        self._secrets = secrets
        self._connections: list[HTTPConnection] = []

    def run(self) -> None:
        """Do it and keep the reply."""
        try:
            response = self._opener().open(self._request, timeout=self._step_seconds)
            with cast("HTTPResponse", response) as answer:
                self.reply = _read(answer, self._secrets)
        except (OSError, HTTPException, ValueError) as error:
            self.reply = Reply(None, _words(error))

    def abort(self) -> None:
        """Cut the connection, so that the thread ends."""
        for connection in self._connections:
            # Not the TLS socket's own method: it would drop what the other thread is using.
            if (plain := connection.sock) is not None:
                with suppress(OSError):
                    socket.socket.shutdown(plain, socket.SHUT_RDWR)

    def _opener(self) -> urllib.request.OpenerDirector:
        """Know http, https and the environment's proxies, and nothing of redirects or files."""
        opener = urllib.request.OpenerDirector()
        # Not what macOS would say: asking it is not safe in a forked process.
        opener.add_handler(urllib.request.ProxyHandler(urllib.request.getproxies_environment()))
        opener.add_handler(_Http(self._keep))
        opener.add_handler(_Https(self._keep))
        opener.add_handler(urllib.request.UnknownHandler())
        return opener

    def _keep(self, kind: type[Connection], *args: Any, **options: Any) -> Connection:
        connection = kind(*args, **options)
        self._connections.append(connection)
        return connection


class _Http(urllib.request.HTTPHandler):
    def __init__(self, keep: Any) -> None:
        super().__init__()
        self._keep = keep

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(self._keep, HTTPConnection), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, keep: Any) -> None:
        super().__init__()
        self._keep = keep

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(self._keep, HTTPSConnection), req)


def _read(answer: HTTPResponse, secrets: Sequence[bytes]) -> Reply:
    """Judge an answer; its body is read only where it may say what is wrong."""
    if 200 <= answer.status < 300:
        return Reply(answer.status, None)
    if 300 <= answer.status < 400:
        return Reply(answer.status, f"HTTP {answer.status}: a redirect, which is not followed")
    # Secrets go before it is cut: half of one would not be found.
    longest = max(map(len, secrets), default=0)
    said = _excerpt(_without(secrets, answer.read1(_EXCERPT_BYTES + longest)))
    return Reply(answer.status, f"HTTP {answer.status}{': ' if said else ''}{said}", said)


def _without(secrets: Sequence[bytes], data: bytes) -> bytes:
    for secret in secrets:
        data = data.replace(secret, b"***")
    return data


def _excerpt(data: bytes) -> str:
    """Make one short printable line of the beginning of a body."""
    words = " ".join(data.decode("utf-8", "replace").split())
    return "".join(mark if mark.isprintable() else "�" for mark in words)[:_EXCERPT]


def _words(error: Exception) -> str:
    """Word an error of the network without the address, whose path or query may be a secret."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    if isinstance(reason, OSError):
        return _excerpt(f"{type(reason).__name__}: {reason}".encode())
    # Others may hold the address.
    return _excerpt(reason.encode()) if isinstance(reason, str) else type(reason).__name__
