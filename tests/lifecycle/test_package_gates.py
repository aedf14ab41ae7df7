"""Gates on package, data and a user's code: through a real validation, with their evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.entities.verdicts import Verdict
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.validation import validate_version
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.training.dataset import DatasetSpec

MODULE = "package_gates_own_checks"
CODE = """
def approved_share(rows):
    share = (rows.score < rows.params["cutoff"]).mean()
    live = None if rows.champion_score is None else (rows.champion_score < 0.5).mean()
    return {"value": share, "evidence": {"live": live}}
"""
CHECKS: list[dict[str, object]] = [
    {"kind": "signature"},
    {"kind": "constraints", "max_share": 0.2},
    {
        "kind": "dataset",
        "min_rows": 100,
        "min_events": 5,
        "max_age_days": 70,
        "time_column": "month",
    },
    {"kind": "latency", "max_p95_ms": 60_000, "calls": 20},
    {"kind": "package_size", "max_mb": 5},
    {"kind": "memory", "max_mb": 4000},
    {
        "kind": "function",
        "name": "approved",
        "function": f"{MODULE}.approved_share",
        "params": {"cutoff": 0.9},
        "min": 0.5,
    },
]
GATES: dict[str, object] = {"checks": CHECKS}


@pytest.fixture
def client(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a client that trusts a module of the user's own."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / f"{MODULE}.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path / "own")
    trusting = replace(settings, trusted_modules=(*settings.trusted_modules, MODULE))
    with TrackingClient(trusting, pool_size=4) as client:
        yield client


@pytest.fixture
def judged(tmp_path: Path) -> DatasetSpec:
    """Give a fresh table that no training has seen; its months are no feature."""
    frame = loans(seed=2)
    months = [datetime.now(timezone.utc) - timedelta(days=30 * age) for age in range(4)]
    frame["month"] = [f"{months[row % 4]:%Y-%m}" for row in range(len(frame))]
    frame.to_csv(tmp_path / "fresh.csv", index=False)
    return DatasetSpec(uri=str(tmp_path / "fresh.csv"), target="bad", drop=("month",))


def loans(seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    bad = (random.random(200) < 0.3).astype(int)
    return pd.DataFrame({"x": random.normal(bad, 0.8), "y": random.normal(size=200), "bad": bad})


def register(client: TrackingClient, *columns: str) -> int:
    from sklearn.linear_model import LogisticRegression

    table = loans(seed=1)
    features = table[list(columns)]
    model = LogisticRegression().fit(features, table["bad"])
    with client.start_run("training", heartbeat=False) as run:
        logged = run.log_model(model, "model", training_data=features)
    uri = f"models:/{logged.model_id}"
    return register_model(client, "credit", uri, actor="ada", gates=GATES).version


def evidence_of(client: TrackingClient, verdict: Verdict) -> dict[str, Any]:
    assert verdict.run_id is not None
    found = {}
    with client.store.transaction() as tx:
        (attempt,) = tx.runs.attempts(verdict.run_id)
        for check in verdict.checks:
            assert check.evidence is not None
            found[check.name] = tx.artifacts.get(attempt_id=attempt.attempt_id, path=check.evidence)
    return {
        name: json.loads(client.artifact_store.read_bytes(file.key, sha256=file.sha256))["data"]
        for name, file in found.items()
    }


def test_a_version_is_judged_by_package_data_and_own_code(
    client: TrackingClient, judged: DatasetSpec
) -> None:
    register(client, "x")
    first = validate_version(client, "credit", 1, actor="ada", dataset=judged)
    assert first.passed, [check.message for check in first.checks if not check.passed]
    promote(client, "credit", 1, "Production", actor="ada", verdict_id=first.verdict_id)

    register(client, "x", "y")
    verdict = validate_version(client, "credit", 2, actor="ada", dataset=judged)
    assert [check.kind for check in verdict.checks if not check.passed] == ["signature"]
    assert (verdict.passed, verdict.champion_version) == (False, 1)
    found = evidence_of(client, verdict)
    (change,) = found["signature"]["changes"]
    assert (change["part"], change["breaks"]) == ("column y", True)
    assert found["constraints"]["rows"] == found["dataset"]["rows"] == 200
    assert found["dataset"]["newest"] == f"{datetime.now(timezone.utc):%Y-%m}-01T00:00:00+00:00"
    assert found["latency"]["p50_ms"] > 0
    assert found["package_size"]["bytes"] > found["package_size"]["files"][0]["bytes"]
    assert found["memory"]["peak_bytes_after"]["scored"] > 10_000_000
    assert 0 < found["approved"]["live"] < 1


def test_a_policy_is_refused_where_the_rows_lack_its_time_column(
    client: TrackingClient, judged: DatasetSpec
) -> None:
    register(client, "x")
    check = {"kind": "dataset", "max_age_days": 3, "time_column": "moth"}
    with pytest.raises(InvalidInput, match="Did you mean month"):
        validate_version(
            client, "credit", 1, actor="ada", dataset=judged, policy={"checks": [check]}
        )
