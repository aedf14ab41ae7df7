"""Fixtures of the lifecycle: a client on a fresh backend, and packages that need no library."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest

from airflow_mltrack.entities.approvals import Approval, Decision
from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.stages import StageGraph
from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.lifecycle.policy import policy_digest
from airflow_mltrack.model_package.manifest import digest_of_files
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient

POLICY: dict[str, object] = {"checks": [{"metric": "auc", "min": 0.7}], "valid_days": 30}

AddPackage = Callable[..., LoggedModel]
AddVersion = Callable[..., ModelVersion]
AddVerdict = Callable[..., Verdict]
AddApproval = Callable[..., Approval]


@pytest.fixture
def client(settings: Settings) -> Iterator[TrackingClient]:
    """Give a client on a fresh, empty backend."""
    with TrackingClient(settings, pool_size=4) as client:
        yield client


def log_package(client: TrackingClient, run_user: str | None = None) -> LoggedModel:
    """Log a package of one small file; with ``run_user`` it belongs to a run of that user."""
    data = uuid.uuid4().hex.encode()
    digest = digest_of_files({"model.bin": hashlib.sha256(data).hexdigest()})
    with client.store.transaction() as tx:
        experiment = tx.experiments.ensure("Default").experiment_id
        run_id = attempt_id = None
        if run_user is not None:
            run, attempt = tx.runs.open(experiment_id=experiment, user=run_user)
            run_id, attempt_id = run.run_id, attempt.attempt_id
        logged = tx.models.create(
            experiment_id=experiment, name="model", run_id=run_id, attempt_id=attempt_id
        )
        stored = client.artifact_store.put_bytes(f"{logged.artifact_root}/model.bin", data)
        tx.artifacts.record(model_id=logged.model_id, path="model.bin", stored=stored)
        return tx.models.finalize(logged.model_id, digest=digest, size=len(data), manifest={})


def write_version(
    client: TrackingClient,
    name: str = "credit",
    *,
    gates: dict[str, object] | None = None,
    stages: StageGraph | None = None,
    user: str = "",
    run_user: str | None = None,
) -> ModelVersion:
    """Make a package of one small file a version, past the rules; only new rules are recorded."""
    logged = log_package(client, run_user)
    with client.store.transaction() as tx:
        model = tx.registry.create_model(name, exist_ok=True)
        if gates is not None or stages is not None:
            changed = tx.registry.set_policy(
                name,
                gates=model.gates if gates is None else gates,
                stages=model.stages if stages is None else stages,
            )
            rules = {"gates": changed.gates, "stages": changed.stages.to_json()}
            tx.history.append(
                name=name, version=None, kind="policy", actor="ada", payload={"to": rules}
            )
        return tx.registry.create_version(
            name,
            source=f"models:/{logged.model_id}",
            model_id=logged.model_id,
            run_id=logged.run_id,
            digest=logged.digest,
            user=user,
        )


def write_verdict(client: TrackingClient, version: ModelVersion, **changes: object) -> Verdict:
    """Write a verdict about a version and record it; it passes unless told otherwise."""
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
        now, live = tx.now(), tx.registry.holder(version.name)
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
        verdict = tx.verdicts.add(Verdict(**values | changes))  # type: ignore[arg-type]
        key = verdict.verdict_id
        tx.history.append(
            name=verdict.name,
            version=verdict.version,
            kind="verdict",
            actor="ada",
            payload={
                "verdict_id": key,
                "passed": passed,
                "sha256": tx.verdicts.digests(verdict.name, key)[key],
            },
        )
        return verdict


def write_approval(
    client: TrackingClient, version: ModelVersion, approver: str = "bob", **changes: object
) -> Approval:
    """Write and record what a person said about a version, past the rules of approving."""
    with client.store.transaction() as tx:
        now, verdict = tx.now(), tx.verdicts.latest(version.name, version.version)
        values: dict[str, object] = {
            "approval_id": uuid.uuid4().hex,
            "name": version.name,
            "version": version.version,
            "stage": "Production",
            "decision": Decision.APPROVED,
            "approver": approver,
            "reason": "read it",
            "package_digest": version.digest,
            "verdict_id": None if verdict is None else verdict.verdict_id,
            "created_at": now,
            "valid_until": now + timedelta(days=30),
        }
        approval = tx.approvals.add(Approval(**values | changes))  # type: ignore[arg-type]
        key = approval.approval_id
        tx.history.append(
            name=approval.name,
            version=approval.version,
            kind="approval",
            actor=approver,
            payload={"approval_id": key, "sha256": tx.approvals.digests(approval.name, key)[key]},
        )
        return approval


@pytest.fixture
def add_package(client: TrackingClient) -> AddPackage:
    """Give :func:`log_package`."""
    return partial(log_package, client)


@pytest.fixture
def add_version(client: TrackingClient) -> AddVersion:
    """Give :func:`write_version`."""
    return partial(write_version, client)


@pytest.fixture
def add_verdict(client: TrackingClient) -> AddVerdict:
    """Give :func:`write_verdict`."""
    return partial(write_verdict, client)


@pytest.fixture
def add_approval(client: TrackingClient) -> AddApproval:
    """Give :func:`write_approval`."""
    return partial(write_approval, client)
