"""Things that exist, so that requests can name them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from random import Random

from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.entities.webhooks import WebhookFormat
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.webhooks.registration import create_webhook
from airflow_mltrack.model_package.manifest import digest_of_files
from airflow_mltrack.tracking.active_run import ActiveRun
from airflow_mltrack.tracking.client import TrackingClient
from tests.web.fuzz.generator import Known
from tests.web.fuzz.manifests import damaged_file, log_package


def _log_package(tracking: TrackingClient, run: ActiveRun) -> LoggedModel:
    data = uuid.uuid4().hex.encode()
    digest = digest_of_files({"model.bin": hashlib.sha256(data).hexdigest()})
    with tracking.store.transaction() as tx:
        found = tx.runs.get(str(run.run_id))
        logged = tx.models.create(
            experiment_id=found.experiment_id,
            name="model",
            run_id=run.run_id,
            attempt_id=run.attempt_id,
        )
        stored = tracking.artifact_store.put_bytes(f"{logged.artifact_root}/model.bin", data)
        tx.artifacts.record(model_id=logged.model_id, path="model.bin", stored=stored)
        return tx.models.finalize(logged.model_id, digest=digest, size=len(data), manifest={})


def _open_package(
    tracking: TrackingClient, run: ActiveRun, files: Mapping[str, bytes]
) -> LoggedModel:
    """Upload the files of a model package, and leave the model open."""
    with tracking.store.transaction() as tx:
        found = tx.runs.get(str(run.run_id))
        logged = tx.models.create(
            experiment_id=found.experiment_id,
            name="open",
            run_id=run.run_id,
            attempt_id=run.attempt_id,
        )
        for path, data in files.items():
            stored = tracking.artifact_store.put_bytes(f"{logged.artifact_root}/{path}", data)
            tx.artifacts.record(model_id=logged.model_id, path=path, stored=stored)
    return logged


FIXED: dict[str, tuple[object, ...]] = {
    "metric_key": ("auc", "a", "credit", "loss"),
    "alias": ("champion", "challenger"),
    "stage": ("Staging", "Production", "Archived", "None"),
    "version": (1, 2, "1", "2"),
    "max_results": (1, 2, 3, 100),
    "limit": (1, 2, 100),
    "filter": ("name LIKE '%e%'", "tags.a = '1'", "name = 'x' OR NOT (tags.credit IS NULL)", ""),
    "order_by": ("name DESC", "tags.a ASC", "metrics.auc DESC", "creation_time DESC"),
    "url": ("http://127.0.0.1:9/x?token=a", "https://localhost:9/y"),
    "model_json": (
        '{"artifact_path": "a", "flavors": {}, "utc_time_created": "x", "run_id": "y"}',
    ),
    "at": ("2026-01-31T09:30Z",),
    "head": ("0" * 64,),
    "gates": ({}, {"metrics": []}),
    "stages": ("Staging", "Production"),
    "status": ("LOGGED_MODEL_READY", "FINISHED"),
    "experiment_id": ("0",),
    "key": ("auc", "a", "credit", "mlflow.note.content", "mlflow.runName", "mltrack.reason"),
    "value": ("1", "x", 0.5, 1),
    "part_number": (1, 2),
    "num_parts": (1, 3),
    "file": ("c.txt", "new.txt", "a"),
}


def fill(tracking: TrackingClient, known: Known, number: int) -> None:
    """Make one of everything, and remember what it is called."""
    place = f"fuzzed {number} {uuid.uuid4().hex[:8]}"
    with tracking.start_run("fit", experiment=place, user="ada", heartbeat=False) as run:
        run.log_params({"a": "1", "b": "x"})
        run.log_metrics({"auc": 0.5 + number / 1_000, "loss": 1.0})
        run.set_tags({"a": "1", "credit": "yes"})
        run.log_text("inside", "a/b.txt")
        run.log_text("inside", "c.txt")
    package = _log_package(tracking, run)
    name = f"credit {place}"
    register_model(tracking, name, f"models:/{package.model_id}", actor="ada")
    url = "http://127.0.0.1:9/x"
    hooks = (
        create_webhook(tracking, url=url, events=("*",), actor="ada"),
        create_webhook(
            tracking,
            url=url,
            events=("model_version.created",),
            name=f"hook-{number}",
            format=WebhookFormat.MLFLOW,
            actor="ada",
        ),
    )
    files = f"{package.experiment_id}/{run.run_id}/artifacts"
    for field, values in FIXED.items():
        for value in values:
            known.add(**{field: value})
    known.add(
        run_id=str(run.run_id),
        model_id=package.model_id,
        name=name,
        experiment_name=place,
        experiment_id=str(package.experiment_id),
        source=f"models:/{package.model_id}",
        artifact_uri=f"runs:/{run.run_id}/a",
        file="a/b.txt",
        file_location=files,
        served=f"{files}/a/b.txt",
    )
    for hook in hooks:
        known.add(webhook_id=hook.webhook_id)
    known.add(served=f"{files}/new.txt", source=f"runs:/{run.run_id}/a")
    known.package = known.package or log_package(tracking)
    rnd = Random(number)
    without = {path: data for path, data in known.package.items() if path != "mltrack.json"}
    for whole, victim in ((without, "MLmodel"), (known.package, "mltrack.json")):
        damaged = {**whole, victim: damaged_file(victim, whole[victim], rnd)}
        model = _open_package(tracking, run, damaged)
        place = f"{model.experiment_id}/models/{model.model_id}/artifacts"
        known.add(model_id=model.model_id, served=f"{place}/MLmodel")
        known.add(served=f"{place}/mltrack.json")
