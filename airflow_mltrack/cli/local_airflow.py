"""A local Airflow with its tracking backend, for as long as a ``with`` block lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.cli.airflow_api import AirflowApi
from airflow_mltrack.cli.airflow_home import AirflowHome, airflow_environment, prepare_home
from airflow_mltrack.cli.airflow_processes import (
    Component,
    only_one,
    run_airflow,
    running_components,
    wait_until,
)

if TYPE_CHECKING:
    from airflow_mltrack.entities.runs import Attempt
    from airflow_mltrack.settings import Settings

READY_SECONDS = 240.0
"""How long the components may take to become healthy (a cold, slow machine needs a minute)."""


@dataclass(frozen=True, slots=True)
class LocalAirflow:
    """A running Airflow."""

    home: AirflowHome
    components: Sequence[Component]
    api: AirflowApi
    settings: Settings
    """Its tracking backend."""


@contextmanager
def local_airflow(
    directory: Path,
    components: Sequence[str],
    *,
    port: int | None = None,
    say: Callable[[str], None],
) -> Iterator[LocalAirflow]:
    """Run Airflow on a home; everything that was started is stopped at the end.

    :param directory: the home; made when it does not exist.
    :param components: names, see :data:`~airflow_mltrack.cli.airflow_processes.COMPONENTS`.
    :param port: port of the API server; None takes 8080 or a free one.
    :param say: told what goes on.
    :raises Conflict: when the port is taken or an Airflow runs on this home already.
    :raises AirflowFailed: when a component does not come up.
    """
    home = prepare_home(directory, port=port)
    with only_one(home):
        _migrate(home, say)
        say(f"Starting Airflow ({', '.join(components)}); logs are in {home.logs}")
        with _tracking_backend(home) as settings, running_components(home, components) as running:
            api = AirflowApi(home.url)
            wait_until(api.is_ready, running, seconds=READY_SECONDS)
            yield LocalAirflow(home, running, api, settings)


@contextmanager
def _tracking_backend(home: AirflowHome) -> Iterator[Settings]:
    """Bring the tracking database up; an embedded server that was started here is stopped again."""
    from airflow_mltrack.settings import environment_settings
    from airflow_mltrack.store.engine import embedded_is_running, stop_embedded
    from airflow_mltrack.store.tracking_store import TrackingStore

    settings = environment_settings(airflow_environment(home))
    ours = settings.is_embedded and not embedded_is_running(settings.embedded_directory)
    try:
        store = TrackingStore(settings)
        if settings.is_embedded:
            store.upgrade()
        else:
            with store.transaction():
                pass  # complains about a database that is away or out of date before Airflow starts
        store.close()
        yield settings
    finally:
        if settings.is_embedded:
            _close_runs_of_tasks(settings)
        if ours:
            stop_embedded(settings.embedded_directory)


def _close_runs_of_tasks(settings: Settings) -> None:
    """Close what tasks that had to be killed left open: nothing of this Airflow is alive now."""
    from airflow_mltrack.lifecycle.reaping import reap
    from airflow_mltrack.tracking.client import TrackingClient

    def is_alive(attempt: Attempt) -> bool:
        return not (attempt.attempt_key or "").startswith("ti:")

    client = TrackingClient(settings)
    try:
        reap(client, silent_for=timedelta(milliseconds=1), is_alive=is_alive)
    finally:
        client.close()


def _migrate(home: AirflowHome, say: Callable[[str], None]) -> None:
    """Create or upgrade Airflow's own database, once for each version of Airflow."""
    note = home.airflow_home / "migrated"
    airflow = version("apache-airflow-core")
    if home.metadata_database.exists() and _read(note) == airflow:
        return
    say(f"Preparing Airflow {airflow} in {home.directory}")
    run_airflow(home, "db-migrate", ("db", "migrate"))
    _use_write_ahead_log(home.metadata_database)
    note.write_text(airflow, encoding="utf-8")


def _use_write_ahead_log(database: Path) -> None:
    """Let readers and a writer of the SQLite file work at once; the setting stays in the file."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
