"""``mltrack runs``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine


def test_list_shows_runs_with_their_metrics(
    mltrack: CommandLine, two_runs: tuple[str, str]
) -> None:
    shown = mltrack("runs", "list")
    assert shown.code == ExitCode.OK
    assert "strong" in shown.out
    assert "0.7900" in shown.out
    assert two_runs[0][:8] in shown.out


def test_list_as_json_holds_full_ids_and_values(
    mltrack: CommandLine, two_runs: tuple[str, str]
) -> None:
    found = mltrack("runs", "list", "--format", "json", "--order-by", "metrics.auc DESC").json
    assert [row["run_id"] for row in found] == [two_runs[1], two_runs[0]]
    assert found[0]["metrics.auc"] == 0.79
    assert found[0]["metrics.loss"] == "NaN"
    assert found[0]["params.depth"] == "7"
    assert found[0]["status"] == "FINISHED"


def test_list_filters(mltrack: CommandLine, two_runs: tuple[str, str]) -> None:
    found = mltrack("runs", "list", "--format", "json", "--filter", "metrics.auc > 0.7").json
    assert [row["run_id"] for row in found] == [two_runs[1]]


@pytest.mark.usefixtures("two_runs")
def test_list_says_when_there_is_more(mltrack: CommandLine) -> None:
    shown = mltrack("runs", "list", "--max-results", "1")
    assert "--max-results" in shown.err


def test_a_wrong_filter_says_where(mltrack: CommandLine) -> None:
    shown = mltrack("runs", "list", "--filter", "metrics.auc >")
    assert shown.code == ExitCode.INVALID_INPUT
    assert "character" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.usefixtures("two_runs")
def test_an_unknown_experiment_is_not_found(mltrack: CommandLine) -> None:
    shown = mltrack("runs", "list", "--experiment", "nothing")
    assert shown.code == ExitCode.NOT_FOUND
    assert "nothing" in shown.err


def test_show_takes_the_first_characters_of_an_id(
    mltrack: CommandLine, two_runs: tuple[str, str]
) -> None:
    found = mltrack("runs", "show", two_runs[1][:10], "--format", "json").json
    assert found["run_id"] == two_runs[1]
    assert {"key": "depth", "value": "7"} in found["params"]
    assert {row["path"] for row in found["files"]} == {"name.txt", "notes/hello.txt"}
    assert found["attempts"][0]["status"] == "FINISHED"
    table = mltrack("runs", "show", two_runs[1])
    assert "notes/hello.txt" in table.out


def test_show_names_the_sibling_runs_of_an_ambiguous_beginning(
    mltrack: CommandLine, client: TrackingClient
) -> None:
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("credit")
        for tail in "01":
            tx.runs.open(experiment_id=experiment.experiment_id, run_id="abcd" + "0" * 27 + tail)
    shown = mltrack("runs", "show", "abcd")
    assert shown.code == ExitCode.CONFLICT
    assert "abcd" + "0" * 27 + "1" in shown.err


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("ab", ExitCode.INVALID_INPUT),
        ("a'; drop", ExitCode.INVALID_INPUT),
        ("feedbeef", ExitCode.NOT_FOUND),
        ("f" * 32, ExitCode.NOT_FOUND),
        ("____", ExitCode.NOT_FOUND),
    ],
)
@pytest.mark.usefixtures("two_runs")
def test_a_run_id_that_is_none(mltrack: CommandLine, given: str, code: ExitCode) -> None:
    shown = mltrack("runs", "show", given)
    assert shown.code == code
    assert "mltrack runs list" in shown.err


def test_compare_shows_what_differs(mltrack: CommandLine, two_runs: tuple[str, str]) -> None:
    found = mltrack("runs", "compare", *two_runs, "--format", "json").json
    assert [row["name"] for row in found] == ["params.depth", "metrics.auc"]
    assert found[0][two_runs[0][:8]] == "3"
    everything = mltrack("runs", "compare", *two_runs, "--all", "--format", "json").json
    assert "params.seed" in [row["name"] for row in everything]


def test_compare_is_headed_by_ids_and_names_with_values_to_the_right(
    mltrack: CommandLine, two_runs: tuple[str, str]
) -> None:
    lines = mltrack("runs", "compare", *two_runs).out.splitlines()
    ids = next(line for line in lines if two_runs[0][:8] in line)
    names = lines[lines.index(ids) + 1]
    depth = next(line for line in lines if "params.depth" in line)
    assert names.split() == ["name", "weak", "strong"]
    assert depth.rstrip().endswith("7")
    assert len(depth.rstrip()) == len(ids.rstrip())


def test_compare_of_a_run_with_itself_finds_no_difference(
    mltrack: CommandLine, two_runs: tuple[str, str]
) -> None:
    shown = mltrack("runs", "compare", two_runs[0], two_runs[0])
    assert "agree" in shown.err


def test_export_writes_one_json_object_a_line(
    mltrack: CommandLine, two_runs: tuple[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "runs.jsonl"
    shown = mltrack("runs", "export", "--history", "--output", str(target))
    assert shown.code == ExitCode.OK
    found = {row["run_id"]: row for row in map(json.loads, target.read_text().splitlines())}
    assert set(found) == set(two_runs)
    strong = found[two_runs[1]]
    assert strong["params"] == {"depth": "7", "seed": "42"}
    assert [value for _, _, value in strong["history"]["auc"]] == [0.74, 0.79]
    assert strong["metrics"]["loss"] == "NaN"


def test_export_as_csv_has_a_column_for_every_key_of_any_run(
    mltrack: CommandLine, two_runs: tuple[str, str], client: TrackingClient
) -> None:
    with client.start_run("other", experiment="credit") as run:
        run.log_param("only_here", "1")
    shown = mltrack("runs", "export", "--format", "csv")
    rows = {row["run_id"]: row for row in csv.DictReader(io.StringIO(shown.out))}
    assert rows[run.run_id]["params.only_here"] == "1"
    assert rows[two_runs[0]]["params.only_here"] == ""
    assert rows[two_runs[0]]["metrics.auc"] == "0.61"


def test_export_refuses_history_in_a_table(mltrack: CommandLine) -> None:
    shown = mltrack("runs", "export", "--format", "csv", "--history")
    assert shown.code == ExitCode.INVALID_INPUT


def test_export_names_a_file_that_cannot_be_written(mltrack: CommandLine, tmp_path: Path) -> None:
    shown = mltrack("runs", "export", "--output", str(tmp_path / "missing" / "runs.jsonl"))
    assert shown.code == ExitCode.INVALID_INPUT
    assert "runs.jsonl" in shown.err


@pytest.mark.usefixtures("two_runs")
def test_only_children_of_a_run(mltrack: CommandLine, client: TrackingClient) -> None:
    with client.start_run("sweep", experiment="credit") as parent, parent.child("trial 0"):
        pass
    found = mltrack("runs", "list", "--parent", parent.run_id[:12], "--format", "json").json
    assert [row["name"] for row in found] == ["trial 0"]
