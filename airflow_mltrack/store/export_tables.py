"""The tables of an export: their columns, where they come from, and what a scope leaves of them.

Surrogate numbers stay inside; rows refer to each other by the ids that people see. Experiments and
times cut nothing off the registry, and nothing at all is cut off the history: a chain of hashes
with a hole proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, func, select

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.exports import ColumnKind, ExportScope
from airflow_mltrack.store.export_query import (
    MIDDLE,
    WIDE,
    Field,
    TableQuery,
    field,
    fields,
    milliseconds,
    pairs,
)
from airflow_mltrack.store.registry_tables import (
    aliases,
    approvals,
    history,
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
    verdicts,
)
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import (
    attempts,
    datasets,
    experiment_tags,
    experiments,
    inputs,
    latest_metrics,
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
    params,
    run_models,
    run_tags,
    runs,
)


def run_rules(scope: ExportScope) -> Iterable[ColumnElement[bool]]:
    """Give the conditions that runs of a scope fulfil."""
    if scope.experiment_ids is not None:
        yield among(runs.c.experiment_id, scope.experiment_ids)
    if scope.since is not None:
        yield runs.c.started_at >= scope.since
    if not scope.include_deleted:
        yield runs.c.lifecycle == Lifecycle.ACTIVE.value


def _experiment_rules(scope: ExportScope) -> Iterable[ColumnElement[bool]]:
    if scope.experiment_ids is not None:
        yield among(experiments.c.id, scope.experiment_ids)
    if not scope.include_deleted:
        yield experiments.c.lifecycle == Lifecycle.ACTIVE.value


def _dataset_rules(scope: ExportScope) -> Iterable[ColumnElement[bool]]:
    used = inputs.join(attempts, inputs.c.attempt == attempts.c.id).join(
        runs, attempts.c.run == runs.c.id
    )
    reads = select(inputs.c.dataset).select_from(used).where(*run_rules(scope))
    yield datasets.c.id.in_(reads)


def _logged_model_rules(scope: ExportScope) -> Iterable[ColumnElement[bool]]:
    if scope.experiment_ids is not None:
        yield among(logged_models.c.experiment_id, scope.experiment_ids)
    if scope.since is not None:
        yield func.coalesce(runs.c.started_at, logged_models.c.created_at) >= scope.since
    if not scope.include_deleted:
        yield logged_models.c.deleted_at.is_(None)
        yield experiments.c.lifecycle == Lifecycle.ACTIVE.value


def _model_rules(scope: ExportScope) -> Iterable[ColumnElement[bool]]:
    if not scope.include_deleted:
        yield ~registered_models.c.deleted


def _version_rules(scope: ExportScope) -> Iterable[ColumnElement[bool]]:
    yield from _model_rules(scope)
    if not scope.include_deleted:
        yield ~model_versions.c.deleted


def _no_rules(_: ExportScope) -> Iterable[ColumnElement[bool]]:
    return ()


_parent = runs.alias("parent")
_latest = attempts.alias("latest")
_of_runs = attempts.join(runs, attempts.c.run == runs.c.id)
_run_id = {"run_id": field(runs.c.run_id)}
_attempt = {**_run_id, "attempt": field(attempts.c.number)}
_models = (
    logged_models.join(experiments, logged_models.c.experiment_id == experiments.c.id)
    .outerjoin(runs, logged_models.c.run == runs.c.id)
    .outerjoin(attempts, logged_models.c.attempt == attempts.c.id)
)
_measuring = runs.alias("measuring")
_versions = model_versions.join(registered_models, model_versions.c.model == registered_models.c.id)

TABLES: Mapping[str, TableQuery] = {
    "experiments": TableQuery(
        {
            "experiment_id": field(experiments.c.id),
            **fields(experiments, "name", "artifact_root", "lifecycle", "created_at", "updated_at"),
            "tags": pairs(experiment_tags, experiment_tags.c.experiment_id == experiments.c.id),
        },
        experiments,
        (experiments.c.id,),
        _experiment_rules,
    ),
    "runs": TableQuery(
        {
            **_run_id,
            "experiment_id": field(runs.c.experiment_id),
            "experiment": field(experiments.c.name),
            **fields(runs, "name", "status", "lifecycle", "started_at", "ended_at", "user"),
            "parent_run_id": field(_parent.c.run_id),
            **fields(runs, "dag_id", "dag_run_id", "task_id", "map_index"),
            "attempt": field(runs.c.attempt_number),
            "try_number": field(_latest.c.try_number),
            "error": field(_latest.c.error),
            **fields(runs, "artifact_root", "deleted_at"),
        },
        runs.join(experiments, runs.c.experiment_id == experiments.c.id)
        .outerjoin(_parent, runs.c.parent_id == _parent.c.id)
        .outerjoin(_latest, runs.c.attempt_id == _latest.c.id),
        (runs.c.id,),
        run_rules,
    ),
    "attempts": TableQuery(
        {
            **_attempt,
            "latest": Field(ColumnKind.FLAG, runs.c.attempt_id == attempts.c.id),
            **fields(attempts, "attempt_key", "status", "started_at", "ended_at", "heartbeat_at"),
            **fields(attempts, "try_number", "error", "details"),
        },
        _of_runs,
        (attempts.c.id,),
        run_rules,
        MIDDLE,
    ),
    "params": TableQuery(
        {**_attempt, **fields(params, "key", "value", "current")},
        params.join(_of_runs, params.c.attempt == attempts.c.id),
        (params.c.attempt, params.c.key),
        run_rules,
    ),
    "tags": TableQuery(
        {**_run_id, **fields(run_tags, "key", "value")},
        run_tags.join(runs, run_tags.c.run == runs.c.id),
        (run_tags.c.run, run_tags.c.key),
        run_rules,
    ),
    "latest_metrics": TableQuery(
        {
            **_attempt,
            **fields(latest_metrics, "key", "value", "step"),
            "timestamp": milliseconds(latest_metrics.c.timestamp),
            "current": field(latest_metrics.c.current),
        },
        latest_metrics.join(_of_runs, latest_metrics.c.attempt == attempts.c.id),
        (latest_metrics.c.attempt, latest_metrics.c.key),
        run_rules,
    ),
    "inputs": TableQuery(
        {
            **_attempt,
            **fields(datasets, "experiment_id", "name", "digest", "source_type", "source"),
            **fields(inputs, "context", "tags"),
        },
        inputs.join(datasets, inputs.c.dataset == datasets.c.id).join(
            _of_runs, inputs.c.attempt == attempts.c.id
        ),
        (inputs.c.attempt, inputs.c.dataset, inputs.c.context),
        run_rules,
        MIDDLE,
    ),
    "datasets": TableQuery(
        {
            **fields(datasets, "experiment_id", "name", "digest", "source_type", "source"),
            **fields(datasets, "schema", "profile"),
        },
        datasets,
        (datasets.c.id,),
        _dataset_rules,
        WIDE,
    ),
    "logged_models": TableQuery(
        {
            **fields(logged_models, "model_id", "experiment_id", "name", "status"),
            "status_message": field(logged_models.c.status_message),
            **_attempt,
            **fields(logged_models, "artifact_root", "digest", "model_type", "size"),
            **fields(logged_models, "created_at", "updated_at", "deleted_at", "manifest"),
            "params": pairs(
                logged_model_params, logged_model_params.c.logged_model == logged_models.c.id
            ),
            "tags": pairs(
                logged_model_tags, logged_model_tags.c.logged_model == logged_models.c.id
            ),
        },
        _models,
        (logged_models.c.id,),
        _logged_model_rules,
        WIDE,
    ),
    "logged_model_metrics": TableQuery(
        {
            "model_id": field(logged_models.c.model_id),
            "run_id": field(_measuring.c.run_id),
            **fields(logged_model_metrics, "key", "step"),
            "timestamp": milliseconds(logged_model_metrics.c.timestamp),
            **fields(logged_model_metrics, "value", "dataset_name", "dataset_digest"),
        },
        _models.join(
            logged_model_metrics, logged_model_metrics.c.logged_model == logged_models.c.id
        ).join(_measuring, logged_model_metrics.c.run == _measuring.c.id),
        (logged_model_metrics.c.id,),
        _logged_model_rules,
    ),
    "run_models": TableQuery(
        {**_attempt, **fields(run_models, "direction", "model_id", "step")},
        run_models.join(_of_runs, run_models.c.attempt == attempts.c.id),
        (run_models.c.attempt, run_models.c.direction, run_models.c.model_id),
        run_rules,
    ),
    "registered_models": TableQuery(
        {
            **fields(registered_models, "name", "description", "last_version", "deleted"),
            **fields(registered_models, "created_at", "updated_at", "stages", "gates"),
            "tags": pairs(
                registered_model_tags, registered_model_tags.c.model == registered_models.c.id
            ),
        },
        registered_models,
        (registered_models.c.id,),
        _model_rules,
        WIDE,
    ),
    "model_versions": TableQuery(
        {
            "name": field(registered_models.c.name),
            **fields(model_versions, "version", "stage", "live", "status", "source"),
            "model_id": field(logged_models.c.model_id),
            **fields(model_versions, "run_id", "run_link", "digest", "user", "description"),
            **fields(model_versions, "deleted", "created_at", "updated_at"),
            "tags": pairs(
                model_version_tags,
                (model_version_tags.c.model == model_versions.c.model)
                & (model_version_tags.c.version == model_versions.c.version),
            ),
        },
        _versions.outerjoin(logged_models, model_versions.c.logged_model == logged_models.c.id),
        (model_versions.c.model, model_versions.c.version),
        _version_rules,
        WIDE,
    ),
    "aliases": TableQuery(
        {"name": field(registered_models.c.name), **fields(aliases, "alias", "version")},
        aliases.join(registered_models, aliases.c.model == registered_models.c.id),
        (aliases.c.model, aliases.c.alias),
        _model_rules,
    ),
    "verdicts": TableQuery(
        {
            **fields(verdicts, "verdict_id", "name", "version", "passed", "package_digest"),
            **fields(verdicts, "policy", "policy_digest", "dataset_name", "dataset_digest"),
            **fields(verdicts, "checks", "champion_version", "actor", "run_id", "details"),
            **fields(verdicts, "created_at", "valid_until"),
        },
        verdicts,
        (verdicts.c.id,),
        _no_rules,
        WIDE,
    ),
    "approvals": TableQuery(
        {
            **fields(approvals, "approval_id", "name", "version", "stage", "decision"),
            **fields(approvals, "approver", "reason", "package_digest", "verdict_id"),
            **fields(approvals, "requested_by", "created_at", "valid_until", "details"),
        },
        approvals,
        (approvals.c.id,),
        _no_rules,
        WIDE,
    ),
    "history": TableQuery(
        {
            "event_id": field(history.c.id),
            **fields(history, "name", "version", "kind", "actor", "at", "payload"),
            **fields(history, "previous_hash", "hash"),
        },
        history,
        (history.c.id,),
        _no_rules,
        WIDE,
    ),
}
"""By name, in the order of an export; metric histories are read by :mod:`.export_rows`."""
