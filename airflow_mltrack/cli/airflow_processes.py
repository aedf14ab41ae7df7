"""Run Airflow's components on one home and stop all of them, whatever happens.

``airflow standalone`` is not used: its log servers listen on every address, and a SIGTERM to it
leaves dozens of processes behind.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from airflow_mltrack.cli.airflow_home import AirflowHome, airflow_environment
from airflow_mltrack.cli.process_sessions import (
    hold_signals,
    note_sessions,
    start_session,
    stop_noted_sessions,
    stop_sessions,
)
from airflow_mltrack.exceptions import Conflict, MltrackError

COMPONENTS = {
    "api-server": ("api-server",),
    # Their log servers would listen on every address; logs are read from the disk here.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}
"""Arguments of ``airflow`` for each component."""

_TAIL_LINES = 25


class AirflowFailed(MltrackError):
    """A component of the local Airflow ended by itself or did not become ready.

    :param component: its name.
    :param reason: what happened, one sentence.
    :param log: file with its output; the last lines are shown.
    """

    def __init__(self, component: str, reason: str, log: Path) -> None:
        self.component, self.reason, self.log = component, reason, log
        super().__init__(f"Airflow's {component} {reason}\n{tail(log)}\nThe whole log is {log}")


@dataclass(frozen=True, slots=True)
class Component:
    """One started component."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def only_one(home: AirflowHome) -> Iterator[None]:
    """Hold this home; end what an earlier holder that was killed left behind.

    :raises Conflict: when another process holds it.
    """
    with (home.directory / "lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                "home directory",
                str(home.directory),
                f"an Airflow runs on it already (process {_holder(lock)}).",
                "Stop that one first.",
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        stop_noted_sessions(_sessions_file(home))
        yield


@contextmanager
def running_components(home: AirflowHome, names: Sequence[str]) -> Iterator[list[Component]]:
    """Run the named components as long as the context lasts."""
    components: list[Component] = []
    environment = airflow_environment(home)
    try:
        for name in names:
            with hold_signals():
                components.append(_start(home, name, COMPONENTS[name], environment))
                note_sessions(_sessions_file(home), _pids(components))
        yield components
    finally:
        stop_sessions(_pids(components))
        for component in components:
            component.process.wait()
        _sessions_file(home).unlink(missing_ok=True)


def run_airflow(home: AirflowHome, name: str, arguments: Sequence[str]) -> None:
    """Run one ``airflow`` command to its end.

    :param name: what it is called in messages and in its log's name.
    :raises AirflowFailed: when it fails.
    """
    started: list[Component] = []
    try:
        with hold_signals():
            started.append(_start(home, name, arguments, airflow_environment(home)))
        started[0].process.wait()
    finally:
        stop_sessions(_pids(started))
    component = started[0]
    if code := component.process.returncode:
        raise AirflowFailed(name, f"failed with exit code {code}.", component.log)


def check_alive(components: Sequence[Component]) -> None:
    """Complain about a component that has ended.

    :raises AirflowFailed: holds the end of its log.
    """
    for component in components:
        code = component.process.poll()
        if code is not None:
            raise AirflowFailed(component.name, f"ended with exit code {code}.", component.log)


def wait_until(
    is_ready: Callable[[], bool], components: Sequence[Component], *, seconds: float
) -> None:
    """Wait until ``is_ready`` says so, as long as every component lives.

    :raises AirflowFailed: when one ends, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while not is_ready():
        check_alive(components)
        if time.monotonic() > deadline:
            first = components[0]
            raise AirflowFailed(first.name, f"was not ready after {seconds:.0f} s.", first.log)
        time.sleep(0.5)


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _start(
    home: AirflowHome, name: str, arguments: Sequence[str], environment: dict[str, str]
) -> Component:
    log = home.logs / f"{name}.log"
    command = [sys.executable, "-m", "airflow", *arguments]
    return Component(name, start_session(command, environment=environment, log=log), log)


def _pids(components: Sequence[Component]) -> list[int]:
    return [component.process.pid for component in components]


def _sessions_file(home: AirflowHome) -> Path:
    return home.directory / "sessions.json"


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    return lock.read().strip() or "unknown"
