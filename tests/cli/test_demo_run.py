"""``mltrack demo`` from a table to Production, through a real Airflow."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.settings import embedded_settings
from airflow_mltrack.store.engine import stop_embedded
from airflow_mltrack.tracking.client import TrackingClient

pytestmark = pytest.mark.airflow


def _write_table(path: Path) -> None:
    """A table in which income decides, with some noise, gaps and a text column."""
    chance = random.Random(42)
    lines = ["row,income,debt,region,outcome"]
    for row in range(600):
        income = chance.gauss(50, 10)
        bad = chance.random() < (0.5 if income < 45 else 0.1)
        debt = "" if chance.random() < 0.1 else f"{chance.gauss(10, 3):.2f}"
        region = chance.choice("nsew")
        lines.append(f"{row},{income:.2f},{debt},{region},{'bad' if bad else 'good'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _demo(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "AIRFLOW_HOME"}
    command = [sys.executable, "-m", "airflow_mltrack.cli.main", "demo", "--home", str(home)]
    return subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        cwd=home.parent,
        env={**environment, "OMP_NUM_THREADS": "1"},
        timeout=900,
        check=False,
    )


def test_the_demo_ends_with_a_version_in_production_and_no_open_run(home_directory: Path) -> None:
    _write_table(home_directory.with_name("loans.csv"))
    words = ("--data", "loans.csv", "--target", "outcome", "--positive", "bad", "--drop", "row")
    found = _demo(home_directory, *words)
    assert found.returncode == ExitCode.OK, found.stdout + found.stderr
    for expected in ("Leaderboard", "50 complete", "resampler", "PR-AUC", "fit seconds"):
        assert expected in found.stdout
    for expected in ("Verdict on", "auc_floor", "In Production now", "runs list --parent"):
        assert expected in found.stdout
    assert "SYNTHETIC" not in found.stdout

    settings = embedded_settings(home_directory / "airflow" / "mltrack")
    client = TrackingClient(settings)
    try:
        with client.store.transaction() as tx:
            ids = [item.experiment_id for item in tx.experiments.list()]
            page = tx.search.runs(experiment_ids=ids, max_results=100)
        assert len(page.runs) >= 52
        assert {data.run.status for data in page.runs} == {RunStatus.FINISHED}
    finally:
        client.close()
        stop_embedded(settings.embedded_directory)


def test_a_dag_that_fails_ends_with_the_log_of_the_task_that_failed(home_directory: Path) -> None:
    _write_table(home_directory.with_name("loans.csv"))
    found = _demo(home_directory, "--data", "loans.csv", "--target", "no_such_column")
    assert found.returncode == ExitCode.FAILURE
    assert "no_such_column" in found.stderr
    assert "failed; the end of its log" in found.stderr
