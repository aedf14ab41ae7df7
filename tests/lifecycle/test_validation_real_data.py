"""One policy with every kind of check, on the German credit data."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.policy import GATE_KINDS
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.training import train_model
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.lifecycle.validation import validate_version
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.tracking.run_files import read_file
from airflow_mltrack.training.dataset import DatasetSpec
from airflow_mltrack.training.recipes import RecipeSpec
from airflow_mltrack.training.splits import SplitSpec

pytestmark = pytest.mark.data

OWN_CHECK = """
def approved_share(rows):
    share = float((rows.score < rows.params["cutoff"]).mean())
    return {"value": share, "evidence": {"by_hand": share}}
"""
POLICY: dict[str, object] = {
    "cost_matrix": {"false_negative": 5, "false_positive": 1},
    "checks": [
        {"metric": "auc", "min": 0.7, "confident": True, "confidence": 0.9},
        {"name": "boot", "metric": "ks", "versus": "champion", "min_difference": -0.2},
        {"name": "delong", "metric": "auc", "versus": "champion", "method": "delong",
         "min_difference": -0.1, "confident": True},
        {"name": "mcnemar", "versus": "champion", "method": "mcnemar", "threshold": 0.5,
         "min_difference": -0.1},
        {"kind": "slice", "metric": "auc", "by": "housing", "min": 0.5, "min_rows": 30},
        {"kind": "calibration", "max": 0.2, "bins": 5},
        {"kind": "expected_cost", "max": 0.9},
        {"name": "cost_difference", "kind": "expected_cost", "versus": "champion",
         "max_difference": 0.3},
        {"kind": "fairness", "by": "personal_status", "measure": "equal_opportunity",
         "max_gap": 0.001, "min_rows": 20, "severity": "warning"},
        {"kind": "score_drift", "max_psi": 2},
        {"kind": "signature"},
        {"kind": "constraints", "max_share": 0.2},
        {"kind": "dataset", "min_rows": 200, "min_events": 50},
        {"kind": "latency", "max_p95_ms": 10_000, "calls": 30},
        {"kind": "package_size", "max_mb": 20},
        {"kind": "memory", "max_mb": 2000},
        {"kind": "function", "function": "german_checks.approved_share",
         "params": {"cutoff": 0.5}, "min": 0.1},
    ],
}  # fmt: skip


@pytest.fixture
def german() -> DatasetSpec:
    named = os.environ.get("MLTRACK_DATA_DIR")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "data"
    if not named and not folder.is_dir():
        pytest.skip("the real data sets are not here; set MLTRACK_DATA_DIR")
    return DatasetSpec(str(folder / "german_credit.csv.gz"), "bad")


@pytest.fixture
def client(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrackingClient]:
    """Give a client that trusts a module with a check of the team's own."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "german_checks.py").write_text(OWN_CHECK)
    monkeypatch.syspath_prepend(str(modules))
    trusting = replace(settings, trusted_modules=(*settings.trusted_modules, "german_checks"))
    with TrackingClient(trusting, pool_size=4) as client:
        yield client


def train(client: TrackingClient, german: DatasetSpec, strength: float) -> ModelVersion:
    spec = TrainingSpec(
        dataset=german,
        recipe=RecipeSpec("logistic_regression", {"C": strength}),
        split=SplitSpec(test_size=0.3, seed=3),
        n_bootstrap=0,
    )
    with client.start_run("training", heartbeat=False) as run:
        trained = train_model(client, run, spec)
    return register_model(client, "german", trained.model_uri, actor="ada", gates=POLICY)


def test_a_policy_of_all_kinds_judges_a_real_model(
    client: TrackingClient, german: DatasetSpec
) -> None:
    train(client, german, 0.01)
    first = validate_version(client, "german", 1, actor="ada")
    nothing_live = [check for check in first.checks if "nothing to compare" in check.message]
    assert {check.kind for check in nothing_live} == {
        "champion",
        "expected_cost",
        "score_drift",
        "signature",
    }
    assert first.passed, [check.message for check in first.checks if check.blocks]
    promote(client, "german", 1, "Production", actor="ada", verdict_id=first.verdict_id)

    train(client, german, 1.0)
    verdict = validate_version(client, "german", 2, actor="ada")
    assert {check.kind for check in verdict.checks} == set(GATE_KINDS)
    assert verdict.passed, [check.message for check in verdict.checks if check.blocks]
    assert [check.name for check in verdict.checks if check.warns] == [
        "equal_opportunity_by_personal_status"
    ]
    assert verdict.run_id is not None
    for check in verdict.checks:
        assert check.evidence is not None
        content = read_file(client, verdict.run_id, check.evidence)
        assert check.evidence_sha256 == hashlib.sha256(content).hexdigest()
    by_name = {check.name: check for check in verdict.checks}
    assert by_name["auc"].rows == 300
    assert by_name["delong"].interval is not None
    assert by_name["cost"].observed is not None
    reliability: Any = json.loads(read_file(client, verdict.run_id, "verdict/calibration.json"))
    assert len(reliability["data"]["reliability"]) == 5
