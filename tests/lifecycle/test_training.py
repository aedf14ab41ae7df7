from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.exceptions import InvalidInput, UntrustedImport
from airflow_mltrack.lifecycle import prepared_data
from airflow_mltrack.lifecycle.training import (
    TrainedModel,
    TrainingSpec,
    prepare,
    run_trial,
    train_model,
)
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.model_uri import load_model
from airflow_mltrack.training.recipes import RecipeSpec

LOGISTIC = {"classifier": "logistic_regression"}


class Recorder:
    """A run that remembers, for promises that need no database."""

    run_id = "r"

    def __init__(self) -> None:
        self.params: dict[str, object] = {}
        self.metrics: dict[str, float] = {}
        self.points: list[tuple[str, float, int]] = []
        self.files: dict[str, Any] = {}
        self.tags: dict[str, str] = {}
        self.inputs: list[tuple[DatasetRecord, str]] = []

    def log_params(self, params: Mapping[str, object]) -> None:
        self.params.update(params)

    def log_metric(self, key: str, value: float, step: int = 0) -> None:
        self.points.append((key, value, step))

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        self.metrics.update(metrics)

    def log_dict(self, dictionary: Any, artifact_file: str) -> None:
        self.files[artifact_file] = json.loads(json.dumps(dictionary, allow_nan=False))

    def log_input(self, dataset: DatasetRecord, context: str = "") -> None:
        self.inputs.append((dataset, context))

    def set_tag(self, key: str, value: str) -> None:
        self.tags[key] = value


@pytest.fixture
def run() -> Recorder:
    """Give a run that remembers."""
    return Recorder()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write 600 rows; half of what decides is in a label."""
    generator = np.random.default_rng(5)
    rows = 600
    amount, home = generator.normal(size=rows), generator.choice(["own", "rent"], rows)
    chance = 1 / (1 + np.exp(-(1.2 * amount + 1.5 * (home == "rent") - 2.4)))
    frame = pd.DataFrame(
        {
            "amount": np.where(generator.random(rows) < 0.05, np.nan, amount),
            "home": home,
            "noise": generator.normal(size=rows),
            "bad": (generator.random(rows) < chance).astype(int),
        }
    )
    path = tmp_path / "loans.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def spec(table: Path) -> TrainingSpec:
    """Give a training of logistic regression on the small table."""
    return TrainingSpec.from_json(
        {
            "dataset": {"uri": str(table), "target": "bad"},
            "split": {"validation": "cv", "folds": 3},
            "recipe": LOGISTIC,
            "n_bootstrap": 50,
        }
    )


@pytest.fixture(autouse=True)
def fresh_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no test see another's data."""
    monkeypatch.setattr(prepared_data, "_CACHE", prepared_data._Cache(most=2))
    return iter([None])


def test_a_trial_records_what_it_did_and_returns_the_mean_over_folds(
    run: Recorder, spec: TrainingSpec
) -> None:
    value = run_trial(run, spec, {"resampler": "smote", "smote.k_neighbors": 3})
    folds = [point for point in run.points if point[0] == "fold_auc"]
    assert [step for _, _, step in folds] == [0, 1, 2]
    assert value == pytest.approx(np.mean([found for _, found, _ in folds]))
    assert 0.6 < value < 0.95
    assert run.metrics["auc"] == value
    assert {
        "pr_auc",
        "ks",
        "gini",
        "brier",
        "log_loss",
        "recall_at_precision",
        "expected_cost",
    } <= (run.metrics.keys())
    assert run.metrics["auc_low"] < value < run.metrics["auc_high"]
    assert run.metrics["fit_seconds"] > 0
    assert run.params["classifier"] == "logistic_regression"
    assert run.params["resampler.k_neighbors"] == 3
    assert run.params["split.digest"] == prepare(spec).split.digest
    assert [(record.name, context) for record, context in run.inputs] == [("loans", "validation")]
    found = run.files["evaluation/validation.json"]
    assert {"roc", "calibration", "feature_importance"} <= found["plots"].keys()
    assert found["intervals"]["ks"][0] < found["intervals"]["ks"][1]
    assert found["row_count"] == prepare(spec).split.train_rows.size
    assert not run.tags
    assert not any(key.startswith("test_") for key in run.metrics)


