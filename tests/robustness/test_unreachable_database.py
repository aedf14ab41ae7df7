"""A database that is away or refuses, as whoever types a command or runs a task meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.exceptions import StoreUnavailable
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.settings import Settings
from tests.cli.conftest import CommandLine
from tests.hooks.conftest import DefineConnection, make_context
from tests.operators.conftest import DATASET, RECIPE

COMMANDS = (
    "runs list",
    "runs show 0123456789",
    "runs compare 0123456789 1234567890",
    "runs export",
    "models list",
    "models show credit",
    "models history credit",
    "artifacts list 0123456789",
    "artifacts get 0123456789 a.txt",
    "db check",
    "db upgrade",
)
NOBODY = "postgresql://ann:s3cret@127.0.0.1:1/mltrack"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_that_the_database_is_away_and_what_to_do(
    command: str, mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLTRACK_DATABASE_URL", NOBODY)
    shown = mltrack(*command.split())
    assert shown.code == ExitCode.UNAVAILABLE
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert "postgresql://ann:***@127.0.0.1:1/mltrack cannot be reached" in line
    assert line.endswith("mltrack doctor")
    assert "s3cret" not in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("/test_", "/nobody_made_", "does not exist"), ("//postgres:", "//ann:", 'role "ann"')],
    ids=["wrong database", "wrong user"],
)
def test_a_database_that_refuses_is_told_apart_from_one_that_is_away(
    mltrack: CommandLine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    words: str,
) -> None:
    assert old in settings.database_url
    monkeypatch.setenv("MLTRACK_DATABASE_URL", settings.database_url.replace(old, new))
    shown = mltrack("runs", "list")
    assert shown.code == ExitCode.FAILURE, "waiting does not help"
    assert words in shown.err
    assert "mltrack doctor" in shown.err


def test_in_a_shell_there_is_one_line_no_traceback_and_no_password(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow_mltrack.cli.main", "runs", "list"],
        env={
            "PATH": "/usr/bin:/bin",
            "AIRFLOW_HOME": str(tmp_path),
            "MLTRACK_DATABASE_URL": NOBODY,
            "MLTRACK_ARTIFACT_URI": str(tmp_path / "artifacts"),
        },
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert done.returncode == ExitCode.UNAVAILABLE
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mltrack: The tracking database")
    assert "s3cret" not in line


def test_a_task_leaves_a_database_that_is_away_to_airflows_retries(
    define_connection: DefineConnection, tmp_path: Path
) -> None:
    define_connection(
        host="127.0.0.1",
        port=1,
        login="ann",
        password="s3cret",
        extra={"artifact_uri": str(tmp_path / "artifacts")},
    )
    operator = TrainModelOperator(task_id="train", dataset=DATASET, recipe=RECIPE)
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/mltrack cannot be reached") as away:
        operator.execute(make_context())  # type: ignore[arg-type]
    assert "s3cret" not in str(away.value)
    assert not (tmp_path / "artifacts").exists()
