"""Put imported versions into the stages that they had, as far as the model's own rules let them.

Nothing was shown here about an imported version. So the versions of a governed model come in
without a stage, and each is validated and promoted here as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.lifecycle.mlflow_import.job import Job
    from airflow_mltrack.lifecycle.mlflow_import.source import (
        SourceRegisteredModel,
        SourceVersion,
    )
    from airflow_mltrack.store.tracking_store import Transaction

VIA = "import"
"""Says in the history how a version came into its stage."""


def bring_stages(job: Job, model: SourceRegisteredModel) -> None:
    """Move every version that has not been moved here yet."""
    notes: list[str] = []

    def work(tx: Transaction) -> list[str]:
        return _move_all(tx, job, model)

    notes = job.client.transact(work)
    for note in notes:
        job.report.note(note)


def _move_all(tx: Transaction, job: Job, model: SourceRegisteredModel) -> list[str]:
    here = tx.registry.lock(model.name)
    moved = {event.version for event in tx.history.list(model.name, kinds=("transition",))}
    versions = {version.version: version for version in tx.registry.list_versions(model.name)}
    notes: list[str] = []
    # The one that was changed last comes first: of several it stays in the exclusive stage.
    for version in sorted(model.versions, key=lambda item: (-item.updated_at, -item.version)):
        found = versions.get(version.version)
        if found is None or version.version in moved:
            continue
        stage = _stage(tx, here, version, notes)
        if stage != found.stage:
            _move(tx, job, found, stage)
    return notes


def _stage(tx: Transaction, here: RegisteredModel, version: SourceVersion, notes: list[str]) -> str:
    """Return where a version belongs, and note it when that is not where it stood."""
    graph, first = here.stages, here.stages.stages[0]
    whose = f"model version {here.name}/{version.version} stood in {version.stage}"
    try:
        wanted = graph.canonical(version.stage)
    except InvalidInput:
        notes.append(f"{whose}, which this model does not have here; it is in {first}.")
        return first
    if wanted == first:
        return first
    if here.is_governed:
        notes.append(f"{whose}; it is in {first}, because this model is governed: promote it here.")
        return first
    if wanted == graph.exclusive and tx.registry.holder(here.name) is not None:
        notes.append(
            f"{whose}; it is in {graph.displaced_to}, because {wanted} has one holder, and another "
            "version was changed later."
        )
        return graph.displaced_to
    return wanted


def _move(tx: Transaction, job: Job, found: ModelVersion, stage: str) -> None:
    tx.registry.move(found.name, found.version, stage)
    tx.history.append(
        quiet=True,
        name=found.name,
        version=found.version,
        kind="transition",
        actor=job.actor,
        payload={
            "from": found.stage,
            "to": stage,
            "reason": f"imported from {job.report.address}",
            "via": VIA,
            "digest": found.digest,
            "verdict_id": None,
            "approvals": [],
            "previous": None,
            "details": {"imported_from": job.report.address},
        },
    )
