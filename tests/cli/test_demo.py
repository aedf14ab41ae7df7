"""The demo's parts; the whole of it runs in ``make demo`` and in the integration tests."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from airflow_mltrack.cli.demo_command import DemoData
from airflow_mltrack.cli.demo_progress import (
    Progress,
    SweepProgress,
    find_sweep,
    short_name,
    trial_words,
)
from airflow_mltrack.cli.demo_report import leaderboard_rows, registry_commands
from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.main import build_parser
from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.sweeps import LeaderboardRow
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine


def test_no_table_changes_nothing() -> None:
    assert DemoData().conf() == {}


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loans.csv").write_text("a,b\n1,0\n")
    conf = DemoData("loans.csv", "b", "yes", ("id", "name")).conf()
    assert conf["DATA"] == str(tmp_path / "loans.csv")
    assert (conf["TARGET"], conf["POSITIVE"], conf["DROP"]) == ("b", "yes", "id,name")


def test_a_uri_stays_as_it_is() -> None:
    assert DemoData("s3://bucket/loans.csv", "b").conf()["DATA"] == "s3://bucket/loans.csv"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (DemoData("missing.csv", "b"), "--data"),
        (DemoData("s3://bucket/loans.csv"), "--target"),
        (DemoData(target="b"), "--data"),
    ],
)
def test_a_table_that_is_not_described_well_is_refused(data: DemoData, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        data.conf()


def test_wrong_input_starts_nothing(mltrack: CommandLine, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shown = mltrack("demo", "--home", str(home), "--data", "missing.csv", "--target", "b")
    assert shown.code == ExitCode.INVALID_INPUT
    assert not home.exists()


def test_progress_counts_every_way_a_trial_ends() -> None:
    sweep = SweepProgress(
        50, {"COMPLETE": 3, "PRUNED": 1, "FAILED": 1, "RUNNING": 2}, "auc", 0.79, "lightgbm"
    )
    assert sweep.done == 5
    words = sweep.words()
    for part in (
        "5 of 50 trials",
        "2 running",
        "1 failed",
        "1 pruned",
        "best auc 0.7900 (lightgbm)",
    ):
        assert part in words


def test_mapped_tasks_are_counted_by_state() -> None:
    progress = Progress("running", 1.0, {"trials": {"success": 3, "running": 1}})
    assert "3 " in progress.task_words("trials")
    assert "running" in progress.task_words("trials")


def test_a_trial_is_named_after_what_the_reader_looks_for() -> None:
    assert short_name("sklearn.linear_model.LogisticRegression") == "LogisticRegression"
    assert short_name(None) == short_name("none") == "-"
    assert trial_words({"classifier": "lightgbm", "resampler": "smote"}) == "lightgbm + smote"
    assert trial_words({"classifier": "lightgbm", "resampler": "none"}) == "lightgbm"


def test_a_line_from_generated_data_is_marked() -> None:
    row = LeaderboardRow(
        rank=1,
        number=3,
        run_id="r",
        name="3",
        value=0.7,
        params={"classifier": "lightgbm", "resampler": "smote"},
        metrics={"auc": 0.7, "fit_seconds": 1.5},
        tags={"mltrack.synthetic": "true"},
    )
    (shown,) = leaderboard_rows([row])
    assert shown["data"] == "SYNTHETIC"
    assert (shown["AUC"], shown["fit seconds"], shown["KS"]) == (0.7, 1.5, None)


def test_the_sweep_of_a_dag_run_is_found(client: TrackingClient) -> None:
    def start(task_id: str, dag_run_id: str = "demo__1") -> str:
        identity = task_identity(
            ti_id=f"{dag_run_id}-{task_id}",
            dag_id="credit_sweep",
            dag_run_id=dag_run_id,
            task_id=task_id,
        )
        with client.start_run(task_id, identity=identity) as run:
            return run.run_id

    start("train_best")
    planned = start("sweep.plan")
    other = start("sweep.plan", "demo__2")
    with client.store.transaction() as tx:
        assert find_sweep(tx, "demo__1") is None
        for run_id in (planned, other):
            tx.sweeps.create(run_id, spec={}, metric="auc", direction="maximize", n_trials=2)
        found = find_sweep(tx, "demo__1")
    assert found is not None
    assert found.run_id == planned


def test_the_commands_at_its_end_can_be_typed() -> None:
    commands = registry_commands("mltrack", "credit default", 3)
    shown = "\n".join(commands)
    for words in ("models history", "audit verify", "models evidence", "models rollback"):
        assert words in shown
    for command in commands:
        arguments = build_parser().parse_args(shlex.split(command, comments=True)[1:])
        assert getattr(arguments, "name", None) in ("credit default", None)
