"""A governed model with all that an evidence pack tells of: trained, judged, approved, live."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.approval import approve, request_approval
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model, set_alias
from airflow_mltrack.lifecycle.training import train_model
from airflow_mltrack.lifecycle.training_spec import TrainingSpec
from airflow_mltrack.lifecycle.validation import validate_version
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.conftest import fresh_database

GATES: dict[str, object] = {
    "checks": [
        {"metric": "auc", "min": 0.7},
        {"metric": "brier", "max": 0.01, "severity": "warning"},
    ],
    "valid_days": 14,
}


@dataclass(frozen=True, slots=True)
class GovernedModel:
    """What was made."""

    client: TrackingClient
    name: str
    first: ModelVersion
    """Was live, and is not any more."""
    second: ModelVersion
    """Is live, and has the alias ``champion``."""


def loans_table(directory: Path, rows: int = 400) -> Path:
    """Write a small table: ``x`` and ``home`` tell the outcome, ``noise`` does not."""
    random = np.random.default_rng(1)
    path = directory / "loans.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", "home", "noise", "bad"])
        for _ in range(rows):
            bad = int(random.random() < 0.3)
            home = ("own", "rent")[int(random.random() < 0.3 + 0.4 * bad)]
            x, noise = round(random.normal(bad, 0.8), 4), round(random.random(), 4)
            writer.writerow([x, home, noise, bad])
    return path


def train_version(client: TrackingClient, name: str, spec: TrainingSpec) -> ModelVersion:
    """Train, and register the package under gates and stages that ask for approval."""
    with client.start_run(f"train {name}", user="ada", heartbeat=False) as run:
        trained = train_model(client, run, spec)
    return register_model(
        client,
        name,
        trained.model_uri,
        actor="ada",
        description="Chance that a loan is not paid back.",
        tags={"license": "apache-2.0", "contact": "risk@example.org"},
        gates=GATES,
        stages="gated",
    )


def go_live(client: TrackingClient, version: ModelVersion, approver: str = "grace") -> ModelVersion:
    """Judge, stage, approve and promote a version."""
    name, number = version.name, version.version
    validate_version(client, name, number, actor="ada")
    promote(client, name, number, "Staging", actor="ada")
    request_approval(client, name, number, "Production", actor="ada", reason="better on all slices")
    approve(client, name, number, "Production", approver=approver, reason="read the report")
    return promote(
        client,
        name,
        number,
        "Production",
        actor="ada",
        reason="release",
        details={"dag_id": "release", "dag_run_id": "manual", "task_id": "promote"},
    ).version


def governed_model(client: TrackingClient, directory: Path, name: str = "credit") -> GovernedModel:
    """Bring two versions live, one after the other."""
    spec = TrainingSpec.from_json(
        {
            "dataset": {"uri": str(loans_table(directory)), "target": "bad"},
            "recipe": {"classifier": "logistic_regression"},
            "n_bootstrap": 30,
        }
    )
    first = go_live(client, train_version(client, name, spec))
    second = go_live(client, train_version(client, name, spec))
    set_alias(client, name, "champion", second.version, actor="ada", reason="best so far")
    with client.store.transaction() as tx:
        numbers = (first.version, second.version)
        versions = [tx.registry.get_version(name, number) for number in numbers]
    return GovernedModel(client, name, *versions)


@contextmanager
def governed_client(postgres_url: str, directory: Path) -> Iterator[GovernedModel]:
    """Make a backend with a governed model in it."""
    with fresh_database(postgres_url) as url:
        settings = Settings(
            database_url=url,
            artifact_uri=str(directory / "artifacts"),
            spool_dir=str(directory / "spool"),
        )
        with TrackingClient(settings, pool_size=2) as client:
            yield governed_model(client, directory)
