"""Compare what the source holds with what is here: counts, values and digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.exceptions import ArtifactError, NotFound
from airflow_mltrack.lifecycle.mlflow_import.job import FROM_TAG, Job, read_state
from airflow_mltrack.lifecycle.mlflow_import.models import find_model
from airflow_mltrack.lifecycle.mlflow_import.registry import find_registered_model
from airflow_mltrack.lifecycle.mlflow_import.runs import kept_tags, read_input
from airflow_mltrack.lifecycle.mlflow_import.source import FileOwner, PointsDigest
from airflow_mltrack.store.key_rules import PARAM_VALUE_LIMIT, TAG_VALUE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.entities.inputs import RunInput
    from airflow_mltrack.entities.runs import RunData
    from airflow_mltrack.lifecycle.mlflow_import.source import (
        SourceExperiment,
        SourceFile,
        SourceModel,
        SourceRegisteredModel,
        SourceRun,
    )
    from airflow_mltrack.store.tracking_store import Transaction

Counts = dict[str, int]


def verify(
    job: Job, chosen: Sequence[SourceExperiment], registered: Iterable[SourceRegisteredModel]
) -> None:
    """Count both sides anew, run by run and model by model; the report says where they differ.

    Points are counted there, and their digest, taken while they were read, is compared with that of
    the points here. Files are compared by number and size: their bytes were hashed on the way.
    What was added here since it was imported is nobody's loss, and is not counted.
    """
    for experiment in chosen:
        _verify_experiment(job, experiment)
        for run in job.source.runs(experiment.experiment_id):
            _verify_run(job, run)
        for model in job.source.logged_models(experiment.experiment_id):
            _verify_model(job, model)
    for item in registered:
        if not item.is_prompt:
            _verify_registered(job, item)


def _verify_experiment(job: Job, experiment: SourceExperiment) -> None:
    number = job.experiments[experiment.experiment_id]
    here = job.client.transact(lambda tx: tx.experiments.get(number))
    job.report.compare(f"experiment {experiment.name}", {"experiments": 1}, {"experiments": 1})
    if here.lifecycle is Lifecycle.ACTIVE and experiment.is_deleted and FROM_TAG in here.tags:
        job.report.difference(f"experiment {experiment.name}: deleted there, not here.")


def _verify_run(job: Job, run: SourceRun) -> None:
    whose = f"run {run.run_id}"
    files = _files_there(job, FileOwner("run", run.run_id, run.location))
    there = {
        "runs": 1,
        "params": len(run.params),
        "tags": len(kept_tags(run)),
        "points": job.source.count_points(run),
        "inputs": len(_inputs(map(read_input, run.inputs))),
        **_size(files),
    }
    found = _find_data(job, run.run_id)
    if found is None:
        here = dict.fromkeys(there, 0)
    else:
        digest = _points_here(job, found)
        if read_state(found.run.tags).get("points_digest") != digest.hexdigest():
            job.report.difference(f"{whose}: its metric points are not those that were read.")
        attempt = found.run.attempt_id
        read = job.client.transact(lambda tx: tx.inputs.list(attempt))
        kept = job.client.transact(lambda tx: tx.artifacts.walk(attempt_id=attempt))
        here = {
            "runs": 1,
            "params": _same(job, f"{whose}: param", run.params, found.params, PARAM_VALUE_LIMIT),
            "tags": _same(job, f"{whose}: tag", kept_tags(run), found.run.tags, TAG_VALUE_LIMIT),
            "points": digest.count,
            "inputs": len(_inputs(read) & _inputs(map(read_input, run.inputs))),
            **_size_here(files, kept),
        }
    job.report.compare(whose, there, here)
    job.progress(job.report)


def _find_data(job: Job, run_id: str) -> RunData | None:
    def find(tx: Transaction) -> RunData | None:
        try:
            return tx.runs.data(run_id)
        except NotFound:
            return None

    return job.client.transact(find)


def _same(
    job: Job, what: str, there: Mapping[str, str], here: Mapping[str, str], limit: int
) -> int:
    """Count the keys that both sides have, and tell of other values."""
    for key in there:
        # What was too long was cut, and a note says so.
        if key in here and here[key] != there[key][:limit]:
            job.report.difference(f"{what} {key} has another value here.")
    return len([key for key in there if key in here])


def _points_here(job: Job, data: RunData) -> PointsDigest:
    """Read every point that is here, one series at a time."""
    digest = PointsDigest()
    for key in data.metrics:
        series = job.client.transact(
            lambda tx, key=key: tx.metrics.series(data.run.attempt_id, key)  # type: ignore[misc]
        )
        for step, at, value in zip(series.steps, series.timestamps, series.values, strict=True):
            digest.add(key, value, step, at)
    return digest


def _inputs(read: Iterable[RunInput]) -> set[tuple[str, str, str]]:
    return {(item.dataset.name, item.dataset.digest, item.context) for item in read}


def _files_there(job: Job, owner: FileOwner) -> Sequence[SourceFile] | None:
    try:
        return job.source.files(owner)
    except ArtifactError:  # a problem of the report already
        return None


def _size(files: Sequence[SourceFile] | None) -> Counts:
    if files is None:
        return {}
    return {"files": len(files), "bytes": sum(file.size for file in files)}


def _size_here(files: Sequence[SourceFile] | None, kept: Sequence[Artifact]) -> Counts:
    """Measure what is here of the files that are there."""
    if files is None:
        return {}
    paths = {file.path for file in files}
    found = [file.size for file in kept if file.path in paths]
    return {"files": len(found), "bytes": sum(found)}


def _verify_model(job: Job, model: SourceModel) -> None:
    whose = f"logged model {model.model_id}"
    files = _files_there(job, FileOwner("model", model.model_id, model.location))
    there = {"logged models": 1, **_size(files)}
    data = find_model(job, model.model_id)
    if data is None:
        here = dict.fromkeys(there, 0)
    else:
        kept = job.client.transact(lambda tx: tx.artifacts.walk(model_id=model.model_id))
        here = {"logged models": 1, **_size_here(files, kept)}
        if data.model.status.value != model.status:
            status = data.model.status.value
            job.report.difference(f"{whose}: {model.status} there, {status} here.")
    job.report.compare(whose, there, here)


def _verify_registered(job: Job, model: SourceRegisteredModel) -> None:
    there = {
        "registered models": 1,
        "versions": len(model.versions),
        "aliases": len(model.aliases),
    }
    known = find_registered_model(job, model.name)
    here = dict.fromkeys(there, 0)
    if known is not None:
        numbers = {version.version for version in model.versions}
        found = job.client.transact(lambda tx: tx.registry.list_versions(model.name))
        here = {
            "registered models": 1,
            "versions": len([item for item in found if item.version in numbers]),
            "aliases": len([alias for alias in model.aliases if alias in known.aliases]),
        }
    job.report.compare(f"registered model {model.name}", there, here)
