"""``mltrack artifacts``."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine


def test_list_shows_directories_and_files(mltrack: CommandLine, two_runs: tuple[str, str]) -> None:
    found = mltrack("artifacts", "list", two_runs[0][:8], "--format", "json").json
    assert [row["path"] for row in found] == ["name.txt", "notes/"]
    inside = mltrack("artifacts", "list", two_runs[0], "notes", "--format", "json").json
    assert inside == [{"path": "notes/hello.txt", "size": 6}]


def test_list_recursive_holds_digests(mltrack: CommandLine, two_runs: tuple[str, str]) -> None:
    found = mltrack("artifacts", "list", two_runs[0], "-r", "--format", "json").json
    assert {row["path"] for row in found} == {"name.txt", "notes/hello.txt"}
    assert all(len(row["sha256"]) == 64 for row in found)


def test_get_writes_a_file_under_its_own_name(
    mltrack: CommandLine,
    two_runs: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mltrack("artifacts", "get", two_runs[0], "notes/hello.txt").code == ExitCode.OK
    assert (tmp_path / "hello.txt").read_text() == "hello\n"


def test_get_writes_a_directory(
    mltrack: CommandLine, two_runs: tuple[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "all"
    shown = mltrack("artifacts", "get", two_runs[1], "--output", str(target))
    assert shown.code == ExitCode.OK
    assert (target / "name.txt").read_text() == "strong"
    assert (target / "notes" / "hello.txt").read_text() == "hello\n"
    assert str(target / "name.txt") in shown.err


def test_get_does_not_overwrite(
    mltrack: CommandLine, two_runs: tuple[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "mine"
    target.write_text("keep")
    shown = mltrack("artifacts", "get", two_runs[0], "name.txt", "-o", str(target))
    assert shown.code == ExitCode.CONFLICT
    assert target.read_text() == "keep"


def test_get_to_stdout_prints_the_bytes_and_nothing_else(
    mltrack: CommandLine, two_runs: tuple[str, str]
) -> None:
    assert mltrack("artifacts", "get", two_runs[0], "notes/hello.txt", "-o", "-").out == "hello\n"
    refused = mltrack("artifacts", "get", two_runs[0], "notes", "-o", "-")
    assert refused.code == ExitCode.INVALID_INPUT


def test_get_of_changed_bytes_is_refused(
    mltrack: CommandLine, two_runs: tuple[str, str], settings: Settings, tmp_path: Path
) -> None:
    (stored,) = Path(settings.artifact_uri).rglob(f"{two_runs[0]}*/**/hello.txt")
    stored.write_text("jello\n")
    target = tmp_path / "hello.txt"
    shown = mltrack("artifacts", "get", two_runs[0], "notes/hello.txt", "-o", str(target))
    assert shown.code == ExitCode.CORRUPT
    assert not target.exists()


@pytest.mark.parametrize("owner", ["models:/nobody/1", "m-" + "0" * 32, "feedbeef"])
def test_an_owner_that_does_not_exist(mltrack: CommandLine, owner: str) -> None:
    assert mltrack("artifacts", "list", owner).code == ExitCode.NOT_FOUND


def test_a_path_that_does_not_exist(mltrack: CommandLine, two_runs: tuple[str, str]) -> None:
    shown = mltrack("artifacts", "get", two_runs[0], "nothing.txt")
    assert shown.code == ExitCode.NOT_FOUND
    assert "mltrack artifacts list" in shown.err


def test_files_of_a_model_are_found_by_its_uri(
    mltrack: CommandLine, client: TrackingClient
) -> None:
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("credit")
        model = tx.models.create(experiment_id=experiment.experiment_id, name="scorecard")
        stored = client.artifact_store.put_bytes(f"{model.artifact_root}/MLmodel", b"flavors: {}\n")
        tx.artifacts.record(model_id=model.model_id, path="MLmodel", stored=stored)
        tx.models.finalize(model.model_id, digest="d" * 64, size=12, manifest={})
    for owner in (model.model_id, f"models:/{model.model_id}"):
        found = mltrack("artifacts", "list", owner, "--format", "json").json
        assert [row["path"] for row in found] == ["MLmodel"]
