"""Evidence packs of tests: made, read, unpacked."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.lifecycle.evidence.pack import EvidencePack, write_evidence
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.tracking.client import TrackingClient

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


def make_pack(
    client: TrackingClient, version: ModelVersion, directory: Path, **options: Any
) -> EvidencePack:
    """Write the pack of a version, at a stated time."""
    options = {"actor": "auditor", "now": NOW, **options}
    return write_evidence(client, version.name, version.version, directory, **options)


def unpack(pack: EvidencePack, directory: Path) -> Path:
    """Unpack an archive; return the directory."""
    with zipfile.ZipFile(pack.path) as archive:
        archive.extractall(directory)
    return directory


def told_by(pack: EvidencePack, path: str = "evidence.json") -> Any:
    """Read a JSON file of a pack."""
    with zipfile.ZipFile(pack.path) as archive:
        return json.loads(archive.read(path))


def report_of(pack: EvidencePack) -> str:
    """Read the report of a pack."""
    with zipfile.ZipFile(pack.path) as archive:
        return archive.read("report.html").decode()


def missing_in(pack: EvidencePack) -> dict[str, dict[str, Any]]:
    """Return what a pack misses, by what it is."""
    return {item["what"]: item for item in told_by(pack)["missing"]}


def logged_version(client: TrackingClient) -> ModelVersion:
    """Register a real package of a run with one param."""
    from sklearn.linear_model import LinearRegression

    identity = RunIdentity("task", "first try")
    with client.start_run("train", identity=identity, heartbeat=False) as run:
        run.log_param("depth", 3)
        model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
        logged = run.log_model(model, "model")
    return register_model(client, "line", f"models:/{logged.model_id}", actor="ada")
