"""A home for a local Airflow: directories, secrets and the environment its processes run in."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound

LOOPBACK = "127.0.0.1"
PREFERRED_PORT = 8080
_MOST_PARALLEL_TASKS = 8


@dataclass(frozen=True, slots=True)
class AirflowHome:
    """Where one local Airflow lives and at which port its API server listens."""

    directory: Path
    """Absolute; everything Airflow and the tracking backend write is below it."""
    port: int

    @property
    def airflow_home(self) -> Path:
        """``AIRFLOW_HOME`` of its processes."""
        return self.directory / "airflow"

    @property
    def logs(self) -> Path:
        """Directory of the components' own output."""
        return self.directory / "logs"

    @property
    def metadata_database(self) -> Path:
        """Airflow's own database (SQLite; the tracking database is another one)."""
        return self.airflow_home / "airflow.db"

    @property
    def url(self) -> str:
        """Address of Airflow's web interface and API."""
        return f"http://{LOOPBACK}:{self.port}"


def prepare_home(directory: Path, *, port: int | None = None) -> AirflowHome:
    """Create what is missing of a home, readable by its owner only.

    :param directory: made when it does not exist.
    :param port: port of the API server; None takes 8080, or a free one where that is taken.
    :raises Conflict: when the port is taken.
    :raises InvalidInput: when the directory cannot be made.
    """
    home = AirflowHome(directory.expanduser().absolute(), _free_port(port))
    try:
        home.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.airflow_home.mkdir(mode=0o700, exist_ok=True)
        home.logs.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            "home directory", str(home.directory), f"it cannot be made: {error.strerror}."
        ) from error
    return home


def airflow_environment(home: AirflowHome) -> dict[str, str]:
    """Environment of every process of this home's Airflow.

    The caller's own Airflow settings are left out, so that this Airflow is the same everywhere;
    connections and variables (``AIRFLOW_CONN_*``, ``AIRFLOW_VAR_*``) stay.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AIRFLOW") or name.startswith(("AIRFLOW_CONN_", "AIRFLOW_VAR_"))
    }
    return kept | _airflow_settings(home) | _secrets(home.directory / "secrets.json") | _proxy(kept)


def example_dags_directory() -> Path:
    """Directory of our example Dags: inside the installed package, or beside it in a checkout.

    :raises NotFound: when neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for directory in (package / "example_dags", package.parent / "example_dags"):
        if directory.is_dir():
            return directory
    raise NotFound("directory", "example_dags", "Install airflow-mltrack again.")


def _airflow_settings(home: AirflowHome) -> dict[str, str]:
    parallel_tasks = max(2, min(_MOST_PARALLEL_TASKS, os.cpu_count() or 2))
    settings = {
        "CORE__DAGS_FOLDER": str(example_dags_directory()),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": str(parallel_tasks),
        # Whoever reaches the loopback port is an administrator: never do this on another address.
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        "CORE__EXECUTION_API_SERVER_URL": f"{home.url}/execution/",
        "CORE__TEST_CONNECTION": "Enabled",
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.metadata_database}",
        "API__HOST": LOOPBACK,
        "API__PORT": str(home.port),
        "API__BASE_URL": home.url,
        "API__WORKERS": "1",
        "LOGGING__BASE_LOG_FOLDER": str(home.airflow_home / "logs"),
        # Parsing every half minute would take a core from the trials; a changed file still counts.
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    }
    named = {f"AIRFLOW__{name}": value for name, value in settings.items()}
    return named | {"AIRFLOW_HOME": str(home.airflow_home), "PYTHONUNBUFFERED": "1"}


def _proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep the components' calls to each other away from a proxy that the machine may have."""
    bypassed = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    value = ",".join(filter(None, (bypassed, LOOPBACK, "localhost")))
    return {"NO_PROXY": value, "no_proxy": value}


def _secrets(path: Path) -> dict[str, str]:
    """Secrets of this home, made once, in a file that only its owner can read."""
    if not path.exists():
        made = {
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        draft = path.with_suffix(".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file)
        draft.replace(path)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise InvalidInput(
            "secrets file", str(path), "it is not JSON.", "Delete it; a new one is made."
        ) from error


def _free_port(wanted: int | None) -> int:
    if wanted is None:
        return PREFERRED_PORT if _is_free(PREFERRED_PORT) else _any_port()
    if not 1 <= wanted <= 65535:
        raise InvalidInput("port", wanted, "it is a number from 1 to 65535.")
    if not _is_free(wanted):
        raise Conflict("port", wanted, "another process listens there.", "Name another one.")
    return wanted


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
