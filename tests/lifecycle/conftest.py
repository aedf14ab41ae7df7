"""Fixtures of the lifecycle: a client on a fresh backend, and versions without their bytes."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.lifecycle.policy import policy_digest
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient

POLICY: dict[str, object] = {"checks": [{"metric": "auc", "min": 0.7}], "valid_days": 30}

AddVersion = Callable[..., ModelVersion]
AddVerdict = Callable[..., Verdict]


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    """Give a client on a fresh, empty backend."""
    with TrackingClient(settings, pool_size=4) as client:
        yield client


@pytest.fixture
def add_version(client: TrackingClient) -> AddVersion:
    """Give a function that registers a package; only its record, for rules that read no bytes."""

    def add(name: str = "credit", *, gates: dict[str, object] | None = None) -> ModelVersion:
        digest = uuid.uuid4().hex * 2
        with client.store.transaction() as tx:
            experiment = tx.experiments.ensure("Default").experiment_id
            logged = tx.models.create(experiment_id=experiment, name="model")
            tx.models.finalize(logged.model_id, digest=digest, size=1, manifest={})
            tx.registry.create_model(name, exist_ok=True)
            if gates is not None:
                tx.registry.set_policy(name, gates=gates, requires_verdict=True)
            return tx.registry.create_version(
                name, source=f"models:/{logged.model_id}", model_id=logged.model_id, digest=digest
            )

    return add


@pytest.fixture
def add_verdict(client: TrackingClient) -> AddVerdict:
    """Give a function that writes a verdict about a version; it passes unless told otherwise."""

    def add(version: ModelVersion, **changes: object) -> Verdict:
        passed = bool(changes.get("passed", True))
        check = CheckResult(
            name="auc",
            kind="threshold",
            passed=passed,
            observed=0.6,
            threshold=0.7,
            comparison=">=",
            message="auc is 0.6, asked for >= 0.7",
        )
        with client.store.transaction() as tx:
            now = tx.now()
            live = tx.registry.holder(version.name)
            values: dict[str, object] = {
                "verdict_id": uuid.uuid4().hex,
                "name": version.name,
                "version": version.version,
                "passed": passed,
                "package_digest": version.digest,
                "policy": POLICY,
                "policy_digest": policy_digest(POLICY),
                "dataset_name": "table",
                "dataset_digest": "e" * 64,
                "checks": (check,),
                "champion_version": None if live is None else live.version,
                "actor": "ada",
                "created_at": now,
                "valid_until": now + timedelta(days=30),
            }
            return tx.verdicts.add(Verdict(**values | changes))  # type: ignore[arg-type]

    return add