def test_a_trial_is_the_same_when_it_is_run_again(spec: TrainingSpec) -> None:
    first, second = Recorder(), Recorder()
    for recorder in (first, second):
        run_trial(recorder, spec, {"classifier": "lightgbm", "resampler": "smote"})
        del recorder.metrics["fit_seconds"]
    assert first.metrics == second.metrics
    assert first.files == second.files


def test_test_rows_cannot_change_a_trial(
    spec: TrainingSpec, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = Recorder(), Recorder()
    run_trial(before, spec, {})
    prepared = prepare(spec)
    rows = prepared.split.test_rows
    frame = prepared.dataset.features.copy()
    frame.loc[rows, "amount"] = 1e9
    spoiled = replace(prepared, dataset=replace(prepared.dataset, features=frame))
    monkeypatch.setattr("airflow_mltrack.lifecycle.training.prepare", lambda *_: spoiled)
    run_trial(after, spec, {})
    del before.metrics["fit_seconds"], after.metrics["fit_seconds"]
    assert before.metrics == after.metrics


@pytest.mark.parametrize("validation", ["holdout", "cv"])
def test_nothing_that_is_scored_was_fitted(
    client: TrackingClient, tmp_path: Path, validation: str
) -> None:
    generator = np.random.default_rng(1)
    frame = pd.DataFrame({"a": generator.normal(size=900), "b": generator.normal(size=900)})
    frame["bad"] = generator.integers(0, 2, 900)  # nothing to learn, everything to remember
    frame.to_csv(tmp_path / "noise.csv", index=False)
    spec = TrainingSpec.from_json(
        {
            "dataset": {"uri": str(tmp_path / "noise.csv"), "target": "bad"},
            "split": {"validation": validation},
            "recipe": {"classifier": "nearest_neighbors", "classifier_params": {"n_neighbors": 1}},
            "n_bootstrap": 0,
        }
    )
    with client.start_run("memory") as run:
        trained = train_model(client, run, spec)
    assert trained.validation["auc"] == pytest.approx(0.5, abs=0.1)
    assert trained.metrics["auc"] == pytest.approx(0.5, abs=0.1)


def test_reports_come_between_folds_and_may_end_the_trial(
    run: Recorder, spec: TrainingSpec
) -> None:
    class Pruned(Exception):
        pass

    reported: list[tuple[int, float]] = []

    def report(step: int, value: float) -> None:
        reported.append((step, value))
        if step == 0:
            raise Pruned

    with pytest.raises(Pruned):
        run_trial(run, spec, {}, report)
    assert [(step, value) for _, value, step in run.points] == reported
    assert not run.metrics


def test_after_the_last_fold_there_is_nothing_to_give_up(run: Recorder, spec: TrainingSpec) -> None:
    reported: list[int] = []
    value = run_trial(run, spec, {}, lambda step, _: reported.append(step))
    assert reported == [0, 1]
    assert run.metrics["auc"] == value


def test_a_hold_out_has_one_fold(run: Recorder, spec: TrainingSpec) -> None:
    run_trial(run, replace(spec, split=replace(spec.split, validation="holdout")), {})
    assert len([key for key, _, _ in run.points if key == "fold_auc"]) == 1


def test_metrics_to_minimise_are_returned_as_they_are(run: Recorder, spec: TrainingSpec) -> None:
    chosen = replace(spec, metric="brier")
    assert chosen.direction == "minimize"
    assert run_trial(run, chosen, {}) == run.metrics["brier"]
    assert run.metrics["brier_low"] < run.metrics["brier_high"]


def test_synthetic_data_mark_the_run_and_its_files(run: Recorder) -> None:
    spec = TrainingSpec.from_json(
        {
            "dataset": {"uri": "generated:loan_portfolio?rows=800", "target": "defaulted"},
            "recipe": LOGISTIC,
            "n_bootstrap": 0,
        }
    )
    run_trial(run, spec, {})
    assert run.tags == {"mltrack.synthetic": "true"}
    assert run.files["evaluation/validation.json"]["synthetic"] is True
    assert run.inputs[0][0].profile["synthetic"] is True
    assert "auc_low" not in run.metrics


def test_a_resampler_with_too_few_minority_rows_fails_with_numbers(
    run: Recorder, spec: TrainingSpec
) -> None:
    with pytest.raises(InvalidInput, match=r"at least 501 minority rows; the rows to fit have"):
        run_trial(run, spec, {"resampler": "smote", "resampler.k_neighbors": 500})
    assert run.params["resampler.k_neighbors"] == 500, "what failed is on record"


def test_a_fit_that_fails_names_recipe_rows_and_reason(run: Recorder, spec: TrainingSpec) -> None:
    with pytest.raises(InvalidInput, match=r"none \+ logistic_regression.*rows.*'C'"):
        run_trial(run, spec, {"classifier.C": -1.0})


def test_untrusted_classes_are_refused_unless_configured(run: Recorder, spec: TrainingSpec) -> None:
    with pytest.raises(UntrustedImport):
        run_trial(run, spec, {"classifier": "os.system"})
    with pytest.raises(UntrustedImport):
        run_trial(run, spec, {"classifier": "lightgbm"}, trusted_modules=("sklearn", "imblearn"))


def test_data_are_loaded_once_however_many_trials_run(spec: TrainingSpec) -> None:
    opened: list[str] = []

    def opener(uri: str) -> BinaryIO:
        opened.append(uri)
        return Path(uri).open("rb")

    for params in ({}, {"classifier.C": 0.1}, {"resampler": "random_over"}):
        run_trial(Recorder(), spec, params, opener=opener)
    assert len(opened) == 1
    prepare(replace(spec, split=replace(spec.split, seed=1)), opener)
    assert len(opened) == 2


def test_a_file_that_changed_is_loaded_again(spec: TrainingSpec, table: Path) -> None:
    first = prepare(spec).dataset.record.digest
    table.write_text(table.read_text() + "0.1,own,0.2,1\n")
    assert prepare(spec).dataset.record.digest != first


def test_only_the_data_used_last_are_kept(spec: TrainingSpec) -> None:
    variants = [replace(spec, split=replace(spec.split, seed=seed)) for seed in (1, 2, 3)]
    kept = [prepare(variant) for variant in variants]
    assert prepare(variants[2]) is kept[2]
    assert prepare(variants[1]) is kept[1]
    assert prepare(variants[0]) is not kept[0]


def test_data_set_and_split_agree_on_the_time_column(spec: TrainingSpec) -> None:
    timed = replace(spec, split=replace(spec.split, time_column="noise"))
    prepared = prepare(timed)
    assert "noise" not in prepared.dataset.features.columns
    clash = replace(timed, dataset=replace(spec.dataset, time_column="amount"))
    with pytest.raises(InvalidInput, match="different columns"):
        prepare(clash)


@pytest.fixture
def trained(client: TrackingClient, spec: TrainingSpec) -> TrainedModel:
    """Train a model on real storage."""
    with client.start_run("final") as run:
        return train_model(client, run, spec, params={"resampler": "random_over"})


def test_a_model_is_judged_on_test_rows_and_both_kinds_of_metric_are_told_apart(
    client: TrackingClient, spec: TrainingSpec, trained: TrainedModel
) -> None:
    data = client.run(trained.run_id)
    assert trained.metrics["auc"] == data.metrics["test_auc"]
    assert trained.validation["auc"] == data.metrics["auc"]
    assert data.metrics["test_auc"] != data.metrics["auc"]
    assert data.metrics["test_auc_low"] < data.metrics["test_auc"] < data.metrics["test_auc_high"]
    assert trained.threshold == data.metrics["threshold"]
    assert data.params["resampler"] == "random_over"
    assert not trained.synthetic


def test_the_package_predicts_what_was_judged(
    client: TrackingClient, spec: TrainingSpec, trained: TrainedModel
) -> None:
    from airflow_mltrack.training.evaluation import metric_value

    prepared = prepare(spec)
    rows = prepared.split.test_rows
    loaded = load_model(client, trained.model_uri)
    score = np.asarray(loaded.predict_proba(prepared.dataset.features.iloc[rows]))[:, 1]
    measured = metric_value("auc", prepared.dataset.target[rows], score)
    assert measured == pytest.approx(trained.metrics["auc"])
    assert "resample" not in dict(loaded.model.steps), "a sampler carries training rows"


def test_the_package_says_how_it_was_made(client: TrackingClient, trained: TrainedModel) -> None:
    with client.store.transaction() as tx:
        model = tx.models.get(trained.model_id)
        inputs = tx.inputs.list(client.run(trained.run_id).attempt.attempt_id)
        files = tx.artifacts.walk(attempt_id=client.run(trained.run_id).attempt.attempt_id)
    assert model.run_id == trained.run_id
    text = json.dumps(model.manifest)
    assert '"split": 42' in text
    assert [(item.dataset.name, item.context) for item in inputs] == [("loans", "training")]
    paths = {artifact.path for artifact in files}
    assert {"evaluation/test.json", "evaluation/validation.json"} <= paths
    assert {"plots/test_roc.png", "plots/test_calibration.png"} <= paths


def test_the_package_shows_nobodys_row(
    client: TrackingClient, spec: TrainingSpec, trained: TrainedModel, tmp_path: Path
) -> None:
    from airflow_mltrack.tracking.model_uri import download_model

    package = download_model(client, trained.model_uri, tmp_path / "package")
    example = json.loads((package / "input_example.json").read_text(encoding="utf-8"))
    features = prepare(spec).dataset.features[example["columns"]]
    real = json.loads(features.to_json(orient="split", double_precision=15))["data"]
    assert example["data"]
    assert [row for row in example["data"] if row in real] == []


def test_a_threshold_that_is_given_saves_the_validation_fits(
    client: TrackingClient, spec: TrainingSpec
) -> None:
    with client.start_run("final") as run:
        trained = train_model(client, run, spec, threshold=0.4)
    assert trained.threshold == 0.4
    assert not trained.validation
    metrics = client.run(trained.run_id).metrics
    assert "auc" not in metrics
    assert "fold_auc" not in metrics


def test_a_spec_survives_json(spec: TrainingSpec) -> None:
    assert TrainingSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert TrainingSpec.from_json(
        {"dataset": spec.dataset, "recipe": RecipeSpec("logistic_regression")}
    ).recipe == RecipeSpec("logistic_regression")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metirc": "auc"}, "Did you mean metric"),
        ({"metric": "acu"}, "metric"),
        ({"dataset": "loans.csv"}, "it is a mapping"),
        ({"split": {"fold": 3}}, "Did you mean folds"),
        ({"recipe": {"clasifier": "x"}}, "Did you mean classifier"),
        ({"cost_matrix": {"false_negatives": 3}}, "Did you mean false_negative"),
        ({"seed": -1}, "whole number"),
        ({"n_bootstrap": 1.5}, "whole number"),
        ({"threads": 0}, "whole number"),
        ({"precision": 0}, "above 0"),
        ({"threshold_rule": "luck"}, "one of cost"),
    ],
)
def test_a_wrong_spec_is_refused(spec: TrainingSpec, change: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        TrainingSpec.from_json({**spec.to_json(), **change})


def test_a_spec_without_data_is_refused() -> None:
    with pytest.raises(InvalidInput, match="key dataset is missing"):
        TrainingSpec.from_json({})
