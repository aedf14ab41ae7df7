"""Say what an import would bring, and write nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.mlflow_import.importing import choose, nobody_watches
from airflow_mltrack.lifecycle.mlflow_import.job import FROM_TAG, read_state
from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport
from airflow_mltrack.lifecycle.mlflow_import.runs import kept_tags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.entities.experiments import Experiment
    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.lifecycle.mlflow_import.report import Progress
    from airflow_mltrack.lifecycle.mlflow_import.source import (
        Source,
        SourceExperiment,
        SourceRun,
    )
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def plan_import(
    client: TrackingClient,
    source: Source,
    *,
    experiments: Sequence[str] = (),
    progress: Progress = nobody_watches,
) -> ImportReport:
    """Count what there is and what of it is here, and tell what would be different here.

    Points are counted, files are not looked at.

    :param experiments: names; none means all.
    :raises NotFound: when the source has no such experiment.
    """
    report = ImportReport(source.address)
    for sentence in source.left_out():
        report.note(f"left out: {sentence}")
    for experiment in choose(source, experiments):
        _plan_experiment(client, report, experiment)
        for run in source.runs(experiment.experiment_id):
            _plan_run(client, report, source, run)
            progress(report)
        for _ in source.logged_models(experiment.experiment_id):
            report.there["logged models"] += 1
    for model in source.registered_models():
        if model.is_prompt:
            report.note(f"prompt {model.name} would be left out: prompts are no models.")
            continue
        report.there.update(
            {"registered models": 1, "versions": len(model.versions), "aliases": len(model.aliases)}
        )
    return report


def _plan_experiment(
    client: TrackingClient, report: ImportReport, experiment: SourceExperiment
) -> None:
    def find(tx: Transaction) -> tuple[Experiment | None, str | None]:
        number = experiment.experiment_id
        return _named(tx, experiment.name), _holder(tx, number)

    here, holder = client.transact(find)
    report.there["experiments"] += 1
    if here is not None:
        report.here["experiments"] += 1
        if here.lifecycle is Lifecycle.DELETED and FROM_TAG not in here.tags:
            report.problem(
                f"experiment {experiment.name}: its name is taken by deleted experiment "
                f"{here.experiment_id}. Restore or rename that one first."
            )
    elif holder is not None:
        report.note(
            f"experiment {experiment.name} would get another number than "
            f"{experiment.experiment_id}, which {holder} has here."
        )


def _plan_run(client: TrackingClient, report: ImportReport, source: Source, run: SourceRun) -> None:
    points = source.count_points(run)
    report.there.update(
        {
            "runs": 1,
            "params": len(run.params),
            "tags": len(kept_tags(run)),
            "points": points,
            "inputs": len(run.inputs),
        }
    )
    here = client.transact(lambda tx: _run(tx, run.run_id))
    if here is None:
        return
    report.here["runs"] += 1
    if FROM_TAG not in here.tags:
        report.problem(f"run {run.run_id}: a run of this id is here that was not imported.")
    elif read_state(here.tags).get("records") == run.fingerprint():
        report.known["runs"] += 1


def _named(tx: Transaction, name: str) -> Experiment | None:
    try:
        return tx.experiments.get_by_name(name)
    except NotFound:
        return None


def _holder(tx: Transaction, number: str) -> str | None:
    """Return the name of the experiment that has a number here."""
    if not (number.isascii() and number.isdecimal()):
        return None
    try:
        return tx.experiments.get(int(number)).name
    except NotFound:
        return None


def _run(tx: Transaction, run_id: str) -> Run | None:
    try:
        return tx.runs.get(run_id)
    except NotFound:
        return None
