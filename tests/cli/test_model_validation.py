"""``mltrack models validate`` and ``check``: real packages, real rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.model_validation import read_dataset
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.training.dataset import DatasetSpec
from airflow_mltrack.training.splits import SplitSpec
from tests.cli.conftest import ActAs, CommandLine, Register
from tests.lifecycle.conftest import POLICY, AddVerdict

STRICT = json.dumps({"checks": [{"metric": "auc", "min": 0.99}]})


def _table(path: Path, seed: int, outcomes: tuple[str, str] = ("0", "1")) -> Path:
    """Write a small table: ``x`` tells the outcome, ``noise`` does not."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "noise", "bad"])
        for _ in range(300):
            bad = int(random.random() < 0.3)
            row = [round(random.normal(bad, 0.7), 4), round(random.random(), 4), outcomes[bad]]
            writer.writerow(row)
    return path


@pytest.fixture
def trained(client: TrackingClient, tmp_path: Path, act_as: ActAs) -> ModelVersion:
    """Version 1 of ``credit``, trained on a table, whose package knows its test rows."""
    from sklearn.linear_model import LogisticRegression

    from airflow_mltrack.lifecycle.prepared_data import prepare

    table = DatasetSpec(uri=str(_table(tmp_path / "loans.csv", 1)), target="bad")
    spec = TrainingSpec(dataset=table, split=SplitSpec(seed=3))
    prepared = prepare(spec)
    rows = prepared.split.train_rows
    features = prepared.dataset.features.iloc[rows][["x"]]
    model = LogisticRegression().fit(features, prepared.dataset.target[rows])
    with client.start_run("training", heartbeat=False) as run:
        run.log_input(prepared.dataset.record, "training")
        run.log_param("split.digest", prepared.split.digest)
        logged = run.log_model(
            model, "model", training_data=features, metadata={"training": spec.to_json()}
        )
    return register_model(client, "credit", f"models:/{logged.model_id}", actor="ada", gates=POLICY)


def test_validate_judges_on_the_rows_that_training_held_out(
    mltrack: CommandLine, trained: ModelVersion, act_as: ActAs
) -> None:
    act_as("ben")
    done = mltrack("models", "validate", "credit", "1", "--format", "json")
    assert done.code == 0, done.err
    assert (done.json["verdict"], done.json["judged_by"]) == ("passed", "ben")
    assert done.json["judged_on"].startswith("loans @ ")
    (check,) = done.json["checks"]
    assert (check["rows"], check["result"]) == (90, "passed")
    assert mltrack("models", "check", "credit", "1", "Production").code == 0


def test_a_verdict_that_does_not_pass_has_an_exit_code(
    mltrack: CommandLine, trained: ModelVersion
) -> None:
    assert mltrack("models", "policy", "credit", "--gates", STRICT).code == 0
    done = mltrack("models", "validate", "credit", "1")
    assert done.code == ExitCode.CONFLICT
    assert "failed" in done.out
    assert "asked for >= 0.99" in done.out
    assert "did not pass" in mltrack("models", "history", "credit").out


def test_another_policy_judges_but_opens_nothing(
    mltrack: CommandLine, trained: ModelVersion, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"checks": [{"metric": "ks", "min": 0.1}]}))
    done = mltrack("models", "validate", "credit", "1", "--policy", str(policy))
    assert done.code == 0, done.err
    assert "only the model's own gates" in done.err
    assert mltrack("models", "validate", "credit", "1", "--policy", STRICT).code == 4
    missing = mltrack("models", "check", "credit", "1", "Production")
    assert missing.code == ExitCode.CONFLICT
    assert "another policy" in missing.out


def test_a_table_that_no_training_has_seen_can_be_judged_on(
    mltrack: CommandLine, trained: ModelVersion, tmp_path: Path
) -> None:
    fresh = _table(tmp_path / "fresh.csv", 2, ("good", "bad"))
    words = ("models", "validate", "credit", "1", "--data", str(fresh), "--target", "bad")
    done = mltrack(*words, "--positive", "bad", "--drop", "noise", "--format", "json")
    assert done.code == 0, done.err
    assert done.json["checks"][0]["rows"] == 300
    assert mltrack(*words).code == ExitCode.INVALID_INPUT


def test_bad_input_judges_nothing(
    mltrack: CommandLine, trained: ModelVersion, tmp_path: Path
) -> None:
    validate = ("models", "validate", "credit", "1")
    learned = mltrack(*validate, "--data", str(tmp_path / "loans.csv"), "--target", "bad")
    assert learned.code == ExitCode.INVALID_INPUT
    assert "learned from this table" in learned.err
    for words, code in (
        (("--data", str(tmp_path / "nope.csv"), "--target", "bad"), ExitCode.NOT_FOUND),
        (("--data", "ftp://host/t.csv", "--target", "bad"), ExitCode.INVALID_INPUT),
        (("--target", "bad"), ExitCode.INVALID_INPUT),
        (("--policy", "{}"), ExitCode.INVALID_INPUT),
        (("--policy", "[1]"), ExitCode.INVALID_INPUT),
        (("--policy", '{"checks": [{"metric": "auk", "min": 1}]}'), ExitCode.INVALID_INPUT),
        (("--policy", str(tmp_path / "nope.json")), ExitCode.INVALID_INPUT),
    ):
        done = mltrack(*validate, *words)
        assert (done.code, done.out) == (code, ""), done.err
    assert mltrack("models", "validate", "nobody", "1").code == ExitCode.NOT_FOUND
    assert mltrack("models", "validate", "credit", "9").code == ExitCode.NOT_FOUND


def test_check_names_what_is_missing_and_the_next_step(
    mltrack: CommandLine, candidate: ModelVersion, add_verdict: AddVerdict
) -> None:
    lacking = mltrack("models", "check", "credit", "1", "production", "--format", "json")
    assert lacking.code == ExitCode.CONFLICT
    assert (lacking.json["stands_in"], lacking.json["stage"]) == ("Staging", "Production")
    assert len(lacking.json["missing"]) == 2
    assert "mltrack models validate credit 1" in lacking.json["next_step"]
    add_verdict(candidate)
    table = mltrack("models", "check", "credit", "1", "production").out
    assert "1 approval is needed" in table
    assert "mltrack models approve credit 1 Production" in table


def test_check_says_when_nothing_is_missing(mltrack: CommandLine, register: Register) -> None:
    register()
    ready = mltrack("models", "check", "credit", "1", "Production")
    assert ready.code == 0
    assert "Nothing is missing" in ready.err
    there = mltrack("models", "check", "credit", "1", "none")
    assert there.code == 0
    assert "stands there already" in there.err
    assert mltrack("models", "check", "credit", "1", "Nowhere").code == ExitCode.INVALID_INPUT
    assert mltrack("models", "check", "credit", "9", "Staging").code == ExitCode.NOT_FOUND


def test_a_move_that_is_no_edge_is_missing_altogether(
    mltrack: CommandLine, register: Register
) -> None:
    register(stages="gated")
    found = mltrack("models", "check", "credit", "1", "Production")
    assert found.code == ExitCode.CONFLICT
    assert "only to Staging, Archived" in found.out


def test_a_table_needs_its_target() -> None:
    assert read_dataset("") is None
    with pytest.raises(InvalidInput, match="--target"):
        read_dataset("t.csv")
    assert read_dataset("t.csv", "y", drop=("id",)) == DatasetSpec("t.csv", "y", drop=("id",))
