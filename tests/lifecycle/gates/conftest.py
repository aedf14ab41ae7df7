"""What gates look at, made up: scores of a known skill on a few hundred rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.lifecycle.gates.gate import Champion, Evidence, Gate, Outcome
from airflow_mltrack.lifecycle.policy import parse_policy
from airflow_mltrack.model_package.manifest import PackageManifest
from airflow_mltrack.model_package.reader import LoadedModel
from airflow_mltrack.training.metrics import MetricOptions

ROWS = 400
RANDOM = np.random.default_rng(7)
TARGET = (RANDOM.random(ROWS) < 0.3).astype(np.int64)
NOISE = RANDOM.random(ROWS)

MakeEvidence = Callable[..., Evidence]
Judge = Callable[[dict[str, object], Evidence], Outcome]


@pytest.fixture
def target() -> NDArray[np.int64]:
    """Give the outcomes of 400 rows, a third of them events."""
    return TARGET


@pytest.fixture
def score() -> Callable[[float], NDArray[np.float64]]:
    """Give a function that makes scores between chance (0) and certainty (1)."""
    return lambda skill: skill * (0.2 + 0.6 * TARGET) + (1 - skill) * NOISE


@pytest.fixture
def evidence(tmp_path: Path, score: Callable[[float], NDArray[np.float64]]) -> MakeEvidence:
    """Give a function that makes what gates look at.

    ``ours`` and ``champion`` are skills or scores; every other keyword replaces a field.
    """

    def make(
        ours: float | NDArray[np.float64] = 0.3,
        champion: float | NDArray[np.float64] | None = None,
        **fields: Any,
    ) -> Evidence:
        ours = score(ours) if isinstance(ours, float) else ours
        values: dict[str, Any] = {
            "target": TARGET,
            "score": ours,
            "champion": None,
            "options": MetricOptions(),
            "features": pd.DataFrame(index=range(len(ours))),
            "candidate": LoadedModel(PackageManifest("skops", "", "Candidate", ()), None),
            "record": DatasetRecord("table", "d" * 64),
            "package_dir": tmp_path,
            "package_bytes": 1,
            "now": datetime(2026, 1, 2, tzinfo=timezone.utc),
        }
        if champion is not None:
            theirs = score(champion) if isinstance(champion, float) else champion
            model = LoadedModel(PackageManifest("skops", "", "Champion", ()), None)
            values["champion"] = Champion(4, theirs, model=model)
        return Evidence(**values | fields)

    return make


@pytest.fixture
def gate() -> Callable[[dict[str, object]], Gate]:
    """Give a function that reads one check as a policy of its own."""

    def read(check: dict[str, object]) -> Gate:
        (found,) = parse_policy({"checks": [check]}).gates
        return found

    return read


@pytest.fixture
def judge(gate: Callable[[dict[str, object]], Gate]) -> Judge:
    """Give a function that judges by one check."""
    return lambda check, seen: gate(check).judge(seen)
