"""The web app served over real HTTP, with a login that a test decides about."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated

import httpx
import pytest
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.access import Access, Reader
from airflow_mltrack.web.announcing import Announce, Told
from airflow_mltrack.web.app import create_app
from airflow_mltrack.web.basic_login import Exchange
from tests.lifecycle.conftest import POLICY, add_verdict

__all__ = ["POLICY", "add_verdict"]

AddModelVersion = Callable[..., ModelVersion]


@dataclass
class HeaderReader:
    """A reader who may see the Dags that the request's header names."""

    name: str
    dags: set[str] = field(default_factory=set)

    def readable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        return self.dags & set(dag_ids)

    def writable_dags(self, dag_ids: Iterable[str]) -> set[str]:
        return self.readable_dags(dag_ids)

    def teams(self) -> set[str]:
        return set()


def _reader_from_headers(request: Request) -> HeaderReader:
    name = request.headers.get("x-reader")
    if name is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "Not authenticated")
    return HeaderReader(name, set(request.headers.get("x-dags", "").split(",")))


def _writer_from_headers(
    request: Request, reader: Annotated[HeaderReader, Depends(_reader_from_headers)]
) -> HeaderReader:
    if request.headers.get("x-role") not in ("writer", "promoter"):
        raise HTTPException(HTTPStatus.FORBIDDEN, "Forbidden")
    return reader


def _promoter_from_headers(
    request: Request, reader: Annotated[HeaderReader, Depends(_reader_from_headers)]
) -> HeaderReader:
    if request.headers.get("x-role") != "promoter":
        raise HTTPException(HTTPStatus.FORBIDDEN, "Forbidden")
    return reader


class HeaderAccess:
    """Takes the caller's word for who he is: the edge of the world in these tests."""

    reader: Callable[..., Reader] = staticmethod(_reader_from_headers)
    writer: Callable[..., Reader] = staticmethod(_writer_from_headers)
    promoter: Callable[..., Reader] = staticmethod(_promoter_from_headers)
    in_airflow = True
    exchange: Exchange | None = None

    def __init__(self) -> None:
        self.recorded: list[tuple[str, bool]] = []
        """Operation, and whether its body was looked at."""
        self.record: Callable[..., object] = self._record
        self.record_discreetly: Callable[..., object] = self._record_discreetly

    def _record(self, request: Request) -> None:
        self.recorded.append((request.scope["route"].name, True))

    def _record_discreetly(self, request: Request) -> None:
        self.recorded.append((request.scope["route"].name, False))

    def login_url(self, back: str) -> str | None:
        return f"/login?next={back}"


class Announcements:
    """Hears of moves, as Airflow's assets do."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Mapping[str, object]]] = []
        self.answer: Told | Exception = Told.SENT

    def __call__(self, reader: Reader, version: ModelVersion, facts: Mapping[str, object]) -> Told:
        self.heard.append((reader.name, f"{version.name}/{version.stage}", facts))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def access() -> HeaderAccess:
    return HeaderAccess()


@pytest.fixture
def announcements() -> Announcements:
    return Announcements()


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    client = TrackingClient(settings, pool_size=4)
    yield client
    client.close()


@contextmanager
def serve(client: TrackingClient, access: Access, announce: Announce) -> Iterator[str]:
    """Serve the app mounted as Airflow does it."""
    host = FastAPI()
    host.mount("/mltrack", create_app(lambda: client, access, announce))
    server = uvicorn.Server(uvicorn.Config(host, host="127.0.0.1", port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mltrack"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def url(
    client: TrackingClient, access: HeaderAccess, announcements: Announcements
) -> Iterator[str]:
    """Give the address of the served app."""
    with serve(client, access, announcements) as url:
        yield url


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    """HTTP client of a person who may see the Dag ``train``, on the app mounted as Airflow does."""
    headers = {"x-reader": "ada", "x-dags": "train", "accept": "text/html"}
    with httpx.Client(base_url=url, headers=headers) as browser:
        yield browser


@pytest.fixture
def api(url: str) -> Iterator[httpx.Client]:
    """HTTP client of a program that may promote as ``olga``, on the JSON API."""
    headers = {"x-reader": "olga", "x-role": "promoter", "authorization": "Bearer token"}
    with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=30) as api:
        yield api


@pytest.fixture
def register(client: TrackingClient) -> AddModelVersion:
    """Give a function that trains, logs and registers a model; ``ada`` is its author."""

    def add(name: str = "credit", **rules: object) -> ModelVersion:
        import pandas as pd
        from sklearn.linear_model import LogisticRegression

        table = pd.DataFrame({"income": [1.0, 2.0, 3.0, 4.0], "debt": [4.0, 1.0, 3.0, 2.0]})
        model = LogisticRegression().fit(table, [0, 0, 1, 1])
        with client.start_run("fit", user="ada", heartbeat=False) as run:
            logged = run.log_model(model, "model", example=table)
        return register_model(
            client,
            name,
            f"models:/{logged.model_id}",
            actor="ada",
            **rules,  # type: ignore[arg-type]
        )

    return add
