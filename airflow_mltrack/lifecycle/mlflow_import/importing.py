"""Bring everything that a source of MLflow records holds into this backend.

Ids stay as they are, so addresses and links go on working. It may be stopped at any moment and done
again: what is here whole is recognised, what is half is completed, and nothing is there twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.exceptions import Conflict, NotFound
from airflow_mltrack.lifecycle.mlflow_import.job import (
    FROM_TAG,
    NUMBER_TAG,
    Job,
    fitting,
    moment,
)
from airflow_mltrack.lifecycle.mlflow_import.models import bring_model
from airflow_mltrack.lifecycle.mlflow_import.registry import bring_registered_model
from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
from airflow_mltrack.lifecycle.mlflow_import.runs import bring_run, link_models
from airflow_mltrack.lifecycle.mlflow_import.verification import verify
from airflow_mltrack.store.key_rules import EXPERIMENT_TAG_LIMIT, check_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_mltrack.entities.experiments import Experiment
    from airflow_mltrack.lifecycle.mlflow_import.report import Progress
    from airflow_mltrack.lifecycle.mlflow_import.source import (
        Source,
        SourceExperiment,
        SourceRegisteredModel,
    )
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def nobody_watches(report: ImportReport) -> None:
    """Show no progress."""


def import_records(
    client: TrackingClient,
    source: Source,
    *,
    actor: str,
    experiments: Sequence[str] = (),
    progress: Progress = nobody_watches,
) -> ImportReport:
    """Import everything, or some experiments, and compare both sides at the end.

    :param actor: who imports; the registry's history remembers it.
    :param experiments: names; none means all. Of the registry comes what was made by them.
    :raises NotFound: when the source has no such experiment.
    :raises Conflict: when an experiment's name is taken here by a deleted one.
    :raises DataUnavailable: when the source does not answer; import again to go on.
    """
    job = Job(client, source, actor, ImportReport(source.address), progress)
    chosen = choose(source, experiments)
    for sentence in source.left_out():
        job.report.note(f"left out: {sentence}")
    _check_names(job, chosen)
    for experiment in chosen:
        _ensure(job, experiment)
    for experiment in chosen:
        for run in source.runs(experiment.experiment_id):
            bring_run(job, run)
    _bring_models(job, chosen)
    for model in chosen_models(job, limited=bool(experiments)):
        bring_registered_model(job, model)
    _delete_again(job)
    verify(job, chosen, chosen_models(job, limited=bool(experiments)))
    return job.report


def choose(source: Source, names: Sequence[str]) -> list[SourceExperiment]:
    """Return the experiments of some names, all when there are none.

    :raises NotFound: names the first that is not there.
    """
    found = list(source.experiments())
    known = {experiment.name for experiment in found}
    for name in names:
        if name not in known:
            raise NotFound("experiment", name, f"It is not in {source.address}.")
    return [experiment for experiment in found if not names or experiment.name in names]


def chosen_models(job: Job, *, limited: bool) -> Iterator[SourceRegisteredModel]:
    """Go through the registered models that come along.

    :param limited: only those of which some version is of a run that is here.
    """
    for model in job.source.registered_models():
        runs = (version.run_id for version in model.versions)
        if not limited or any(run_id and job.find_run(run_id) for run_id in runs):
            yield model


def _bring_models(job: Job, chosen: Sequence[SourceExperiment]) -> None:
    for experiment in chosen:
        for model in job.source.logged_models(experiment.experiment_id):
            bring_model(job, model)
    for experiment in chosen:
        for run in job.source.runs(experiment.experiment_id):
            if run.models:
                link_models(job, run)


def _check_names(job: Job, chosen: Sequence[SourceExperiment]) -> None:
    """Refuse before anything is written."""
    for experiment in chosen:
        here = _named(job, experiment.name)
        deleted = here is not None and here.lifecycle is Lifecycle.DELETED
        if here is not None and deleted and FROM_TAG not in here.tags:
            raise Conflict(
                "experiment",
                experiment.name,
                f"its name is taken by deleted experiment {here.experiment_id}.",
                "Restore or rename that one, then import again.",
            )


def _named(job: Job, name: str) -> Experiment | None:
    def find(tx: Transaction) -> Experiment | None:
        try:
            return tx.experiments.get_by_name(name)
        except NotFound:
            return None

    return job.client.transact(find)


def _ensure(job: Job, experiment: SourceExperiment) -> None:
    """Find or make an experiment, and remember which number it has here."""
    here = _named(job, experiment.name)
    if here is None:
        here = _make(job, experiment)
        job.count("experiments")
    else:
        job.report.known["experiments"] += 1
        if FROM_TAG not in here.tags and here.experiment_id != 0:
            job.report.note(f"experiment {experiment.name} is here already; runs go into it.")
        _fill_up(job, experiment, here)
    job.experiments[experiment.experiment_id] = here.experiment_id
    if experiment.is_deleted and FROM_TAG in here.tags:
        job.deleted[experiment.experiment_id] = experiment
    if str(here.experiment_id) != experiment.experiment_id:
        job.report.note(
            f"experiment {experiment.name} had number {experiment.experiment_id}, and has "
            f"{here.experiment_id} here."
        )


def _fill_up(job: Job, experiment: SourceExperiment, here: Experiment) -> None:
    """Add the tags that an experiment lacks here; those that it has stay as they are."""
    missing = {key: value for key, value in experiment.tags.items() if key not in here.tags}
    whose = f"experiment {experiment.name}"
    tags = fitting(job, whose, missing, EXPERIMENT_TAG_LIMIT, check_tags)
    if tags:
        job.client.transact(lambda tx: tx.experiments.set_tags(here.experiment_id, tags))


def _make(job: Job, experiment: SourceExperiment) -> Experiment:
    whose = f"experiment {experiment.name}"
    tags = fitting(job, whose, experiment.tags, EXPERIMENT_TAG_LIMIT, check_tags)

    def work(tx: Transaction) -> Experiment:
        number = _free_number(tx, experiment.experiment_id)
        given = {FROM_TAG: job.report.address}
        given |= {} if number is not None else {NUMBER_TAG: experiment.experiment_id}
        return tx.experiments.create(
            experiment.name,
            tags=tags | given,
            experiment_id=number,
            created_at=moment(experiment.created_at),
        )

    return job.client.transact(work)


def _free_number(tx: Transaction, wanted: str) -> int | None:
    """Return the number that an experiment had, None when it is taken here or none of ours."""
    if not (wanted.isascii() and wanted.isdecimal() and len(wanted) <= 18):
        return None
    try:
        tx.experiments.get(int(wanted))
    except NotFound:
        return int(wanted)
    return None


def _delete_again(job: Job) -> None:
    """Delete the experiments that are deleted there, now that their runs are here."""

    def work(tx: Transaction) -> None:
        for old in job.deleted:
            number = job.experiments[old]
            if tx.experiments.get(number).lifecycle is Lifecycle.ACTIVE:
                tx.experiments.delete(number)

    job.client.transact(work)
