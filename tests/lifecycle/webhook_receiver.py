"""A real receiver of webhooks: an HTTP server on this machine that answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

SECRET = "a secret of the tests, long enough"
PATIENCE = 30.0


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to say to a request."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    holds: bool = False
    """Say nothing until the receiver is released."""
    endless: bool = False
    """Never end the body, until the receiver is released."""
    drips: bool = False
    """Send one byte of the headers now and then, until the receiver is released."""


class Receiver:
    """Keeps what it gets; answers 200 unless answers are lined up."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        self.released = threading.Event()
        self.arrived = threading.Semaphore(0)
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.take(Received(self.path, self.headers, body))
                with suppress(OSError):  # the sender may have gone
                    self._say(answer)

            def do_GET(self) -> None:
                receiver.take(Received(self.path, self.headers, b"GET"))

            def log_message(self, *_: object) -> None:
                pass

            def _say(self, answer: Answer) -> None:
                if answer.holds:
                    receiver.released.wait(PATIENCE)
                while answer.drips and not receiver.released.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if not answer.endless:
                    self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
                while answer.endless and not receiver.released.wait(0.01):
                    self.wfile.write(b"x" * 10_000)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def delivery_ids(self) -> list[str]:
        return [request.json["delivery_id"] for request in self.received]

    def take(self, request: Received) -> Answer:
        self.received.append(request)
        answer = self.answers.pop(0) if self.answers else Answer()
        self.arrived.release()
        return answer

    def wait(self) -> None:
        """Wait for one more request than was waited for."""
        assert self.arrived.acquire(timeout=PATIENCE), "nothing has arrived"

    def close(self) -> None:
        """Stop; the port refuses from now on."""
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    """Run a receiver; no proxy of whoever runs the tests comes between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("no_proxy", "127.0.0.1")
        receiver = Receiver()
        yield receiver
        receiver.close()
