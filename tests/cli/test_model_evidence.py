"""``mltrack models evidence``."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.registry import ModelVersion
from tests.cli.conftest import CommandLine


def test_one_archive_holds_what_is_recorded(
    mltrack: CommandLine, candidate: ModelVersion, tmp_path: Path
) -> None:
    target = tmp_path / "pack.zip"
    done = mltrack("models", "evidence", "credit", "1", "-o", str(target), "--format", "json")
    assert done.code == 0, done.err
    assert done.json["path"] == str(target)
    assert done.json["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    with zipfile.ZipFile(target) as archive:
        names = set(archive.namelist())
    assert {"report.html", "evidence.json", "history.jsonl", "manifest.json"} <= names
    assert {row["path"] for row in done.json["files"]} <= names


def test_an_earlier_pack_is_not_overwritten(
    mltrack: CommandLine,
    candidate: ModelVersion,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mltrack("models", "evidence", "credit", "1").code == 0
    (file,) = tmp_path.glob("*.zip")
    before = file.read_bytes()
    again = mltrack("models", "evidence", "credit", "1")
    assert again.code == ExitCode.CONFLICT
    assert file.name in again.err
    assert mltrack("models", "evidence", "credit", "1", "-o", str(tmp_path)).code == 4
    assert file.read_bytes() == before


def test_what_does_not_exist_is_said(
    mltrack: CommandLine, candidate: ModelVersion, tmp_path: Path
) -> None:
    target = tmp_path / "pack.zip"
    assert mltrack("models", "evidence", "credit", "9", "-o", str(target)).code == 3
    assert mltrack("models", "evidence", "nobody", "1", "-o", str(target)).code == 3
    nowhere = tmp_path / "nowhere" / "pack.zip"
    assert mltrack("models", "evidence", "credit", "1", "-o", str(nowhere)).code == 2
    assert list(tmp_path.glob("*.zip")) == []
