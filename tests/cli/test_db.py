"""``mltrack db``."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.engine import embedded_is_running
from airflow_mltrack.store.schema import HEAD
from tests.cli.conftest import CommandLine


def test_check_of_a_current_schema(mltrack: CommandLine) -> None:
    shown = mltrack("db", "check", "--format", "json")
    assert shown.code == ExitCode.OK
    assert shown.json["up_to_date"] is True
    assert shown.json["needed"] == HEAD


def test_upgrade_of_a_current_schema_changes_nothing(mltrack: CommandLine) -> None:
    shown = mltrack("db", "upgrade")
    assert shown.code == ExitCode.OK
    assert "up to date" in shown.err


def test_an_empty_database_is_out_of_date_until_it_is_upgraded(
    mltrack: CommandLine, settings: Settings
) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    refused = mltrack("runs", "list")
    assert refused.code == ExitCode.OUT_OF_DATE
    assert "mltrack db upgrade" in refused.err
    checked = mltrack("db", "check", "--format", "json")
    assert checked.code == ExitCode.OUT_OF_DATE
    assert checked.json["current"] is None
    assert mltrack("db", "upgrade").code == ExitCode.OK
    assert mltrack("runs", "list").code == ExitCode.OK


def test_a_newer_schema_is_refused_with_the_command_that_helps(
    mltrack: CommandLine, settings: Settings
) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("UPDATE mltrack_schema SET version_num = '9999'")
    for words in (("db", "upgrade"), ("db", "check")):
        shown = mltrack(*words)
        assert shown.code == ExitCode.OUT_OF_DATE
        assert "pip install --upgrade airflow-mltrack" in shown.err


def test_a_database_that_is_away_is_unavailable_and_its_password_stays_hidden(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLTRACK_DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:1/mltrack")
    shown = mltrack("db", "check")
    assert shown.code == ExitCode.UNAVAILABLE
    assert "127.0.0.1:1" in shown.err
    assert "s3cret" not in shown.err + shown.out


def test_stop_ends_the_embedded_server_and_only_that(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch, server_directory: Path
) -> None:
    assert mltrack("db", "stop").code == ExitCode.INVALID_INPUT
    monkeypatch.setenv("MLTRACK_DATABASE_URL", f"embedded://{server_directory}")
    assert "does not run" in mltrack("db", "stop").err
    assert mltrack("db", "upgrade").code == ExitCode.OK
    assert embedded_is_running(server_directory)
    assert "stopped" in mltrack("db", "stop").err
    assert not embedded_is_running(server_directory)
