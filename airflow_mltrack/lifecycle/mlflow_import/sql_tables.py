"""MLflow's own tables, as a database of any of its versions has them.

Between MLflow 1.0 and 3.x tables and columns were added, none that matters was renamed. What a
database lacks is read as what it would hold if it had been added to it: nothing.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table, create_engine, literal, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from airflow_mltrack.exceptions import DataUnavailable, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Engine, Select
    from sqlalchemy.engine import URL, Connection

_NEEDED = ("experiments", "runs", "metrics", "params", "tags")
TABLES = (
    *_NEEDED,
    "experiment_tags",
    "datasets",
    "inputs",
    "input_tags",
    "logged_models",
    "logged_model_params",
    "logged_model_tags",
    "logged_model_metrics",
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
)
DEFAULT_WORKSPACE = "default"
FETCH = 2_000
"""Rows that travel at a time."""


class MlflowTables:
    """The tables that are there, read from the database itself."""

    def __init__(self, connection: Connection, address: str) -> None:
        self._metadata = MetaData()
        self._metadata.reflect(connection, only=lambda name, _: name in TABLES)
        missing = [name for name in _NEEDED if name not in self._metadata.tables]
        if missing:
            raise InvalidInput(
                "--from",
                address,
                f"it is no MLflow database: it lacks the tables {', '.join(missing)}.",
                "Name the database that `mlflow server --backend-store-uri` is given.",
            )

    def has(self, *names: str) -> bool:
        """Tell whether all these tables are there."""
        return all(name in self._metadata.tables for name in names)

    def __getitem__(self, name: str) -> Table:
        return self._metadata.tables[name]

    def column(self, table: str, name: str, default: object = None) -> ColumnElement[Any]:
        """Return a column, or a constant in its place where the table lacks it."""
        found = self[table].c.get(name)
        return literal(default).label(name) if found is None else found

    def rows(self, table: str, *names: str) -> Select[Any]:
        """Select columns, NULL for those that are missing; only of the default workspace."""
        query = select(*[self.column(table, name) for name in names]).select_from(self[table])
        workspace = self[table].c.get("workspace")
        return query if workspace is None else query.where(workspace == DEFAULT_WORKSPACE)


def open_engine(address: str) -> Engine:
    """Open a database for reading only; nothing is made where there is none.

    :raises InvalidInput: when the address is none of a database that can be read.
    """
    url = _parsed(address)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="REPEATABLE READ",
        connect_args={"application_name": "mltrack-import", "connect_timeout": 10},
        execution_options={"postgresql_readonly": True},
    )


def safe_address(address: str) -> str:
    """Return a database's address without user, password and options."""
    url = _parsed(address)
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


def read_error(error: SQLAlchemyError, address: str) -> DataUnavailable:
    """Word an error of the database; neither its statement nor a password is in it."""
    reason = "the database refused."
    if isinstance(error, DBAPIError) and error.orig is not None:
        reason = (str(error.orig).strip().splitlines() or [reason])[0]
        password = _parsed(address).password
        reason = reason.replace(str(password), "***") if password else reason
    return DataUnavailable(safe_address(address), f"{reason.rstrip('.')}.")


def strings(row: Sequence[object]) -> list[str]:
    """Return values as text; what is NULL is empty."""
    return ["" if value is None else str(value) for value in row]


def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise _no_address() from None
    if backend not in ("sqlite", "postgresql"):
        raise InvalidInput(
            "--from",
            f"{backend}://",
            "only databases of SQLite and PostgreSQL are read directly.",
            "Start `mlflow server` on this one, and give its http:// address.",
        )
    return url


def _no_address() -> InvalidInput:
    # What cannot be read may hold a password, so it is not shown.
    return InvalidInput(
        "--from", "...", "it is no address such as http://host:5000 or sqlite:///mlflow.db."
    )


def _sqlite(url: URL) -> Engine:
    file = Path(url.database or "").absolute()
    if not url.database or not file.is_file():
        raise InvalidInput("--from", safe_address(str(url)), "there is no such file.")

    def connect() -> sqlite3.Connection:
        # No transaction: it would keep an MLflow server that is still running from writing.
        return sqlite3.connect(
            f"{file.as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None
        )

    return create_engine("sqlite://", creator=connect)
