"""The web app served over real HTTP, with a login that a test decides about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, HTTPException, Request

from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.access import Reader
from airflow_mltrack.web.app import create_app


@dataclass
class HeaderReader:
    """A reader who may see the Dags that the request's header names."""

    name: str
    dags: set[str] = field(default_factory=set)

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        return self.dags & set(dag_ids)


def _reader_from_headers(request: Request) -> HeaderReader:
    name = request.headers.get("x-reader")
    if name is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "Not authenticated")
    return HeaderReader(name, set(request.headers.get("x-dags", "").split(",")))


class HeaderAccess:
    """Takes the caller's word for who he is: the edge of the world in these tests."""

    reader: Callable[..., Reader] = staticmethod(_reader_from_headers)

    def login_url(self, back: str) -> str | None:
        return f"/login?next={back}"


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    client = TrackingClient(settings)
    yield client
    client.close()


@pytest.fixture
def browser(client: TrackingClient) -> Iterator[httpx.Client]:
    """HTTP client of a person who may see the Dag ``train``, on the app mounted as Airflow does."""
    host = FastAPI()
    host.mount("/mltrack", create_app(lambda: client, HeaderAccess()))
    server = uvicorn.Server(uvicorn.Config(host, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"x-reader": "ada", "x-dags": "train", "accept": "text/html"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/mltrack", headers=headers) as browser:
        yield browser
    server.should_exit = True
    thread.join(timeout=10)
