"""Bring registered models: versions under their numbers, then stages, then aliases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.exceptions import ArtifactError, Conflict, InvalidInput, NotFound
from airflow_mltrack.lifecycle.mlflow_import.job import FROM_TAG, Job, fitting, moment
from airflow_mltrack.lifecycle.mlflow_import.stages import bring_stages
from airflow_mltrack.lifecycle.model_sources import resolve_source
from airflow_mltrack.lifecycle.registration import (
    default_graph,
    given_texts,
    set_alias,
    version_node,
)
from airflow_mltrack.store.key_rules import NAME_LIMIT, REGISTRY_TAG_LIMIT, check_tags

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.lifecycle.mlflow_import.source import (
        SourceRegisteredModel,
        SourceVersion,
    )
    from airflow_mltrack.store.tracking_store import Transaction

_LOGGED = re.compile(r".*/models/(?P<id>m-[^/]+)/artifacts/?")
_OF_RUN = re.compile(r".*/(?P<run>[^/]+)/artifacts/(?P<path>.+?)/?")


def bring_registered_model(job: Job, model: SourceRegisteredModel) -> None:
    """Bring a registered model, or what is missing of it. A prompt is none."""
    if model.is_prompt:
        job.report.note(f"prompt {model.name} was left out: prompts are no models.")
        return
    try:
        here = _ensure(job, model)
        if here is None:
            return
        for version in model.versions:
            _bring_version(job, model.name, version)
        job.client.transact(lambda tx: tx.registry.spend_versions(model.name, model.last_version))
        bring_stages(job, model)
        _bring_aliases(job, model)
    except (Conflict, InvalidInput, NotFound) as error:
        job.report.problem(f"registered model {model.name}: {error}")


def find_registered_model(job: Job, name: str) -> RegisteredModel | None:
    """Return a registered model that is here, None when it is not."""

    def find(tx: Transaction) -> RegisteredModel | None:
        try:
            return tx.registry.get_model(name)
        except NotFound:
            return None

    return job.client.transact(find)


def find_version(job: Job, name: str, number: int) -> ModelVersion | None:
    """Return a version that is here, None when it is not."""

    def find(tx: Transaction) -> ModelVersion | None:
        try:
            return tx.registry.get_version(name, number)
        except NotFound:
            return None

    return job.client.transact(find)


def _ensure(job: Job, model: SourceRegisteredModel) -> RegisteredModel | None:
    """Return the model here, made when it is new; None for one that was not imported."""
    known = find_registered_model(job, model.name)
    if known is not None and FROM_TAG not in known.tags:
        job.report.problem(
            f"registered model {model.name}: a model of this name is here that was not imported. "
            "Rename one of the two."
        )
        return None
    if known is not None:
        job.report.known["registered models"] += 1
        return known
    whose = f"registered model {model.name}"
    tags = fitting(job, whose, model.tags, REGISTRY_TAG_LIMIT, check_tags)

    def work(tx: Transaction) -> RegisteredModel:
        made = tx.registry.create_model(
            model.name,
            description=model.description,
            tags=tags | {FROM_TAG: job.report.address},
            stages=default_graph(job.client.settings, model.name),
            created_at=moment(model.created_at),
        )
        facts = {
            "gates": made.gates,
            "stages": made.stages.to_json(),
            **given_texts(made),
            "details": {"imported_from": job.report.address},
        }
        tx.history.append(
            quiet=True,
            name=model.name,
            version=None,
            kind="created",
            actor=job.actor,
            payload=facts,
        )
        return made

    made = job.client.transact(work)
    job.count("registered models")
    return made


def _bring_version(job: Job, name: str, version: SourceVersion) -> None:
    whose = f"model version {name}/{version.version}"
    known = find_version(job, name, version.version)
    if known is not None:
        job.report.known["versions"] += 1
        if known.model_id is None:
            _tell_of_package(job, whose, version)
        return
    package = _package(job, whose, version)
    logged = package if isinstance(package, LoggedModel) else None
    tags = fitting(job, whose, version.tags, REGISTRY_TAG_LIMIT, check_tags)

    def work(tx: Transaction) -> None:
        made = tx.registry.create_version(
            name,
            source=f"models:/{logged.model_id}" if logged else str(package) or "unknown",
            model_id=logged.model_id if logged else None,
            run_id=version.run_id or (logged.run_id if logged else None),
            digest=logged.digest if logged else None,
            run_link=version.run_link,
            user=version.user[:NAME_LIMIT],
            description=version.description,
            tags=tags,
            reuse=False,
            version=version.version,
            created_at=moment(version.created_at),
        )
        _record(tx, job, made, logged, version)

    job.client.transact(work)
    job.count("versions")


def _record(
    tx: Transaction,
    job: Job,
    made: ModelVersion,
    logged: LoggedModel | None,
    version: SourceVersion,
) -> None:
    tx.history.append(
        quiet=True,
        name=made.name,
        version=made.version,
        kind="registered",
        actor=job.actor,
        payload={
            "source": made.source,
            "run_id": made.run_id,
            "digest": made.digest,
            "model_type": logged.model_type if logged else "",
            **given_texts(made),
            "details": {
                "imported_from": job.report.address,
                "source_there": version.source,
                "stage_there": version.stage,
                "registered_by": version.user,
            },
        },
    )
    if logged is not None:
        node = LineageNode("model", logged.model_id)
        to = version_node(made.name, made.version)
        tx.lineage.add([LineageEdge(node, to, "registered_as")])


def _package(job: Job, whose: str, version: SourceVersion) -> LoggedModel | str:
    """Find what a version is made of; its address alone where the bytes are not here."""
    try:
        package = resolve_source(job.client, _address(job, version))
    except (ArtifactError, Conflict, InvalidInput, NotFound) as error:
        job.report.problem(f"{whose} has no package here: {error}")
        return version.source
    if not isinstance(package, LoggedModel):
        job.report.note(f"{whose} is kept at {version.source}; its bytes were not brought.")
    return package


def _tell_of_package(job: Job, whose: str, version: SourceVersion) -> None:
    """Report again that a version came without its package, which it does not get any more."""
    package = _package(job, whose, version)
    if isinstance(package, LoggedModel):
        job.report.problem(
            f"{whose} came without a package, and that does not change. Its files are here now: "
            f"register models:/{package.model_id} as a new version."
        )


def _address(job: Job, version: SourceVersion) -> str:
    """Return an address that is good here: where files lay there says whose files they are."""
    for given in (version.storage, version.source):
        if found := _LOGGED.fullmatch(given):
            return f"models:/{found['id']}"
        found = _OF_RUN.fullmatch(given)
        if found and job.find_run(found["run"]):
            return f"runs:/{found['run']}/{found['path']}"
    return version.source


def _bring_aliases(job: Job, model: SourceRegisteredModel) -> None:
    """Set the aliases that are not here; one that was moved here stays where it is."""
    here = find_registered_model(job, model.name)
    for alias, version in model.aliases.items():
        if here is not None and alias in here.aliases:
            job.report.known["aliases"] += 1
            continue
        try:
            set_alias(
                job.client,
                model.name,
                alias,
                version,
                actor=job.actor,
                reason=f"imported from {job.report.address}",
                quiet=True,
            )
        except (InvalidInput, NotFound) as error:
            job.report.problem(f"alias {model.name}@{alias}: {error}")
        else:
            job.count("aliases")
