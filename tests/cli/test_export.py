"""``mltrack export``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc

from airflow_mltrack.cli.exit_codes import ExitCode
from tests.cli.conftest import CommandLine


def test_runs_and_points_are_written(
    mltrack: CommandLine, two_runs: tuple[str, str], tmp_path: Path
) -> None:
    done = mltrack("export", str(tmp_path / "out"))
    assert done.code == ExitCode.OK
    assert f"Written to {tmp_path / 'out'}, as of 20" in done.err
    assert "metrics.parquet" in done.out
    runs = pd.read_parquet(tmp_path / "out" / "runs.parquet")
    assert runs["run_id"].tolist() == list(two_runs)
    points = pd.read_parquet(tmp_path / "out" / "metrics.parquet")
    strong = points[(points["run_id"] == two_runs[1]) & (points["key"] == "auc")]
    assert strong["value"].tolist() == [0.79 - 0.05, 0.79]


def test_arrow_and_the_choice_of_runs(
    mltrack: CommandLine, two_runs: tuple[str, str], tmp_path: Path
) -> None:
    words = ("--format", "arrow", "--experiment", "credit", "--since", "2020-01-01T00:00+02:00")
    done = mltrack("export", str(tmp_path / "out"), *words)
    assert done.code == ExitCode.OK
    with pa.memory_map(str(tmp_path / "out" / "runs.arrow")) as source:
        assert ipc.open_file(source).read_all()["run_id"].to_pylist() == list(two_runs)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["experiments"] == ["credit"]
    assert manifest["since"] == "2019-12-31T22:00:00+00:00"
    assert manifest["include_deleted"] is False


def test_a_time_without_offset_is_utc_and_says_so(mltrack: CommandLine, tmp_path: Path) -> None:
    done = mltrack("export", str(tmp_path / "out"), "--since", "2999-01-01", "--include-deleted")
    assert done.code == ExitCode.OK
    assert "taken as UTC" in done.err
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["since"] == "2999-01-01T00:00:00+00:00"
    assert manifest["include_deleted"] is True


def test_what_is_there_stays(mltrack: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    refused = mltrack("export", str(tmp_path))
    assert refused.code == ExitCode.INVALID_INPUT
    assert "it is not empty" in refused.err
    assert refused.out == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--experiment", "nothing"), ExitCode.NOT_FOUND),
        (("--since", "soon"), ExitCode.INVALID_INPUT),
        (("--format", "csv"), ExitCode.INVALID_INPUT),
    ],
)
def test_wrong_options_have_their_code(
    mltrack: CommandLine, tmp_path: Path, words: tuple[str, ...], code: ExitCode
) -> None:
    failed = mltrack("export", str(tmp_path / "out"), *words)
    assert failed.code == code
    assert "Traceback" not in failed.err
    assert list(tmp_path.glob("**/*.parquet")) == []


@pytest.mark.usefixtures("two_runs")
def test_a_terminal_shows_one_line_of_progress_and_takes_it_away(
    mltrack: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = mltrack("export", str(tmp_path / "quiet"))
    assert "\r" not in quiet.err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = mltrack("export", str(tmp_path / "out")).err
    assert "\rmetrics: 6 rows" in shown
    progress, _, rest = shown.rpartition("\r")
    assert progress.rpartition("\r")[2].strip() == ""
    assert rest.startswith("Written to")
