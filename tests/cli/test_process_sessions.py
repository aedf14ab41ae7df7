"""Processes that are stopped with everything they forked."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_mltrack.cli import process_sessions
from airflow_mltrack.cli.process_sessions import (
    Stopped,
    hold_signals,
    members,
    note_sessions,
    raise_on_signals,
    start_session,
    stop_noted_sessions,
    stop_sessions,
)

_STUBBORN = """
import os, signal, sys, time
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("child", flush=True)
    time.sleep(600)
print("parent", flush=True)
time.sleep(600 if "stay" in sys.argv else 0)
"""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_sessions, "POLITE_SECONDS", 0.3)
    monkeypatch.setattr(process_sessions, "FINAL_SECONDS", 0.6)


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose child left its group and ignores SIGTERM."""
    process = _start(tmp_path, "stay")
    yield process
    stop_sessions([process.pid])
    process.wait()


def _start(tmp_path: Path, *words: str) -> subprocess.Popen[bytes]:
    log = tmp_path / "log"
    command = [sys.executable, "-c", _STUBBORN, *words]
    process = start_session(command, environment=os.environ, log=log)
    deadline = time.monotonic() + 30
    while len(log.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_stop_ends_children_that_left_the_group_and_ignore_sigterm(
    stubborn: subprocess.Popen[bytes],
) -> None:
    assert len(members([stubborn.pid])) == 2
    stop_sessions([stubborn.pid])
    assert members([stubborn.pid]) == []


def test_stop_finds_children_of_a_leader_that_is_gone(tmp_path: Path) -> None:
    process = _start(tmp_path)
    process.wait(timeout=30)
    assert len(members([process.pid])) == 1
    stop_sessions([process.pid])
    assert members([process.pid]) == []


def test_stop_leaves_other_processes_alone(stubborn: subprocess.Popen[bytes]) -> None:
    stop_sessions([])
    assert stubborn.poll() is None


def test_a_successor_ends_what_was_noted(stubborn: subprocess.Popen[bytes], tmp_path: Path) -> None:
    note = tmp_path / "sessions.json"
    note_sessions(note, [stubborn.pid])
    stop_noted_sessions(note)
    assert members([stubborn.pid]) == []
    assert not note.exists()


def test_a_successor_spares_a_process_that_only_has_the_same_number(
    stubborn: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    created = psutil.Process(stubborn.pid).create_time()
    note = tmp_path / "sessions.json"
    note.write_text(f'{{"{stubborn.pid}": {created - 100}}}')
    stop_noted_sessions(note)
    assert stubborn.poll() is None


def test_no_note_and_a_torn_note_are_nothing(tmp_path: Path) -> None:
    stop_noted_sessions(tmp_path / "none")
    (tmp_path / "torn").write_text("{")
    stop_noted_sessions(tmp_path / "torn")


def test_the_first_signal_is_raised_and_later_ones_do_not_disturb_the_cleaning_up() -> None:
    cleaned = False
    with contextlib.suppress(Stopped), raise_on_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            cleaned = True
    assert cleaned
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_held_comes_at_the_end_of_the_block() -> None:
    noted = []
    with pytest.raises(Stopped) as caught, raise_on_signals(), hold_signals():  # noqa: PT012
        signal.raise_signal(signal.SIGTERM)
        noted.append("what was started")
    assert noted
    assert caught.value.signum == signal.SIGTERM
