"""The command line as a whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from airflow_mltrack import __version__
from airflow_mltrack.cli import version
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.main import main
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine

PROGRAM = [sys.executable, "-m", "airflow_mltrack.cli.main"]


def _environment(settings: Settings, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "MLTRACK_DATABASE_URL": settings.database_url,
        "MLTRACK_ARTIFACT_URI": settings.artifact_uri,
        **more,
    }


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from airflow_mltrack.cli.main import build_parser\n"
        "build_parser()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(found.stdout.decode().split())
    assert not loaded & {"airflow", "sqlalchemy", "numpy", "pandas", "rich", "boto3", "sklearn"}


def test_help_is_quick() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        return time.perf_counter() - started

    bare = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import argparse, json"], check=True)
    bare = time.perf_counter() - bare
    # A bound against the bare interpreter holds on a slow or busy machine too.
    assert min(seconds() for _ in range(5)) < 4 * bare + 0.2


def test_a_wrong_command_line_prints_usage_and_no_traceback(mltrack: CommandLine) -> None:
    for words in ((), ("nothing",), ("runs",), ("runs", "list", "--max-results", "0")):
        shown = mltrack(*words)
        assert shown.code == ExitCode.INVALID_INPUT
        assert "usage: mltrack" in shown.err
        assert "Traceback" not in shown.err


def test_version_names_the_package_and_what_it_runs_on(mltrack: CommandLine) -> None:
    found = mltrack("version", "--format", "json").json
    assert found["airflow-mltrack"] == __version__
    assert found["apache-airflow"]


def test_settings_that_cannot_be_read_are_named(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLTRACK_ARTIFACT_URI")
    shown = mltrack("runs", "list")
    assert shown.code == ExitCode.INVALID_INPUT
    assert "MLTRACK_ARTIFACT_URI" in shown.err


def test_a_connection_that_airflow_does_not_have_is_not_found(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")  # variables only, no database
    shown = mltrack("runs", "list", "--conn-id", "nothing")
    assert shown.code == ExitCode.NOT_FOUND
    assert "nothing" in shown.err


def test_ctrl_c_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> dict[str, str | None]:
        raise KeyboardInterrupt

    monkeypatch.setattr(version, "versions", interrupted)
    assert main(["version"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("two_runs")
def test_a_reader_that_has_read_enough_is_no_error(settings: Settings) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*PROGRAM, "runs", "list", "--format", "json"]
    found = subprocess.run(
        command,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=_environment(settings),
        check=False,
    )
    os.close(writing)
    assert found.returncode == ExitCode.OK
    assert found.stderr == b""


@pytest.mark.usefixtures("two_runs")
def test_a_pipe_and_no_color_get_plain_text(settings: Settings) -> None:
    command = [*PROGRAM, "runs", "list"]
    plain = subprocess.run(command, capture_output=True, env=_environment(settings), check=True)
    assert b"strong" in plain.stdout
    assert b"\x1b" not in plain.stdout


def test_an_error_reaches_the_shell_as_its_exit_code(settings: Settings) -> None:
    command = [*PROGRAM, "models", "show", "nobody"]
    found = subprocess.run(command, capture_output=True, env=_environment(settings), check=False)
    assert found.returncode == ExitCode.NOT_FOUND
    assert found.stdout == b""
    assert found.stderr.startswith(b"mltrack: ")


def test_a_terminal_of_another_encoding_is_no_reason_to_fail(
    settings: Settings, client: TrackingClient
) -> None:
    with client.store.transaction() as tx:
        tx.registry.create_model("Größe→")
    for form in ("table", "json", "csv"):
        shown = subprocess.run(
            [*PROGRAM, "models", "list", "--format", form],
            capture_output=True,
            check=False,
            env=_environment(settings, PYTHONIOENCODING="ascii"),
        )
        assert shown.returncode == 0, shown.stderr
        assert b"\\u2192" in shown.stdout
        if form == "json":
            assert json.loads(shown.stdout)[0]["name"] == "Größe→"
