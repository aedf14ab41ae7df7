"""``mltrack import mlflow``."""

from __future__ import annotations

from pathlib import Path

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import ActAs, CommandLine
from tests.lifecycle.mlflow_import.old_database import RUN, make_old_database


def test_an_import_says_that_everything_is_here(
    mltrack: CommandLine, act_as: ActAs, tmp_path: Path, client: TrackingClient
) -> None:
    act_as("ada")
    address = make_old_database(tmp_path)
    done = mltrack("import", "mlflow", "--from", address, "--format", "json")
    assert done.code == ExitCode.OK, done.err
    assert "Everything is here." in done.err
    assert done.json["whole"] is True
    counts = {row["kind"]: row for row in done.json["counts"]}
    assert counts["runs"] == {"kind": "runs", "there": 2, "here": 2, "written": 2}
    assert counts["points"]["here"] == 5
    assert done.json["problems"] == done.json["differences"] == []
    assert client.run(RUN).run.name == "train"


def test_a_dry_run_counts_and_writes_nothing(
    mltrack: CommandLine, tmp_path: Path, client: TrackingClient
) -> None:
    address = make_old_database(tmp_path)
    done = mltrack("import", "mlflow", "--from", address, "--dry-run", "--format", "json")
    assert done.code == ExitCode.OK, done.err
    assert "Nothing was written." in done.err
    counts = {row["kind"]: row for row in done.json["counts"]}
    assert counts["runs"] == {"kind": "runs", "there": 2, "here": 0}
    assert counts["points"]["there"] == 5
    with client.store.transaction() as tx:
        assert [item.name for item in tx.experiments.list(view="all")] == ["Default"]


def test_what_is_missing_makes_it_fail_and_is_named(
    mltrack: CommandLine, act_as: ActAs, tmp_path: Path
) -> None:
    act_as("ada")
    address = make_old_database(tmp_path)
    (tmp_path / "mlruns").rename(tmp_path / "elsewhere")
    done = mltrack("import", "mlflow", "--from", address)
    assert done.code == ExitCode.FAILURE
    assert f"files of run {RUN}" in done.out
    assert "Not everything is here" in done.err
    copy = str(tmp_path / "elsewhere")
    assert mltrack("import", "mlflow", "--from", address, "--artifacts-from", copy).code == 0


def test_an_experiment_that_is_not_there_is_named(mltrack: CommandLine, tmp_path: Path) -> None:
    address = make_old_database(tmp_path)
    done = mltrack("import", "mlflow", "--from", address, "--experiment", "modern", "--dry-run")
    assert done.code == ExitCode.NOT_FOUND
    assert "modern" in done.err


def test_no_password_is_shown(mltrack: CommandLine) -> None:
    for address in (
        "postgresql://ada:hunter2@127.0.0.1:1/mlflow",
        "http://ada:hunter2@127.0.0.1:1",
        "mysql://ada:hunter2@127.0.0.1/mlflow",
        "ada:hunter2@127.0.0.1",
    ):
        done = mltrack("import", "mlflow", "--from", address, "--dry-run")
        assert done.code in (ExitCode.UNAVAILABLE, ExitCode.INVALID_INPUT)
        assert done.err.startswith("mltrack: ")
        assert "hunter2" not in done.out + done.err
