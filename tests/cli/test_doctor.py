"""``mltrack doctor``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psycopg
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.settings import Settings
from tests.cli.conftest import CommandLine


def _findings(mltrack: CommandLine) -> tuple[int, dict[str, dict[str, str]]]:
    shown = mltrack("doctor", "--format", "json")
    return shown.code, {row["subject"]: row for row in shown.json}


def test_a_healthy_backend_is_ok_throughout(mltrack: CommandLine) -> None:
    code, found = _findings(mltrack)
    assert code == ExitCode.OK
    assert {row["status"] for row in found.values()} == {"ok"}
    assert set(found) >= {"versions", "provider", "database", "schema", "artifact store", "spool"}
    assert mltrack("doctor").code == ExitCode.OK


def test_long_findings_are_indented_below_their_subject(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", mltrack("doctor").out).splitlines()
    assert max(map(len, lines)) <= 60
    column = lines[0].index("airflow-mltrack")
    going_on = [line for line in lines if line.startswith("  ")]
    assert going_on
    assert all(line[:column].strip() == "" and line[column] != " " for line in going_on)


def test_a_database_that_is_away_fails_without_its_password(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLTRACK_DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:1/mltrack")
    code, found = _findings(mltrack)
    assert code == ExitCode.FAILURE
    assert found["database"]["status"] == "fail"
    assert found["artifact store"]["status"] == "ok"
    shown = mltrack("doctor")
    assert "127.0.0.1:1" in shown.out
    assert "s3cret" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("revision", "command"),
    [(None, "mltrack db upgrade"), ("9999", "pip install --upgrade airflow-mltrack")],
)
def test_a_schema_that_is_not_current_names_the_command(
    mltrack: CommandLine, settings: Settings, revision: str | None, command: str
) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("DELETE FROM mltrack_schema")
        if revision:
            connection.execute("INSERT INTO mltrack_schema VALUES (%s)", (revision,))
    code, found = _findings(mltrack)
    assert code == ExitCode.FAILURE
    assert command in found["schema"]["next_step"]


def test_an_artifact_store_that_cannot_be_written_fails(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MLTRACK_ARTIFACT_URI", str(tmp_path / "file" / "artifacts"))
    code, found = _findings(mltrack)
    assert code == ExitCode.FAILURE
    assert found["artifact store"]["status"] == "fail"


def test_an_artifact_uri_that_is_none_fails(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLTRACK_ARTIFACT_URI", "ftp://host/x")
    code, found = _findings(mltrack)
    assert code == ExitCode.FAILURE
    assert "ftp" in found["artifact store"]["found"]


def test_points_that_wait_in_a_spool_are_told(mltrack: CommandLine, settings: Settings) -> None:
    spool = Path(str(settings.spool_dir))
    spool.mkdir(parents=True)
    (spool / "7.spool").write_bytes(b"x" * 1234)
    code, found = _findings(mltrack)
    assert code == ExitCode.OK
    assert found["spool"]["status"] == "warn"
    assert "1,234" in found["spool"]["found"]


def test_an_embedded_server_that_was_never_made_is_not_made_by_looking(
    mltrack: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory = tmp_path / "pg"
    monkeypatch.setenv("MLTRACK_DATABASE_URL", f"embedded://{directory}")
    code, found = _findings(mltrack)
    assert code == ExitCode.OK
    assert found["embedded server"]["status"] == "warn"
    assert not directory.exists()


def test_an_embedded_server_of_root_is_warned_about(
    mltrack: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    server_directory: Path,
) -> None:
    monkeypatch.setenv("MLTRACK_DATABASE_URL", f"embedded://{server_directory}")
    mltrack("db", "upgrade")
    _, found = _findings(mltrack)
    # The suite runs as root in containers and as somebody else elsewhere.
    assert ("embedded access" in found) is (os.geteuid() == 0)
    monkeypatch.setattr(
        "airflow_mltrack.store.embedded_privacy.open_socket_directory", lambda _: Path("/open")
    )
    _, found = _findings(mltrack)
    assert found["embedded access"]["status"] == "warn"
    assert "/open" in found["embedded access"]["found"]
    assert "MLTRACK_DATABASE_URL" in found["embedded access"]["next_step"]
