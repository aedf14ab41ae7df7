"""The memory gate: the peak of a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.gates import memory
from airflow_mltrack.lifecycle.gates.gate import Evidence, Gate, Outcome
from airflow_mltrack.lifecycle.gates.memory_probe import peak_bytes
from airflow_mltrack.model_package.reader import LoadedModel, load_model
from airflow_mltrack.model_package.writer import write_package

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]

MEGABYTE = 1_000_000
CHECK: dict[str, object] = {"kind": "memory", "max_mb": 4000}
RANDOM = np.random.default_rng(3)
ROWS = pd.DataFrame(
    {"x": RANDOM.normal(size=1200), "job": RANDOM.choice(["a", "b"], size=1200), "kept": "k"}
)


def fitted() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    return make_pipeline(columns, LogisticRegression()).fit(ROWS[["x", "job"]], ROWS["x"] > 0)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the directory of a real package."""
    directory = tmp_path_factory.mktemp("package")
    write_package(fitted(), directory, training_data=ROWS[["x", "job"]])
    return directory


def judged(evidence: MakeEvidence, package: Path, model: LoadedModel | None = None) -> Evidence:
    loaded = load_model(package) if model is None else model
    return evidence(features=ROWS, candidate=loaded, package_dir=package)


def test_the_peak_of_loading_and_scoring_is_measured(
    evidence: MakeEvidence, judge: Judge, package: Path
) -> None:
    ballast = np.ones(40_000_000)  # 320 MB that are this process's, and not the model's
    seen = judged(evidence, package)
    outcome = judge(CHECK, seen)
    assert outcome.check.passed, outcome.check.message
    assert outcome.check.metric == "peak_mb"
    data: Any = json.loads(json.dumps(outcome.data))
    peaks = data["peak_bytes_after"]
    assert list(peaks) == ["interpreter", "libraries", "loaded", "scored"]
    assert 5 * MEGABYTE < peaks["interpreter"] < ballast.nbytes / 3
    assert peaks["interpreter"] < peaks["libraries"] < peaks["loaded"]
    assert peaks["loaded"] <= peaks["scored"]
    assert outcome.check.observed == peaks["scored"] / MEGABYTE
    assert data["rows_scored"] == 1000
    assert not judge({"kind": "memory", "max_mb": 20}, seen).check.passed


def test_a_peak_is_seen_after_the_memory_was_given_back() -> None:
    code = (
        "from airflow_mltrack.lifecycle.gates.memory_probe import peak_bytes\n"
        "before = peak_bytes()\nx = bytearray(90_000_000)\ndel x\nprint(peak_bytes() - before)"
    )
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert 85 * MEGABYTE < int(grown.stdout) < 120 * MEGABYTE
    assert peak_bytes() > 20 * MEGABYTE


def test_a_package_that_changed_since_fails_with_the_reason(
    evidence: MakeEvidence, judge: Judge, tmp_path: Path
) -> None:
    write_package(fitted(), tmp_path / "package", training_data=ROWS[["x", "job"]])
    seen = judged(evidence, tmp_path / "package")
    (tmp_path / "package" / "requirements.txt").write_text("changed\n")
    check = judge(CHECK, seen).check
    assert (check.passed, check.observed) == (False, None)
    assert "could not be measured" in check.message
    assert "ArtifactCorrupt" in check.message
    assert "requirements.txt" in check.message


def test_a_pickle_runs_only_where_it_was_loaded_already(
    evidence: MakeEvidence, judge: Judge, tmp_path: Path
) -> None:
    manifest = write_package(
        fitted(), tmp_path / "package", training_data=ROWS[["x", "job"]], format="pickle"
    )
    unread = judged(evidence, tmp_path / "package", LoadedModel(manifest, None))
    check = judge(CHECK, unread).check
    assert not check.passed
    assert "it is a pickle" in check.message
    loaded = load_model(tmp_path / "package", allow_pickle=True)
    assert judge(CHECK, judged(evidence, tmp_path / "package", loaded)).check.passed


def program(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(memory, "_PROGRAM", code)


def test_the_process_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MLTRACK_DEFAULT", "postgresql://ada:secret@db/mltrack")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    program(monkeypatch, "import json, os; print(json.dumps(dict(os.environ)))")
    environment = memory.measure_peaks({})
    assert "PATH" in environment
    assert set(environment) <= {*memory._PASSED_ON, "LC_CTYPE"}
    assert "secret" not in str(environment)


def test_it_starts_where_no_file_can_take_the_place_of_a_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program(
        monkeypatch,
        "import json, os, sys; print(json.dumps([os.listdir(), '' in sys.path]))",
    )
    answer: object = memory.measure_peaks({})
    assert answer == [[], False]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ValueError('first line\\nlast line')", "last line"),
        ("raise SystemExit(3)", "ended with 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("print('not JSON')", "no answer"),
    ],
)
def test_a_process_that_fails_fails_the_check_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
    evidence: MakeEvidence,
    judge: Judge,
    package: Path,
    code: str,
    reason: str,
) -> None:
    program(monkeypatch, code)
    check = judge(CHECK, judged(evidence, package)).check
    assert (check.passed, check.observed) == (False, None)
    assert reason in check.message


def test_a_process_that_takes_too_long_fails_the_check(
    monkeypatch: pytest.MonkeyPatch, evidence: MakeEvidence, judge: Judge, package: Path
) -> None:
    program(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(memory, "_LONGEST_SECONDS", 0.3)
    check = judge(CHECK, judged(evidence, package)).check
    assert not check.passed
    assert "within 0.3 seconds" in check.message


@pytest.mark.parametrize(
    "bad", [{}, {"max_mb": -1}, {"max_mb": nan}, {"max_mb": None}, {"max_mb": 5, "rows": 10}]
)
def test_a_wrong_check_is_refused(
    gate: Callable[[dict[str, object]], Gate], bad: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        gate({"kind": "memory", **bad})
