"""The schema's version: current, head, check, upgrade. The only caller of alembic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from airflow_mltrack.exceptions import SchemaOutOfDate

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.engine import Connection

VERSION_TABLE = "mltrack_schema"
HEAD = "0005"
"""Revision this code needs (a test holds that it is alembic's head)."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_LOCK = 0x6D6C747261636B  # "mltrack"


def current_revision(connection: Connection) -> str | None:
    """Return the database's revision, None when it has no schema of ours."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - constant
    return found


def check_schema(connection: Connection) -> None:
    """Refuse to work with a schema that this code was not made for.

    :raises SchemaOutOfDate: holds the command that helps.
    """
    current = current_revision(connection)
    if current != HEAD:
        known = current is None or current in known_revisions()
        raise SchemaOutOfDate(current, HEAD, known=known)


def known_revisions() -> tuple[str, ...]:
    """Return the revisions that this code can upgrade from, oldest first."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_config())
    return tuple(reversed([revision.revision for revision in script.walk_revisions()]))


def upgrade_schema(connection: Connection, revision: str = "head") -> str | None:
    """Bring the schema to ``revision`` and return where it was before.

    Runs in the caller's transaction and under an advisory lock: of several processes that upgrade
    at once, one does it and the others find it done.

    :raises SchemaOutOfDate: when the database is newer than this code.
    """
    from alembic import command

    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    before = current_revision(connection)
    if before is not None and before not in known_revisions():
        raise SchemaOutOfDate(before, HEAD, known=False)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return before


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_table", VERSION_TABLE)
    return config
