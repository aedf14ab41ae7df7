"""Artifact stores to test: a local directory and an S3 server over real HTTP."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from airflow_mltrack.artifacts.artifact_store import ArtifactStore
from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.settings import S3Settings

BUCKET = os.environ.get("MLTRACK_TEST_S3_BUCKET", "mltrack-test")


@pytest.fixture(scope="session")
def s3_settings() -> Iterator[S3Settings]:
    """How to reach an S3 server: ``MLTRACK_TEST_S3_ENDPOINT``, or moto's server in this process."""
    endpoint = os.environ.get("MLTRACK_TEST_S3_ENDPOINT")
    if endpoint:
        yield S3Settings(
            endpoint_url=endpoint,
            region=os.environ.get("MLTRACK_TEST_S3_REGION", "us-east-1"),
            access_key_id=os.environ["MLTRACK_TEST_S3_ACCESS_KEY"],
            secret_access_key=os.environ["MLTRACK_TEST_S3_SECRET_KEY"],
            path_style=True,
        )
        return
    with warnings.catch_warnings():
        # Of MLflow's import hooks, where it was imported in this process before.
        warnings.simplefilter("ignore")
        from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    settings = S3Settings(
        endpoint_url=f"http://127.0.0.1:{port}",
        region="us-east-1",
        access_key_id="an-access-key",
        secret_access_key="a-secret-key",
        path_style=True,
    )
    store = S3ArtifactStore(f"s3://{BUCKET}", settings)
    store._client.create_bucket(Bucket=BUCKET)
    store.close()
    yield settings
    server.stop()


@pytest.fixture
def s3_store(s3_settings: S3Settings) -> Iterator[S3ArtifactStore]:
    """Give a store with a prefix of its own in the test bucket."""
    store = S3ArtifactStore(f"s3://{BUCKET}/test-{uuid.uuid4().hex}", s3_settings)
    yield store
    for stored in list(store.list()):
        store.delete(stored.key)
    store.close()


@pytest.fixture
def local_store(tmp_path: Path) -> LocalArtifactStore:
    """Give a store in an empty directory."""
    return LocalArtifactStore(tmp_path / "store")


@pytest.fixture(params=["local", "s3"])
def artifact_store(request: pytest.FixtureRequest) -> ArtifactStore:
    """Give a store of each kind: what a test with this fixture says must hold for all."""
    store: ArtifactStore = request.getfixturevalue(f"{request.param}_store")
    return store


Answer = tuple[int, str]
Answering = Callable[[Callable[[str, str], Answer]], S3Settings]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Make an HTTP server that answers (method, path) with a status and an S3 error code.

    It stands for servers that refuse: moto never does.
    """
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[str, str], Answer]) -> S3Settings:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer))
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return S3Settings(
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region="us-east-1",
            access_key_id="an-access-key",
            secret_access_key="a-secret-key",
            path_style=True,
        )

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _handler(answer: Callable[[str, str], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self.command, self.path)
            if body and not body.startswith("<"):
                body = f"<Error><Code>{body}</Code><Message>words of the server</Message></Error>"
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _reply  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler
