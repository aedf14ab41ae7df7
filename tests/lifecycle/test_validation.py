"""Validation: real packages, real bytes, real scores."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.entities.lineage import LineageNode
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    Conflict,
    InvalidInput,
    MltrackError,
    NotFound,
    PromotionRefused,
    StoreUnavailable,
)
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.held_out import (
    HeldOutRows,
    held_out_rows,
    refuse_training_rows,
)
from airflow_mltrack.lifecycle.policy import policy_digest
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.lifecycle.validation import list_verdicts, validate_version
from airflow_mltrack.lifecycle.verdict_evidence import verdict_json
from airflow_mltrack.store.tracking_store import Transaction
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.training.dataset import DatasetSpec
from airflow_mltrack.training.splits import SplitSpec

GATES: dict[str, object] = {
    "checks": [
        {"metric": "auc", "min": 0.7},
        {"metric": "auc", "versus": "champion", "min_difference": -0.02},
    ],
    "valid_days": 14,
}
SPLIT = SplitSpec(seed=3)

Train = Callable[..., ModelVersion]


@pytest.fixture
def table(tmp_path: Path) -> DatasetSpec:
    """Give a small table: ``x`` tells the outcome, ``noise`` does not."""
    random = np.random.default_rng(1)
    path = tmp_path / "loans.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "noise", "bad"])
        for _ in range(300):
            bad = int(random.random() < 0.3)
            writer.writerow([round(random.normal(bad, 0.8), 4), round(random.random(), 4), bad])
    return DatasetSpec(uri=str(path), target="bad")


@pytest.fixture
def train(client: TrackingClient, table: DatasetSpec) -> Train:
    """Give a function that trains on the table, logs the package and registers it."""

    def make(
        feature: str = "x",
        *,
        tells: bool = True,
        records_split: bool = True,
        gates: object = GATES,
    ) -> ModelVersion:
        from sklearn.linear_model import LogisticRegression

        from airflow_mltrack.lifecycle.prepared_data import prepare

        spec = TrainingSpec(dataset=table, split=SPLIT)
        prepared = prepare(spec)
        rows = prepared.split.train_rows
        features = prepared.dataset.features.iloc[rows]
        model = LogisticRegression().fit(features[[feature]], prepared.dataset.target[rows])
        with client.start_run("training", heartbeat=False) as run:
            run.log_input(prepared.dataset.record, "training")
            if records_split:
                run.log_param("split.digest", prepared.split.digest)
            logged = run.log_model(
                model,
                "model",
                training_data=features[[feature]],
                metadata={"training": spec.to_json()} if tells else None,
            )
        return register_model(
            client,
            "credit",
            f"models:/{logged.model_id}",
            actor="ada",
            gates=gates,  # type: ignore[arg-type]
        )

    return make


def test_a_good_version_passes_on_the_rows_its_training_held_out(
    client: TrackingClient, train: Train, table: DatasetSpec
) -> None:
    version = train()
    verdict = validate_version(client, "credit", 1, actor="ada", details={"dag_id": "d"})
    assert verdict.passed
    assert (verdict.package_digest, verdict.champion_version) == (version.digest, None)
    assert (verdict.policy, verdict.policy_digest) == (GATES, policy_digest(GATES))
    held_out = held_out_rows(table, SPLIT)
    assert verdict.dataset_digest == held_out.record.digest
    assert verdict.details == {"dag_id": "d", "split_digest": held_out.split_digest}
    assert {check.rows for check in verdict.checks} == {90}
    assert verdict.valid_until == verdict.created_at + timedelta(days=14)
    assert list_verdicts(client, "credit", 1) == [verdict]
    event = list_history(client, "credit")[-1]
    assert (event.kind, event.payload["verdict_id"]) == ("verdict", verdict.verdict_id)
    with client.store.transaction() as tx:
        digests = tx.verdicts.digests("credit")
    assert digests == {verdict.verdict_id: event.payload["sha256"]}
    assert verify_history(client, "credit").is_whole
    with client.store.transaction() as tx:
        edges = tx.lineage.upstream(LineageNode("model_version", "credit/1"))
    assert ("dataset", "judged") in {(edge.source.kind, edge.relation) for edge in edges}


def test_a_verdict_opens_production_for_this_very_version(
    client: TrackingClient, train: Train
) -> None:
    train()
    with pytest.raises(PromotionRefused, match="no verdict exists"):
        promote(client, "credit", 1, "Production", actor="ada")
    verdict = validate_version(client, "credit", 1, actor="ada")
    done = promote(client, "credit", 1, "Production", actor="ada", verdict_id=verdict.verdict_id)
    assert done.version.stage == "Production"


def test_a_worse_version_fails_against_the_live_one_on_the_same_rows(
    client: TrackingClient, train: Train
) -> None:
    train()
    validate_version(client, "credit", 1, actor="ada")
    promote(client, "credit", 1, "Production", actor="ada")
    train("noise")
    verdict = validate_version(client, "credit", 2, actor="ada")
    floor, versus = verdict.checks
    assert (verdict.passed, floor.passed, versus.passed) == (False, False, False)
    assert verdict.champion_version == 1
    assert versus.champion_value is not None
    assert versus.champion_value > 0.7
    with pytest.raises(PromotionRefused, match="did not pass"):
        promote(client, "credit", 2, "Production", actor="ada")


def test_a_live_version_that_learned_from_the_rows_is_named_as_favoured(
    client: TrackingClient, train: Train, table: DatasetSpec
) -> None:
    train()
    validate_version(client, "credit", 1, actor="ada")
    promote(client, "credit", 1, "Production", actor="ada")
    fair = validate_version(client, "credit", train().version, actor="ada")
    assert "champion_knows_rows" not in fair.details
    other = train(records_split=False)  # believed: its caller knows what it held out
    rows = SplitSpec(seed=4)
    verdict = validate_version(
        client, "credit", other.version, actor="ada", dataset=table, split=rows
    )
    assert verdict.details["champion_knows_rows"] is True
    assert "favours it" in verdict.checks[1].message


def test_a_verdict_whose_commit_was_not_answered_is_written_once(
    client: TrackingClient, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    train()
    transaction = client.store.transaction
    broken: list[int] = []

    @contextmanager
    def lose_the_answer() -> Iterator[Transaction]:
        with transaction() as tx:
            yield tx
            wrote = tx.connection.scalar(text("SELECT count(*) FROM verdicts"))
        if wrote and not broken:
            broken.append(wrote)
            raise StoreUnavailable("here", "the answer to the commit was lost.")

    monkeypatch.setattr(client.store, "transaction", lose_the_answer)
    verdict = validate_version(client, "credit", 1, actor="ada")
    assert broken
    assert list_verdicts(client, "credit") == [verdict]
    assert [event.kind for event in list_history(client, "credit")].count("verdict") == 1


def test_the_live_version_is_not_compared_with_itself(client: TrackingClient, train: Train) -> None:
    train()
    validate_version(client, "credit", 1, actor="ada")
    promote(client, "credit", 1, "Production", actor="ada")
    again = validate_version(client, "credit", 1, actor="ada")
    assert again.passed
    assert again.champion_version == 1
    assert again.checks[1].champion_value is None


def test_the_evidence_lies_on_the_run(client: TrackingClient, train: Train) -> None:
    train()
    with client.start_run("validation", heartbeat=False) as run:
        verdict = validate_version(client, "credit", 1, actor="ada", run=run)
    with client.store.transaction() as tx:
        artifact = tx.artifacts.get(attempt_id=run.attempt_id, path="verdict.json")
        (read,) = tx.inputs.list(run.attempt_id)
    evidence = json.loads(client.artifact_store.read_bytes(artifact.key, sha256=artifact.sha256))
    assert evidence == json.loads(json.dumps(verdict_json(verdict)))
    assert evidence["run_id"] == run.run_id
    assert (read.context, read.dataset.digest) == ("validation", verdict.dataset_digest)
    assert client.run(run.run_id).metrics["verdict_auc"] == verdict.checks[0].observed


def test_rows_that_training_saw_are_refused(
    client: TrackingClient, train: Train, table: DatasetSpec
) -> None:
    train()
    for split in (None, SplitSpec(seed=4)):
        with pytest.raises(InvalidInput, match="learned from this table"):
            validate_version(client, "credit", 1, actor="ada", dataset=table, split=split)
    assert validate_version(client, "credit", 1, actor="ada", dataset=table, split=SPLIT).passed
    assert len(list_verdicts(client, "credit")) == 1


def test_a_later_attempt_of_the_training_does_not_change_what_was_held_out(
    client: TrackingClient, table: DatasetSpec, train: Train
) -> None:
    version = train()
    assert version.run_id is not None
    with client.store.transaction() as tx:
        run = tx.runs.get(version.run_id)
        identity = RunIdentity(logical_key="task:t", attempt_key="ti:2")
        tx.connection.execute(
            text("UPDATE runs SET logical_key = 'task:t' WHERE run_id = :id"), {"id": run.run_id}
        )
        _, later = tx.runs.open(experiment_id=run.experiment_id, identity=identity)
        assert (later.run_id, later.number) == (run.run_id, 2)
        tx.runs.log_params(later.attempt_id, {"split.digest": "another"})
    with pytest.raises(InvalidInput, match="learned from this table"):
        validate_version(client, "credit", 1, actor="ada", dataset=table)
    assert validate_version(client, "credit", 1, actor="ada").passed


def test_a_training_that_recorded_no_split_is_believed_its_callers_split(
    client: TrackingClient, table: DatasetSpec, train: Train
) -> None:
    train(records_split=False)
    assert validate_version(client, "credit", 1, actor="ada", dataset=table, split=SPLIT).passed
    with pytest.raises(InvalidInput, match="learned from this table"):
        validate_version(client, "credit", 1, actor="ada", dataset=table)


def test_a_slice_may_go_by_a_column_that_training_left_out(
    client: TrackingClient, train: Train, table: DatasetSpec
) -> None:
    train(tells=False, records_split=False)
    without = replace(table, drop=("noise",))
    check = {"kind": "slice", "metric": "auc", "by": "noise", "min": 0.5, "min_rows": 10}
    policy = {"checks": [check]}
    verdict = validate_version(
        client, "credit", 1, actor="ada", dataset=without, split=SPLIT, policy=policy
    )
    assert verdict.passed
    assert "worst of 4 slices, noise" in verdict.checks[0].message


def test_synthetic_rows_mark_the_verdict(client: TrackingClient, train: Train) -> None:
    train()
    fresh = fresh_rows()
    record = replace(fresh.record, profile={"synthetic": True})
    rows = HeldOutRows(record, fresh.features, fresh.target)
    verdict = validate_version(client, "credit", 1, actor="ada", dataset=rows)
    assert verdict.details["synthetic"] is True


def test_facts_that_cannot_be_kept_are_refused(client: TrackingClient, train: Train) -> None:
    train()
    with pytest.raises(InvalidInput, match="payload value"):
        validate_version(client, "credit", 1, actor="ada", details={"when": object()})
    with (
        client.start_run("validation", heartbeat=False) as run,
        pytest.raises(InvalidInput, match="payload value"),
    ):
        validate_version(client, "credit", 1, actor="ada", run=run, details={"when": object()})
    with pytest.raises(InvalidInput, match="mapping of names"):
        validate_version(client, "credit", 1, actor="ada", details=["x"])  # type: ignore[arg-type]
    assert list_verdicts(client, "credit") == []


def test_a_package_without_a_run_is_judged_on_any_rows(
    client: TrackingClient, train: Train
) -> None:
    version = train()
    orphan = replace(version, model_id=None)
    refuse_training_rows(client, orphan, fresh_rows())
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        imported = tx.models.create(experiment_id=experiment, name="imported")
    refuse_training_rows(client, replace(version, model_id=imported.model_id), fresh_rows())


def fresh_rows(rows: int = 120, *, digest: str = "f" * 64) -> HeldOutRows:
    random = np.random.default_rng(5)
    target = (random.random(rows) < 0.4).astype(np.int64)
    features = pd.DataFrame({"x": random.normal(target, 0.8), "other": 1})
    return HeldOutRows(DatasetRecord("fresh", digest), features, target)


def test_any_rows_with_known_outcomes_can_be_judged_on(
    client: TrackingClient, train: Train
) -> None:
    train(tells=False)
    with pytest.raises(InvalidInput, match="does not tell what it was trained on"):
        validate_version(client, "credit", 1, actor="ada")
    verdict = validate_version(client, "credit", 1, actor="ada", dataset=fresh_rows())
    assert verdict.passed
    assert (verdict.dataset_name, verdict.checks[0].rows) == ("fresh", 120)
    with pytest.raises(InvalidInput, match="not split again"):
        validate_version(client, "credit", 1, actor="ada", dataset=fresh_rows(), split=SPLIT)


def test_a_model_without_gates_needs_a_policy(client: TrackingClient, train: Train) -> None:
    train(gates=None)
    with pytest.raises(InvalidInput, match="has no gates"):
        validate_version(client, "credit", 1, actor="ada")
    policy = {"checks": [{"metric": "ks", "min": 0.1}], "valid_days": None}
    verdict = validate_version(client, "credit", 1, actor="ada", policy=policy)
    assert (verdict.passed, verdict.valid_until) == (True, None)


def test_rows_without_the_models_columns_are_refused(client: TrackingClient, train: Train) -> None:
    train()
    fresh = fresh_rows()
    rows = HeldOutRows(fresh.record, fresh.features[["other"]], fresh.target)
    with pytest.raises(InvalidInput, match="x"):
        validate_version(client, "credit", 1, actor="ada", dataset=rows)
    assert list_verdicts(client, "credit") == []


@pytest.mark.parametrize(
    ("target", "message"), [([1] * 3, "both classes"), ([0, 1], "one outcome")]
)
def test_rows_that_cannot_judge_are_refused(target: list[int], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        HeldOutRows(DatasetRecord("t", "d"), pd.DataFrame({"x": [1, 2, 3]}), np.array(target))


def test_what_is_not_there_is_not_judged(client: TrackingClient, train: Train) -> None:
    train()
    for name, version in (("none", 1), ("credit", 2)):
        with pytest.raises(NotFound):
            validate_version(client, name, version, actor="ada")
    missing = DatasetSpec(uri="/nowhere/loans.csv", target="bad")
    with pytest.raises(MltrackError, match="nowhere"):
        validate_version(client, "credit", 1, actor="ada", dataset=missing)


def test_bytes_changed_behind_the_registrys_back_are_found(
    client: TrackingClient, train: Train, tmp_path: Path
) -> None:
    version = train()
    with client.store.transaction() as tx:
        files = tx.artifacts.walk(model_id=version.model_id)
    (model,) = (item for item in files if item.path.startswith("model."))
    path = tmp_path / "artifacts" / model.key
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ArtifactCorrupt):
        validate_version(client, "credit", 1, actor="ada")
    assert list_verdicts(client, "credit") == []


def test_a_version_without_or_with_another_digest_is_not_judged(
    client: TrackingClient, train: Train
) -> None:
    version = train()
    with client.store.transaction() as tx:
        for digest in (None, "0" * 64):
            tx.registry.create_version(
                "credit", source="x", model_id=version.model_id, digest=digest, reuse=False
            )
    with pytest.raises(Conflict, match="without a package digest"):
        validate_version(client, "credit", 2, actor="ada")
    with pytest.raises(Conflict, match="registered was 0000"):
        validate_version(client, "credit", 3, actor="ada")


def test_a_model_that_gives_no_two_probabilities_is_refused(
    client: TrackingClient, table: DatasetSpec
) -> None:
    from sklearn.linear_model import LogisticRegression

    features = pd.DataFrame({"x": np.arange(30.0)})
    model: Any = LogisticRegression().fit(features, np.arange(30) % 3)
    with client.start_run(heartbeat=False) as run:
        logged = run.log_model(model, "model", training_data=features)
    register_model(client, "credit", f"models:/{logged.model_id}", actor="a", gates=GATES)
    with pytest.raises(InvalidInput, match="gates need two classes"):
        validate_version(client, "credit", 1, actor="ada", dataset=fresh_rows())
