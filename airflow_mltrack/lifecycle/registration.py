"""Register model packages under a name, and change what a name stands for; all recorded."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
from airflow_mltrack.entities.stages import GATED, OPEN, StageGraph, stage_graph
from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.lifecycle.policy import parse_policy
from airflow_mltrack.lifecycle.recorded_text import recorded_text
from airflow_mltrack.lifecycle.version_tags import set_tags_in
from airflow_mltrack.tracking.model_uri import resolve

if TYPE_CHECKING:
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

Stages = str | Mapping[str, object] | StageGraph
"""A profile's name, a stage graph as plain data, or one that was read."""


def register_model(
    client: TrackingClient,
    name: str,
    model_uri: str,
    *,
    actor: str,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    gates: Mapping[str, object] | None = None,
    stages: Stages | None = None,
    details: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Make a logged model a version of a registered model, which is created when it is new.

    Doing it again with the same logged model returns the version that is there, so a retried task
    makes no second one; tags that it lacks are added, those that it has stay.

    :param name: 1 to 250 printable characters without ``/`` and ``:``.
    :param model_uri: ``models:/m-...`` or ``runs:/<run id>/<name>``.
    :param actor: who registers.
    :param description: of the version.
    :param tags: of the version.
    :param gates: policy of the registered model (see :mod:`airflow_mltrack.lifecycle.policy`);
        None leaves it. A change is recorded.
    :param stages: stage graph of the registered model: ``open``, ``gated``, or plain data (see
        :mod:`airflow_mltrack.entities.stages`); None leaves it. A new model gets ``open``, or
        ``gated`` where the settings' ``gated_models`` name it.
    :param details: JSON-able facts for the history, for example Dag and Dag run.
    :raises NotFound: when the URI leads to nothing.
    :raises Conflict: when the package is not complete.
    :raises InvalidInput: when the name, a tag or the policy breaks its rule.
    """
    logged = resolve(client, model_uri)
    if gates:
        parse_policy(gates)
    graph = None if stages is None else stage_graph(stages)
    with client.store.transaction() as tx:
        model = _ensure_model(tx, name, actor, default_graph(client.settings, name))
        _change_policy(tx, model, gates=gates, graph=graph, actor=actor)
        return add_version(
            tx, name, logged, actor=actor, description=description, tags=tags, details=details
        )


def add_version(
    tx: Transaction,
    name: str,
    package: LoggedModel | str,
    *,
    actor: str,
    run_id: str | None = None,
    run_link: str = "",
    description: str = "",
    tags: Mapping[str, str] | None = None,
    details: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Add a version to a registered model that is there, and record it.

    A logged model becomes a version of a name once: again, it is the version that is there, and
    gets the tags that it lacks.

    :param package: a logged model that is READY, or the address of one that is kept elsewhere,
        whose bytes nobody here vouches for.
    :param run_id: of a package that is kept elsewhere.
    :raises NotFound: when there is no such registered model.
    :raises InvalidInput: when a tag or a text breaks its rule.
    """
    tx.registry.lock(name)
    logged = package if isinstance(package, LoggedModel) else None
    if logged is not None:
        for found in tx.registry.versions_of(model_id=logged.model_id):
            if found.name == name:
                new = {key: value for key, value in (tags or {}).items() if key not in found.tags}
                return set_tags_in(tx, name, found.version, new, actor=actor, details=details)
    version = tx.registry.create_version(
        name,
        source=f"models:/{logged.model_id}" if logged else str(package),
        model_id=logged.model_id if logged else None,
        run_id=logged.run_id if logged else run_id,
        run_link=run_link,
        digest=logged.digest if logged else None,
        user=actor,
        description=description,
        tags=tags,
    )
    _record_registration(tx, version, logged, actor, details)
    return version


def set_policy(
    client: TrackingClient,
    name: str,
    *,
    actor: str,
    gates: Mapping[str, object] | None = None,
    stages: Stages | None = None,
    reason: str = "",
) -> RegisteredModel:
    """Change what versions of a model must show, and which moves between stages there are.

    A verdict made under other gates does not count any more. The change is recorded.

    :param gates: the whole new policy; ``{}`` removes it, None leaves it.
    :param stages: the whole new stage graph: ``open``, ``gated``, or plain data (see
        :mod:`airflow_mltrack.entities.stages`); None leaves it.
    :raises NotFound: when there is no such model.
    :raises InvalidInput: when gates or stages break a rule.
    :raises Conflict: when a version stands in a stage that the new graph does not have, or several
        in its exclusive one.
    """
    if gates:
        parse_policy(gates)
    graph = None if stages is None else stage_graph(stages)
    with client.store.transaction() as tx:
        model = tx.registry.lock(name)
        return _change_policy(tx, model, gates=gates, graph=graph, actor=actor, reason=reason)


def create_model(
    client: TrackingClient,
    name: str,
    *,
    actor: str,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    details: Mapping[str, object] | None = None,
) -> RegisteredModel:
    """Make a registered model without a version.

    :param details: JSON-able facts for the history, for example through which door it came.
    :raises InvalidInput: when the name or a tag breaks its rule.
    :raises Conflict: when the name is taken.
    """
    with client.store.transaction() as tx:
        model = tx.registry.create_model(
            name,
            description=description,
            tags=tags,
            stages=default_graph(client.settings, name),
        )
        _record_creation(tx, model, actor, details)
        return model


def default_graph(settings: Settings, name: str) -> StageGraph:
    """Return the stage graph that a new model gets: gated where the site's settings name it."""
    gated = any(fnmatchcase(name, pattern) for pattern in settings.gated_models)
    return GATED if gated else OPEN


def set_alias(
    client: TrackingClient,
    name: str,
    alias: str,
    version: int,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
    quiet: bool = False,
) -> ModelVersion:
    """Point an alias at a version. Repeating it changes nothing and records nothing.

    :param details: as :func:`create_model`.
    :param quiet: no webhook hears of it.
    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the alias breaks its rule.
    """
    with client.store.transaction() as tx:
        before = tx.registry.lock(name).aliases.get(alias)
        if before != version:
            tx.registry.set_alias(name, alias, version)
            why = {"reason": reason, **_facts(details)}
            _record_alias(tx, name, alias, before, version, actor, why, quiet=quiet)
        return tx.registry.get_version(name, version)


def delete_alias(
    client: TrackingClient,
    name: str,
    alias: str,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> int | None:
    """Remove an alias; return the version it pointed at, None when there was no such alias.

    :param details: as :func:`create_model`.
    """
    with client.store.transaction() as tx:
        before = tx.registry.delete_alias(name, alias)
        if before is not None:
            why = {"reason": reason, **_facts(details)}
            _record_alias(tx, name, alias, before, None, actor, why)
        return before


def delete_version(
    client: TrackingClient,
    name: str,
    version: int,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Delete a version. Its number is not given again; verdicts and history stay.

    :param details: as :func:`create_model`.
    :raises NotFound: when there is no such version.
    :raises Conflict: when it is live and the model is governed: archive it first.
    """
    with client.store.transaction() as tx:
        model = tx.registry.lock(name)
        found = tx.registry.get_version(name, version)
        if found.stage == model.stages.exclusive and model.is_governed:
            raise Conflict(
                "model version",
                f"{name}/{version}",
                f"it is live in {found.stage}.",
                "Move it out of there first.",
            )
        tx.registry.delete_version(name, version)
        tx.history.append(
            name=name,
            version=version,
            kind="deleted",
            actor=actor,
            payload={
                "stage": found.stage,
                "digest": found.digest,
                "reason": reason,
                **_facts(details),
            },
        )


def delete_model(
    client: TrackingClient,
    name: str,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> None:
    """Delete a registered model with all versions. Verdicts and history stay.

    :param details: as :func:`create_model`.
    :raises NotFound: when there is no such model.
    :raises Conflict: when it is governed and a version is live: archive that one first.
    """
    with client.store.transaction() as tx:
        model = tx.registry.lock(name)
        live = tx.registry.holder(name)
        if live is not None and model.is_governed:
            raise Conflict(
                "registered model",
                name,
                f"version {live.version} is live in {live.stage}.",
                "Move it out of there first.",
            )
        versions = [version.version for version in tx.registry.list_versions(name)]
        tx.registry.delete_model(name)
        tx.history.append(
            name=name,
            version=None,
            kind="deleted",
            actor=actor,
            payload={"versions": sorted(versions), "reason": reason, **_facts(details)},
        )


def rename_model(
    client: TrackingClient,
    name: str,
    new_name: str,
    *,
    actor: str,
    reason: str = "",
    details: Mapping[str, object] | None = None,
) -> RegisteredModel:
    """Give a registered model another name.

    Its history stays under the old name and begins anew under the new one; both chains say so.
    Verdicts and approvals stay with the old name: a model that asks for them gets new ones.

    :param details: as :func:`create_model`.
    :raises NotFound: when there is no such model.
    :raises Conflict: when the new name is or was in use.
    """
    with client.store.transaction() as tx:
        renamed = tx.registry.rename_model(name, new_name)
        payload = {"from": name, "to": new_name, "reason": reason, **_facts(details)}
        # In one order for everybody: two renames that cross wait for each other, not for ever.
        for chain in sorted((name, new_name)):
            tx.history.append(
                name=chain, version=None, kind="renamed", actor=actor, payload=payload
            )
        return renamed


def _ensure_model(tx: Transaction, name: str, actor: str, graph: StageGraph) -> RegisteredModel:
    """Create the model, or lock the one that is there."""
    try:
        model = tx.registry.create_model(name, stages=graph)
    except Conflict:
        return tx.registry.lock(name)
    _record_creation(tx, model, actor)
    return model


def _facts(details: Mapping[str, object] | None) -> dict[str, object]:
    return {"details": dict(details)} if details else {}


def _record_creation(
    tx: Transaction,
    model: RegisteredModel,
    actor: str,
    details: Mapping[str, object] | None = None,
) -> None:
    rules = {"gates": model.gates, "stages": model.stages.to_json()}
    tx.history.append(
        name=model.name,
        version=None,
        kind="created",
        actor=actor,
        payload={**rules, **given_texts(model), **_facts(details)},
    )


def _change_policy(
    tx: Transaction,
    model: RegisteredModel,
    *,
    gates: Mapping[str, object] | None,
    graph: StageGraph | None,
    actor: str,
    reason: str = "",
) -> RegisteredModel:
    """Apply and record what differs from the model's rules."""
    new_gates = dict(model.gates if gates is None else gates)
    new_graph = model.stages if graph is None else graph
    if new_gates == model.gates and new_graph == model.stages:
        return model
    changed = tx.registry.set_policy(model.name, gates=new_gates, stages=new_graph)
    payload = {
        "from": {"gates": model.gates, "stages": model.stages.to_json()},
        "to": {"gates": new_gates, "stages": new_graph.to_json()},
        "reason": reason,
    }
    tx.history.append(name=model.name, version=None, kind="policy", actor=actor, payload=payload)
    return changed


def _record_registration(
    tx: Transaction,
    version: ModelVersion,
    logged: LoggedModel | None,
    actor: str,
    details: Mapping[str, object] | None,
) -> None:
    tx.history.append(
        name=version.name,
        version=version.version,
        kind="registered",
        actor=actor,
        payload={
            "source": version.source,
            "run_id": version.run_id,
            "digest": version.digest,
            "model_type": logged.model_type if logged else "",
            **given_texts(version),
            "details": dict(details or {}),
        },
    )
    if logged is None:
        return
    model_node = LineageNode("model", logged.model_id)
    edges = [LineageEdge(model_node, version_node(version.name, version.version), "registered_as")]
    if logged.run_id is not None:
        edges.append(LineageEdge(LineageNode("run", logged.run_id), model_node, "produced"))
    tx.lineage.add(edges)


def _record_alias(
    tx: Transaction,
    name: str,
    alias: str,
    before: int | None,
    after: int | None,
    actor: str,
    why: Mapping[str, object],
    *,
    quiet: bool = False,
) -> None:
    tx.history.append(
        quiet=quiet,
        name=name,
        version=before if after is None else after,
        kind="alias",
        actor=actor,
        payload={"alias": alias, "from": before, "to": after, **why},
    )


def given_texts(record: RegisteredModel | ModelVersion) -> dict[str, object]:
    """Return the tags and the description that a new record came with, where it has them."""
    given: dict[str, object] = {
        "tags": {key: recorded_text(value) for key, value in record.tags.items()},
        "description": recorded_text(record.description),
    }
    return {key: value for key, value in given.items() if value}


def version_node(name: str, version: int) -> LineageNode:
    """Return the lineage node of a model version."""
    return LineageNode("model_version", f"{name}/{version}")
