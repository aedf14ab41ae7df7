"""MLflow's protocol served over real HTTP, and the stock client that talks to it."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.web.access import Access
from airflow_mltrack.web.announcing import to_nobody
from airflow_mltrack.web.mlflow.mounting import mount_mlflow
from airflow_mltrack.web.standalone import OpenAccess
from tests.conftest import fresh_database


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the stock client warn about itself; a warning about our code stays an error."""
    for item in items:
        if isinstance(item, pytest.Function) and {"mlflow", "stock"} & set(item.fixturenames):
            item.add_marker(pytest.mark.filterwarnings("error::Warning:airflow_mltrack"))
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app on loopback; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def tracking(settings: Settings) -> Iterator[TrackingClient]:
    """Give our own client on the backend that the server has."""
    with TrackingClient(settings, pool_size=4) as client:
        yield client


@contextmanager
def serving_protocol(tracking: TrackingClient, access: Access) -> Iterator[str]:
    """Serve the protocol under a prefix, as Airflow mounts it; gives the tracking URI."""
    app = FastAPI()
    mounted = FastAPI()
    mount_mlflow(mounted, lambda: tracking, access, to_nobody)
    app.mount("/mltrack", mounted)
    with serving(app) as url:
        yield f"{url}/mltrack"


@pytest.fixture
def address(tracking: TrackingClient) -> Iterator[str]:
    """Give the tracking URI of a server."""
    with serving_protocol(tracking, OpenAccess()) as uri:
        yield uri


@pytest.fixture
def mlflow(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the stock client, pointed at the server."""
    with pointed_at(address, monkeypatch) as client:
        yield client


@dataclass(frozen=True)
class House:
    """A server that all tests of a file share: names in them are unique."""

    tracking: TrackingClient
    address: str


@pytest.fixture(scope="module")
def house(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Serve the protocol for all tests of a file."""
    directory = tmp_path_factory.mktemp("house")
    with fresh_database(postgres_url) as url:
        settings = Settings(
            database_url=url,
            artifact_uri=str(directory / "artifacts"),
            spool_dir=str(directory / "spool"),
        )
        with (
            TrackingClient(settings, pool_size=8) as tracking,
            serving_protocol(tracking, OpenAccess()) as uri,
        ):
            yield House(tracking, uri)


@pytest.fixture
def stock(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give the stock client, pointed at the server that the file shares."""
    with pointed_at(house.address, monkeypatch) as client:
        yield client


@pytest.fixture
def name() -> str:
    """Give a name that no other test has."""
    return f"credit {uuid.uuid4().hex[:12]}"


class Rest:
    """Requests as a client in another language sends them."""

    def __init__(self, address: str, **headers: str) -> None:
        self._http = httpx.Client(
            base_url=f"{address}/api/2.0/mlflow",
            headers={"authorization": "Bearer local", **headers},
            timeout=30,
        )

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """Send a request whose body is JSON."""
        sent: dict[str, Any] = {} if body is None else {"json": body}
        return self._http.request(method, path, **sent, **more)

    def post(self, path: str, body: object) -> Any:
        """Post, and return the answer of what went well."""
        answer = self.ask("POST", path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        """Get what is there."""
        answer = self.ask("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, str]:
        """Send what is refused; return the status, and code and message as one text."""
        answer = self.ask(method, path, body, **more)
        assert answer.status_code >= 400, answer.text
        found = answer.json()
        assert set(found) == {"error_code", "message"}, found
        for leak in ("SELECT", "INSERT", "psycopg", "sqlalchemy", "Traceback", "postgresql://"):
            assert leak not in answer.text
        return answer.status_code, f"{found['error_code']}: {found['message']}"

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


@pytest.fixture
def rest(house: House) -> Iterator[Rest]:
    """Send plain requests to the server that the file shares."""
    rest = Rest(house.address)
    yield rest
    rest.close()


@pytest.fixture
def run_id(rest: Rest) -> str:
    """Give a run that goes on."""
    made = rest.post("/runs/create", {"experiment_id": "0", "start_time": 1})
    return str(made["run"]["info"]["run_id"])


def _nothing_imported(*_given: object, **_more: object) -> list[str]:
    return []


@contextmanager
def pointed_at(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Point the stock client at a server."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    # The header that a caller without a token sends; clients of a login send a token instead.
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "local")
    import mlflow
    from mlflow.utils import requirements_utils
    from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS

    # It starts a Python of its own for each model to see what that imports; no server is asked.
    monkeypatch.setattr(requirements_utils, "_capture_imported_modules", _nothing_imported)
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    mlflow.set_experiment("Default")  # the client remembers the last one in the process
    yield mlflow
    mlflow.autolog(disable=True)
    for integration in AUTOLOGGING_INTEGRATIONS.values():
        # One that was switched on by its own function stays on otherwise.
        integration["disable"] = True
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def waited_for(comes_true: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until something is the case."""
    deadline = time.monotonic() + seconds
    while not comes_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
