"""Bring the logged models of MLflow 3 under their own ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.entities.models import LoggedModelMetric, LoggedModelStatus
from airflow_mltrack.exceptions import ArtifactError, Conflict, InvalidInput, NotFound
from airflow_mltrack.lifecycle.mlflow_import.job import (
    FROM_TAG,
    Job,
    bring_files,
    fitting,
    moment,
)
from airflow_mltrack.lifecycle.mlflow_import.source import FileOwner, SourceModel
from airflow_mltrack.store.key_rules import (
    PARAM_VALUE_LIMIT,
    TAG_VALUE_LIMIT,
    check_params,
    check_tags,
)
from airflow_mltrack.tracking import run_artifacts
from airflow_mltrack.tracking.model_logging import complete_model

if TYPE_CHECKING:
    from airflow_mltrack.entities.models import LoggedModel, LoggedModelData
    from airflow_mltrack.store.tracking_store import Transaction

_METRICS_AT_ONCE = 2_000


def bring_model(job: Job, model: SourceModel) -> None:
    """Bring one logged model, or what is missing of it."""
    whose = f"logged model {model.model_id}"
    known = find_model(job, model.model_id)
    if known is not None and FROM_TAG not in known.tags:
        job.report.problem(f"{whose}: a model of this id is here that was not imported.")
        return
    if known is not None and _is_done(known.model, model):
        job.report.known["logged models"] += 1
        return
    try:
        here = _records(job, whose, model)
        if model.status == "FAILED":
            job.client.transact(lambda tx: tx.models.fail(here.model_id, model.status_message))
        elif model.status == "READY" and here.status is LoggedModelStatus.PENDING:
            _package(job, whose, here, model)
        if model.is_deleted:
            job.client.transact(lambda tx: tx.models.delete(here.model_id))
    except (ArtifactError, Conflict, InvalidInput) as error:
        job.report.problem(f"{whose}: {error}")
        return
    job.count("logged models")


def find_model(job: Job, model_id: str) -> LoggedModelData | None:
    """Return a logged model that is here, None when it is not."""

    def find(tx: Transaction) -> LoggedModelData | None:
        try:
            return tx.models.data([model_id])[0]
        except NotFound:
            return None

    return job.client.transact(find)


def _is_done(here: LoggedModel, model: SourceModel) -> bool:
    deleted = here.deleted_at is not None or not model.is_deleted
    return here.status.value == model.status and model.status != "PENDING" and deleted


def _records(job: Job, whose: str, model: SourceModel) -> LoggedModel:
    """Write what a model is; what was written before stays as it is."""
    params = fitting(job, whose, model.params, PARAM_VALUE_LIMIT, check_params)
    tags = fitting(job, whose, model.tags, TAG_VALUE_LIMIT, check_tags)
    run = job.find_run(model.run_id) if model.run_id else None
    found = find_model(job, model.model_id)
    here = found.model if found else None

    def work(tx: Transaction) -> LoggedModel:
        made = here or tx.models.create(
            experiment_id=job.experiments[model.experiment_id],
            name=model.name,
            run_id=run.run_id if run else None,
            attempt_id=run.attempt_id if run else None,
            model_type=model.model_type,
            model_id=model.model_id,
            created_at=moment(model.created_at),
        )
        tx.models.set_tags(made.model_id, tags | {FROM_TAG: job.report.address})
        tx.models.log_params(made.model_id, params)
        return made

    made = job.client.transact(work)
    _metrics(job, whose, model)
    return made


def _metrics(job: Job, whose: str, model: SourceModel) -> None:
    runs = {run_id: job.find_run(run_id) for run_id in {item.run_id for item in model.metrics}}
    kept = [
        (
            model.model_id,
            LoggedModelMetric(
                item.key,
                item.value,
                item.step,
                item.timestamp,
                item.run_id,
                item.dataset_name,
                item.dataset_digest,
            ),
        )
        for item in model.metrics
        if runs[item.run_id] is not None
    ]
    if len(kept) < len(model.metrics):
        missing = len(model.metrics) - len(kept)
        job.report.note(f"{whose}: {missing} metrics of runs that are not here were left out.")
    for start in range(0, len(kept), _METRICS_AT_ONCE):
        part = kept[start : start + _METRICS_AT_ONCE]
        job.client.transact(lambda tx, part=part: tx.models.log_metrics(part))  # type: ignore[misc]


def _package(job: Job, whose: str, here: LoggedModel, model: SourceModel) -> None:
    """Bring the files, then close the model: from there on it never changes.

    :raises ArtifactError: when its files cannot be looked at; it stays open for the next import.
    """
    files = job.source.files(FileOwner("model", model.model_id, model.location))
    owner = run_artifacts.FileOwner(model_id=here.model_id)
    if bring_files(job, whose, owner, here.artifact_root, files):
        complete_model(job.client, here.model_id)
