"""``mltrack db``: upgrade and check the schema, stop the embedded server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command, add_group
from airflow_mltrack.cli.backend import resolve_settings
from airflow_mltrack.cli.output import Record, say, show
from airflow_mltrack.exceptions import InvalidInput, SchemaOutOfDate

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.settings import Settings


def register(commands: Commands) -> None:
    """Add the commands of this noun."""
    group = add_group(commands, "db", "the tracking database: upgrade, check, stop")
    add_command(group, "upgrade", "create the schema, or bring it up to date", _upgrade, formats=())
    add_command(group, "check", "tell whether the schema is up to date", _check)
    add_command(group, "stop", "stop the embedded server, if it runs", _stop, formats=())


def upgrade_database(settings: Settings) -> tuple[str | None, str]:
    """Create or upgrade the schema and return its revision before and after.

    :raises SchemaOutOfDate: when the database is newer than this package.
    :raises StoreUnavailable: when the database cannot be reached.
    """
    from airflow_mltrack.store.tracking_store import TrackingStore

    store = TrackingStore(settings)
    try:
        return store.upgrade()
    finally:
        store.close()


def check_database(settings: Settings) -> tuple[str | None, str]:
    """Return the schema's revision and the one this package needs; changes nothing.

    :raises StoreUnavailable: when the database cannot be reached.
    """
    from airflow_mltrack.store.tracking_store import TrackingStore

    store = TrackingStore(settings)
    try:
        return store.revision()
    finally:
        store.close()


def stop_database(settings: Settings) -> bool:
    """Stop the embedded server.

    :return: whether it was running.
    :raises InvalidInput: when the database is not an embedded one.
    """
    from airflow_mltrack.store.engine import embedded_is_running, stop_embedded

    if not settings.is_embedded:
        raise InvalidInput(
            "database", settings.safe_database_url, "only an embedded server is ours to stop."
        )
    running = embedded_is_running(settings.embedded_directory)
    if running:
        stop_embedded(settings.embedded_directory)
    return running


def _upgrade(args: argparse.Namespace) -> None:
    before, after = upgrade_database(resolve_settings(args.conn_id))
    if before == after:
        say(f"The schema is up to date ({after}).")
    else:
        say(f"The schema went from {before or 'none'} to {after}.")


def _check(args: argparse.Namespace) -> None:
    settings = resolve_settings(args.conn_id)
    current, needed = check_database(settings)
    record = {
        "database": settings.safe_database_url,
        "current": current,
        "needed": needed,
        "up_to_date": current == needed,
    }
    show(Record(record), args.format)
    if current != needed:
        from airflow_mltrack.store.schema import known_revisions

        raise SchemaOutOfDate(
            current, needed, known=current is None or current in known_revisions()
        )


def _stop(args: argparse.Namespace) -> None:
    stopped = stop_database(resolve_settings(args.conn_id))
    say("The embedded server is stopped." if stopped else "The embedded server does not run.")
