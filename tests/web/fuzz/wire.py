"""Requests byte by byte: HTTP clients put what they send in order first, attackers do not."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LOGIN = (("Authorization", b"Bearer fuzz"),)
JSON_LOGIN = (*LOGIN, ("Content-Type", b"application/json"))
_SHOWN = 2_000
_CHUNK = 65_536


@dataclass(frozen=True)
class Sent:
    """One request, exactly as it goes over the wire."""

    method: str
    target: bytes
    """What stands in the request line, percent-encoded or not."""
    body: bytes = b""
    headers: tuple[tuple[str, bytes], ...] = ()
    chunked: bool = False
    """Sent without a Content-Length."""
    cut_off: bool = False
    """Announced longer than it is; the client then stops sending."""

    def head(self) -> bytes:
        """Write everything before the body."""
        lines = [self.method.encode() + b" " + self.target + b" HTTP/1.1", b"Host: localhost"]
        lines += [name.encode() + b": " + value for name, value in self.headers]
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
        elif self.body or self.method not in ("GET", "HEAD"):
            size = len(self.body) + (1_000 if self.cut_off else 0)
            lines.append(b"Content-Length: %d" % size)
        return b"\r\n".join([*lines, b"", b""])

    def pieces(self) -> Iterator[bytes]:
        """Give the body as it is sent."""
        for start in range(0, len(self.body), _CHUNK):
            part = self.body[start : start + _CHUNK]
            yield b"%x\r\n%b\r\n" % (len(part), part) if self.chunked else part
        if self.chunked:
            yield b"0\r\n\r\n"

    def __str__(self) -> str:
        """Write it so that it can be sent again."""
        body = repr(self.body[:_SHOWN])
        rest = f" ... {len(self.body)} bytes" if len(self.body) > _SHOWN else ""
        extras = f", chunked={self.chunked}, cut_off={self.cut_off}"
        return f"Sent({self.method!r}, {self.target!r}, {body}{rest}, {self.headers!r}{extras})"


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 is a connection that was closed without an answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


class Wire:
    """A connection that is kept, and opened anew when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: socket.socket | None = None

    def send(self, sent: Sent) -> Answer:
        """Send a request and read the answer."""
        fresh = self._connection is None
        connection = self._connection or self._open()
        try:
            found = self._exchange(connection, sent)
        except TimeoutError:
            self.close()
            return Answer(0)
        except (OSError, http.client.HTTPException):
            self.close()
            # A kept connection may have been closed by the server before it saw the request.
            return Answer(0) if fresh or sent.cut_off else self.send(sent)
        return found

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _open(self) -> socket.socket:
        self._connection = socket.create_connection(("127.0.0.1", self._port), timeout=60)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection

    def _exchange(self, connection: socket.socket, sent: Sent) -> Answer:
        refused_early = False
        try:
            connection.sendall(sent.head())
            for piece in sent.pieces():
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            refused_early = True  # the answer to a body that is too large may be there already
        if sent.cut_off:
            connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection, method=sent.method)
        response.begin()
        answer = Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            response.read(),
        )
        if refused_early or sent.cut_off or response.will_close:
            self.close()
        return answer


def request_budget() -> int:
    """Return how many requests all fuzz tests together may send, about."""
    return int(os.environ.get("MLTRACK_TEST_FUZZ_REQUESTS", "6000"))


def seed() -> int:
    """Return what the random choices start from; the same one gives the same requests."""
    return int(os.environ.get("MLTRACK_TEST_FUZZ_SEED", "20260731"))
