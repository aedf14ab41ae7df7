"""The whole server over real HTTP, with things in it that exist, and secrets next to its files."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.cli.server import build_server
from airflow_mltrack.lifecycle.audit import verify_all
from airflow_mltrack.settings import S3Settings, Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.tokens import TokenHolder, token_digest
from tests.artifacts.conftest import BUCKET, s3_settings
from tests.conftest import fresh_database
from tests.web.fuzz.endpoints import Endpoint, endpoints_of
from tests.web.fuzz.existing import fill
from tests.web.fuzz.generator import Known
from tests.web.fuzz.judge import SECRET, Judge, summary
from tests.web.fuzz.wire import LOGIN, Sent, Wire, seed
from tests.web.mlflow.conftest import serving

__all__ = ["s3_settings"]


@dataclass
class Target:
    """A server to be attacked."""

    tracking: TrackingClient
    port: int
    endpoints: list[Endpoint]
    known: Known
    errors: list[str]
    """What the server logged as an error."""
    outside: Callable[[], object]
    """Gives everything that lies beside the artifact root."""
    directory: Path

    @contextmanager
    def attacked(self, title: str) -> Iterator[tuple[Wire, Judge]]:
        """Give a connection and a judge; afterwards the server must be as whole as before."""
        settings = self.tracking.settings
        judge = Judge(str(self.directory), settings.database_url or "-", "mltrack-pg-")
        wire = Wire(self.port)
        before = self.outside()
        yield wire, judge
        for page in (b"/health", b"/mltrack/", b"/api/v1/models"):
            assert wire.send(Sent("GET", page, headers=LOGIN)).status == 200
        wire.close()
        sys.stdout.write(f"\n{judge.report(title)}")
        assert not judge.faults, summary(judge.faults, seed())
        assert self.errors == []
        assert self.outside() == before
        assert [chain for chain in verify_all(self.tracking) if chain.findings] == []


@pytest.fixture(scope="module")
def stays_here() -> Iterator[None]:
    """Let nothing leave this machine: the addresses of webhooks are made up."""
    found, connected = socket.getaddrinfo, socket.socket.connect

    def look_up(host: Any, *given: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", b"127.0.0.1", b"localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "no names here")
        return found(host, *given, **more)

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost"):
            raise ConnectionRefusedError
        connected(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket, "getaddrinfo", look_up)
    patch.setattr(socket.socket, "connect", connect)
    yield
    patch.undo()


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record)[-3_000:])


@contextmanager
def _listening() -> Iterator[list[str]]:
    handler = _Errors()
    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "airflow_mltrack", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler.seen
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture(scope="module")
def local(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, stays_here: None
) -> Iterator[Target]:
    """Serve everything on a local directory; no token is asked for."""
    directory = tmp_path_factory.mktemp("fuzzed")
    for place in (directory, directory / "artifacts"):
        place.mkdir(exist_ok=True)
        (place / "secret").write_text(SECRET)
    settings = {"artifact_uri": str(directory / "artifacts")}
    with _target(postgres_url, directory, settings, holders=None) as target:
        yield target


@pytest.fixture(scope="module")
def on_s3(
    postgres_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    stays_here: None,
    s3_settings: S3Settings,
) -> Iterator[Target]:
    """Serve everything on S3, to who sends a token."""
    directory = tmp_path_factory.mktemp("fuzzed")
    (directory / "secret").write_text(SECRET)
    settings = {"artifact_uri": f"s3://{BUCKET}/inside/prefix", "s3": s3_settings}
    holders = {token_digest("fuzz"): TokenHolder("fuzz", "promoter")}
    with _target(postgres_url, directory, settings, holders=holders) as target:
        yield target


@contextmanager
def _target(
    postgres_url: str,
    directory: Path,
    more: dict[str, Any],
    holders: dict[str, TokenHolder] | None,
) -> Iterator[Target]:
    with fresh_database(postgres_url) as url, _listening() as errors:
        settings = Settings(
            database_url=url, spool_dir=str(directory / "spool"), webhook_secret="s" * 40, **more
        )
        with TrackingClient(settings, pool_size=8) as tracking:
            app = build_server(tracking, holders)
            known = Known()
            fill(tracking, known, 0)
            outside = _beside(tracking, directory)
            with serving(app) as address:  # type: ignore[arg-type]
                port = int(address.rpartition(":")[2])
                endpoints = endpoints_of(app)
                yield Target(tracking, port, endpoints, known, errors, outside, directory)


def _beside(tracking: TrackingClient, directory: Path) -> Callable[[], object]:
    store = tracking.artifact_store
    client = getattr(store, "_client", None)
    if client is not None:
        client.put_object(Bucket=BUCKET, Key="inside/secret", Body=SECRET.encode())
        client.put_object(Bucket=BUCKET, Key="secret", Body=SECRET.encode())

    def look() -> object:
        files = {
            str(file): file.read_bytes()
            for file in directory.rglob("*")
            if file.is_file() and not file.is_relative_to(directory / "artifacts")
        }
        if client is None:
            return files
        listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", ())
        inside = "inside/prefix/"
        return files, {i["Key"]: i["ETag"] for i in listed if not i["Key"].startswith(inside)}

    return look
