"""Everything that an import writes, in a form that can be compared."""

from __future__ import annotations

from typing import Any

from airflow_mltrack.lifecycle.mlflow_import.job import FROM_TAG, NUMBER_TAG, STATE_TAG
from airflow_mltrack.tracking.client import TrackingClient

_OWN = (FROM_TAG, NUMBER_TAG, STATE_TAG)


def recorded_runs(client: TrackingClient) -> dict[str, Any]:
    """Return every run with params, tags, whole histories, inputs and digests of files."""
    found: dict[str, Any] = {}
    with client.store.transaction() as tx:
        for experiment in tx.experiments.list(view="all"):
            page = tx.search.runs(
                experiment_ids=[experiment.experiment_id], max_results=1_000, view="all"
            )
            for data in page.runs:
                attempt = data.run.attempt_id
                assert data.run.attempt_number == 1
                found[data.run.run_id] = {
                    "experiment": (experiment.experiment_id, experiment.name),
                    "facts": (
                        data.run.name,
                        data.run.user,
                        data.run.status,
                        data.run.parent_run_id,
                    ),
                    "times": (data.run.started_at, data.run.ended_at),
                    "lifecycle": (data.run.lifecycle, experiment.lifecycle),
                    "params": dict(data.params),
                    "tags": {k: v for k, v in data.run.tags.items() if k not in _OWN},
                    "points": {key: repr(tx.metrics.history(attempt, key)) for key in data.metrics},
                    "inputs": tx.inputs.list(attempt),
                    "files": {
                        file.path: file.sha256 for file in tx.artifacts.walk(attempt_id=attempt)
                    },
                }
    return found


def recorded_models(client: TrackingClient, name: str) -> dict[int, Any]:
    """Return the versions of a registered model with the digests of their packages."""
    with client.store.transaction() as tx:
        return {
            item.version: (item.stage, item.digest, item.aliases, item.tags, item.run_id)
            for item in tx.registry.list_versions(name)
        }
