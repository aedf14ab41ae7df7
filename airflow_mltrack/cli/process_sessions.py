"""Start processes that can be stopped with everything they forked.

Each one leads a session of its own. What it forks stays in that session, whatever process group it
moves to and whoever adopts it, so the session's members are what has to be ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

POLITE_SECONDS = 4.0
"""From SIGTERM for the leaders to SIGTERM for all members (running tasks too)."""
FINAL_SECONDS = 9.0
"""From the first SIGTERM to SIGKILL."""
_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked this process to end; carries its number."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signal.Signals(signum).name)


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into :class:`Stopped` in the main thread.

    Later ones do nothing: they must not interrupt what the first one began to clean up.
    """

    def handle(signum: int, _frame: FrameType | None) -> None:
        for number in _WATCHED:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(signum)

    before = {number: signal.signal(number, handle) for number in _WATCHED}
    try:
        yield
    finally:
        _restore(before)


@contextmanager
def hold_signals() -> Iterator[None]:
    """Deliver signals only at the end of the block: what it starts is noted before it can end."""
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda signum, _frame: held.append(signum))
        for number in _WATCHED
    }
    try:
        yield
    finally:
        _restore(before)
        if held:
            signal.raise_signal(held[0])


def start_session(
    command: Sequence[str], *, environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """Start a process as the leader of a session, its output in ``log``."""
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - the callers' own fixed words
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop_sessions(sessions: Sequence[int]) -> None:
    """End every member of the sessions: first the leaders, then all, then by force."""
    started = time.monotonic()
    _signal([pid for pid in members(sessions) if pid in sessions], signal.SIGTERM)
    if _all_gone(sessions, until=started + POLITE_SECONDS):
        return
    _signal(members(sessions), signal.SIGTERM)
    if _all_gone(sessions, until=started + FINAL_SECONDS):
        return
    while remaining := members(sessions):
        _signal(remaining, signal.SIGKILL)
        time.sleep(0.1)


def members(sessions: Sequence[int]) -> list[int]:
    """List the living processes of the sessions (a zombie is not alive)."""
    import psutil

    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            in_session = os.getsid(process.pid) in sessions
            if in_session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def note_sessions(path: Path, sessions: Sequence[int]) -> None:
    """Write down which sessions run, for a successor that finds this process killed."""
    import psutil

    noted = {}
    for session in sessions:
        with contextlib.suppress(psutil.NoSuchProcess):
            noted[session] = psutil.Process(session).create_time()
    path.write_text(json.dumps(noted), encoding="utf-8")


def stop_noted_sessions(path: Path) -> None:
    """End what :func:`note_sessions` wrote down and is still running."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    stop_sessions([int(pid) for pid, created in noted.items() if _is_same(int(pid), created)])
    path.unlink()


def _all_gone(sessions: Sequence[int], until: float) -> bool:
    while members(sessions):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _signal(processes: Sequence[int], signum: signal.Signals) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def _is_same(session: int, created: float) -> bool:
    """Whether the session is the noted one: its leader is the same process, or is gone."""
    import psutil

    try:
        return abs(psutil.Process(session).create_time() - created) < 1.0
    except psutil.NoSuchProcess:
        return True


def _restore(handlers: Mapping[signal.Signals, signal._HANDLER]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
