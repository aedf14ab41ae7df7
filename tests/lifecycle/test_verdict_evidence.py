"""What stands behind a verdict: its run, its files, and who was compared with whom."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.exceptions import ArtifactUnavailable, InvalidInput
from airflow_mltrack.lifecycle.gates.evidence_json import evidence_bytes
from airflow_mltrack.lifecycle.gates.gate import Evidence, Outcome
from airflow_mltrack.lifecycle.gates.threshold import ThresholdGate
from airflow_mltrack.lifecycle.held_out import HeldOutRows
from airflow_mltrack.lifecycle.judged_version import stored_threshold
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.validation import list_verdicts, validate_version
from airflow_mltrack.lifecycle.verdict_evidence import log_checks, verdict_json
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.run_files import read_file

AUC: dict[str, object] = {"metric": "auc", "min": 0.6}
POLICY: dict[str, object] = {
    "checks": [
        AUC,
        {"kind": "slice", "metric": "auc", "by": "region", "min": 0.6, "min_rows": 20},
        {"kind": "calibration", "max": 0.9},
        {"metric": "auc", "versus": "champion", "method": "delong", "min_difference": -0.05},
    ]
}
Log = Callable[..., ModelVersion]


@pytest.fixture
def rows() -> HeldOutRows:
    """Give rows of which ``x`` tells the outcome; no model ever saw ``region``."""
    random = np.random.default_rng(5)
    target = (random.random(200) < 0.4).astype(np.int64)
    features = pd.DataFrame(
        {
            "x": random.normal(target, 0.8),
            "noise": random.random(200),
            "region": np.where(np.arange(200) % 3 == 0, "north", "south"),
        }
    )
    return HeldOutRows(DatasetRecord("fresh", "f" * 64), features, target)


@pytest.fixture
def log(client: TrackingClient) -> Log:
    """Give a function that fits a model on other rows, logs it and registers it."""

    def make(
        feature: str = "x", *, metadata: dict[str, object] | None = None, **metrics: float
    ) -> ModelVersion:
        from sklearn.linear_model import LogisticRegression

        random = np.random.default_rng(1)
        target = (random.random(100) < 0.4).astype(np.int64)
        table = pd.DataFrame({feature: random.normal(target, 0.8 if feature == "x" else 50)})
        with client.start_run("training", heartbeat=False) as run:
            run.log_metrics(metrics)
            model = LogisticRegression().fit(table, target)
            logged = run.log_model(model, "model", training_data=table, metadata=metadata)
        return register_model(client, "credit", f"models:/{logged.model_id}", actor="ada")

    return make


def judge(client: TrackingClient, rows: HeldOutRows, version: int = 1, **options: Any) -> Verdict:
    options = {"policy": POLICY, **options}
    return validate_version(client, "credit", version, actor="ada", dataset=rows, **options)


def file_of(client: TrackingClient, verdict: Verdict, check: CheckResult) -> bytes:
    assert verdict.run_id is not None
    assert check.evidence is not None
    return read_file(client, verdict.run_id, check.evidence)


def test_a_verdict_without_a_run_opens_one_for_its_evidence(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    verdict = judge(client, rows)
    assert verdict.run_id is not None
    found = client.run(verdict.run_id)
    assert (found.run.name, found.run.user) == ("validate credit/1", "ada")
    assert found.attempt.status is RunStatus.FINISHED
    assert found.metrics["verdict_auc"] == verdict.checks[0].observed
    (page,) = client.search_runs(experiments=["validation"]).runs
    assert page.run.run_id == verdict.run_id
    written = json.loads(read_file(client, verdict.run_id, "verdict.json"))
    assert written == json.loads(json.dumps(verdict_json(verdict)))


def test_every_check_names_its_file_by_digest(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    verdict = judge(client, rows)
    assert [check.evidence for check in verdict.checks] == [
        f"verdict/{name}.json"
        for name in ("auc", "auc_by_region", "calibration", "auc_versus_champion")
    ]
    for check in verdict.checks:
        content = file_of(client, verdict, check)
        assert check.evidence_sha256 == hashlib.sha256(content).hexdigest()
        shown = json.loads(content)
        assert shown["verdict_id"] == verdict.verdict_id
        assert (shown["check"]["name"], shown["check"]["observed"]) == (check.name, check.observed)
    slices = json.loads(file_of(client, verdict, verdict.checks[1]))["data"]["slices"]
    assert [row["slice"] for row in slices] == ["north", "south"]
    assert list_verdicts(client, "credit", 1) == [verdict]


def test_a_judgement_that_breaks_off_ends_its_run_as_failed(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    bare = HeldOutRows(rows.record, rows.features[["region"]], rows.target)
    with pytest.raises(InvalidInput, match="x"):
        judge(client, bare)
    (page,) = client.search_runs(experiments=["validation"]).runs
    assert page.attempt.status is RunStatus.FAILED
    assert "x" in (page.attempt.error or "")
    assert list_verdicts(client, "credit") == []


def test_without_its_evidence_no_verdict_is_written(
    client: TrackingClient, log: Log, rows: HeldOutRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    log()
    put = client.artifact_store.put_bytes

    def refuse(key: str, data: bytes, **options: Any) -> StoredObject:
        if key.endswith("calibration.json"):
            raise ArtifactUnavailable(key, "the disk is full.")
        return put(key, data, **options)

    monkeypatch.setattr(client.artifact_store, "put_bytes", refuse)
    with pytest.raises(ArtifactUnavailable, match="disk is full"):
        judge(client, rows)
    assert list_verdicts(client, "credit") == []


def test_what_is_refused_before_the_work_opens_no_run(client: TrackingClient, log: Log) -> None:
    log()
    with pytest.raises(InvalidInput, match="Did you mean auc"):
        validate_version(client, "credit", 1, actor="ada", policy={"checks": [{"metric": "acu"}]})
    with client.store.transaction() as tx:
        assert "validation" not in [item.name for item in tx.experiments.list()]


def test_a_policy_that_names_an_unknown_column_is_refused_with_the_closest(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    check = {"kind": "slice", "metric": "auc", "by": "Regoin", "min": 0.5, "severity": "warning"}
    with pytest.raises(InvalidInput, match=r"Regoin.*Did you mean region\?"):
        judge(client, rows, policy={"checks": [AUC, check]})
    assert list_verdicts(client, "credit") == []


def test_a_warning_is_reported_and_does_not_block(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    hopeless = {"name": "ideal", "metric": "auc", "min": 1.0}
    verdict = judge(client, rows, policy={"checks": [AUC, {**hopeless, "severity": "warning"}]})
    assert verdict.passed
    assert [(check.passed, check.warns) for check in verdict.checks] == [
        (True, False),
        (False, True),
    ]
    assert not judge(client, rows, policy={"checks": [AUC, hopeless]}).passed
    assert list_verdicts(client, "credit")[1] == verdict


def test_a_second_verdict_in_a_run_leaves_the_evidence_of_the_first(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    with client.start_run("both", heartbeat=False) as run:
        verdicts = [judge(client, rows, run=run) for _ in range(2)]
    assert verdicts[0].checks[0].evidence == "verdict/auc.json"
    for verdict in verdicts:
        for check in verdict.checks:
            content = file_of(client, verdict, check)
            assert check.evidence_sha256 == hashlib.sha256(content).hexdigest()
            assert json.loads(content)["verdict_id"] == verdict.verdict_id


def test_the_live_version_is_named_by_its_digest(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    live = log()
    promote(client, "credit", 1, "Production", actor="ada")
    log()
    verdict = judge(client, rows, 2)
    assert (verdict.champion_version, verdict.details["champion_digest"]) == (1, live.digest)
    versus = verdict.checks[3]
    assert (versus.method, versus.observed, versus.p_value) == ("delong", 0.0, 1.0)


def test_a_live_version_that_cannot_score_the_rows_fails_the_comparison(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log("noise")
    promote(client, "credit", 1, "Production", actor="ada")
    log()
    bare = HeldOutRows(rows.record, rows.features[["x", "region"]], rows.target)
    verdict = judge(client, bare, 2)
    assert [check.passed for check in verdict.checks] == [True, True, True, False]
    assert not verdict.passed
    assert "live version 1" in verdict.checks[3].message
    assert "noise" in verdict.checks[3].message


@pytest.mark.parametrize(
    ("metadata", "metrics", "expected"),
    [
        ({"threshold": 0.3}, {"threshold": 0.4}, 0.3),
        ({}, {"threshold": 0.4}, 0.4),
        ({"threshold": "high"}, {"threshold": 0.4}, 0.4),
        ({"threshold": True}, {}, None),
        ({}, {"threshold": float("nan")}, None),
    ],
)
def test_the_decision_threshold_is_what_the_training_stored(
    metadata: dict[str, object],
    metrics: dict[str, float],
    expected: float | None,
    client: TrackingClient,
    log: Log,
) -> None:
    version = log(metadata=metadata, **metrics)
    assert stored_threshold(client, version, metadata) == expected
    assert stored_threshold(client, replace(version, model_id=None), {}) is None


def test_decisions_are_judged_at_the_stored_threshold(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log(threshold=0.25)
    check = {"kind": "expected_cost", "max": 5}
    verdict = judge(client, rows, policy={"checks": [check]})
    shown = json.loads(file_of(client, verdict, verdict.checks[0]))["data"]
    assert (shown["threshold"], shown["threshold_source"]) == (0.25, "stored")


def test_gates_see_the_verified_package_and_the_settings(
    client: TrackingClient, log: Log, rows: HeldOutRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = log()
    seen: list[tuple[Evidence, set[str]]] = []
    judged = ThresholdGate.judge

    def spy(self: ThresholdGate, evidence: Evidence) -> Outcome:
        files = {path.name: path.stat().st_size for path in evidence.package_dir.iterdir()}
        assert sum(files.values()) == evidence.package_bytes
        seen.append((evidence, set(files)))
        return judged(self, evidence)

    monkeypatch.setattr(ThresholdGate, "judge", spy)
    judge(client, rows, policy={"checks": [AUC]})
    ((evidence, files),) = seen
    assert {"mltrack.json", "model.skops"} <= files
    assert not evidence.package_dir.exists()
    assert evidence.candidate.manifest.digest == version.digest
    assert evidence.record == rows.record
    assert list(evidence.features.columns) == ["x", "noise", "region"]
    assert evidence.trusted_modules == client.settings.trusted_modules
    assert evidence.champion is None
    assert evidence.now.tzinfo is not None


def test_evidence_that_has_no_json_form_fails_its_check(client: TrackingClient) -> None:
    check = CheckResult("odd", "threshold", True, 1.0, 0.5, ">=")
    with client.start_run("validation", heartbeat=False) as run:
        (kept,) = log_checks(run, "v", [Outcome(check, {"what": object()})])
    assert not kept.passed
    assert "its evidence cannot be kept" in kept.message
    content = read_file(client, run.run_id, "verdict/odd.json")
    assert kept.evidence_sha256 == hashlib.sha256(content).hexdigest()
    assert json.loads(content)["check"]["passed"] is False


def test_numbers_that_json_lacks_become_null() -> None:
    data = {
        "bad": [float("nan"), np.float64("inf"), np.array([1.0, np.nan])],
        "good": (np.int64(3), True, None, "half \ud800"),
        7: pd.Timestamp("2026-01-02", tz="UTC"),
    }
    assert json.loads(evidence_bytes(data)) == {
        "bad": [None, None, [1.0, None]],
        "good": [3, True, None, "half ?"],
        "7": "2026-01-02T00:00:00+00:00",
    }
    with pytest.raises(InvalidInput, match="no JSON form"):
        evidence_bytes({"path": Path("here")})


def test_a_verdict_of_an_earlier_release_reads_as_it_was_written(
    client: TrackingClient, log: Log, rows: HeldOutRows
) -> None:
    log()
    check = CheckResult("auc", "threshold", True, 0.7, 0.6, ">=", (0.6, 0.8), 200, "auc")
    verdict = replace(judge(client, rows), checks=(check,))
    checks: Any = verdict_json(verdict)["checks"]
    assert set(checks[0]) == {
        "name",
        "kind",
        "passed",
        "observed",
        "threshold",
        "comparison",
        "interval",
        "rows",
        "metric",
        "champion_value",
        "message",
    }
