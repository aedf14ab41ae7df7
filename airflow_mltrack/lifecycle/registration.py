"""Register model packages under a name, and change what a name stands for; all recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.models import LoggedModel
from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel, Stage
from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.lifecycle.policy import parse_policy
from airflow_mltrack.tracking.model_uri import resolve

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def register_model(
    client: TrackingClient,
    name: str,
    model_uri: str,
    *,
    actor: str,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    gates: Mapping[str, object] | None = None,
    requires_verdict: bool | None = None,
    details: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Make a logged model a version of a registered model, which is created when it is new.

    Doing it again with the same logged model returns the version that is there, so a retried task
    makes no second one.

    :param name: 1 to 250 printable characters without ``/`` and ``:``.
    :param model_uri: ``models:/m-...`` or ``runs:/<run id>/<name>``.
    :param actor: who registers.
    :param description: of the version.
    :param tags: of the version.
    :param gates: policy of the registered model (see :mod:`airflow_mltrack.lifecycle.policy`);
        None leaves it. A change is recorded.
    :param requires_verdict: whether Production needs a passing verdict; None leaves it.
    :param details: JSON-able facts for the history, for example Dag and Dag run.
    :raises NotFound: when the URI leads to nothing.
    :raises Conflict: when the package is not complete.
    :raises InvalidInput: when the name, a tag or the policy breaks its rule.
    """
    logged = resolve(client, model_uri)
    if gates:
        parse_policy(gates)
    with client.store.transaction() as tx:
        model = _ensure_model(tx, name, actor)
        _change_policy(tx, model, gates=gates, requires_verdict=requires_verdict, actor=actor)
        for found in tx.registry.versions_of(model_id=logged.model_id):
            if found.name == name:
                return found
        version = tx.registry.create_version(
            name,
            source=f"models:/{logged.model_id}",
            model_id=logged.model_id,
            run_id=logged.run_id,
            digest=logged.digest,
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
    requires_verdict: bool | None = None,
    reason: str = "",
) -> RegisteredModel:
    """Change what versions of a model must show before Production.

    A verdict made under another policy does not count any more.

    :param gates: the whole new policy; ``{}`` removes it, None leaves it.
    :param requires_verdict: None leaves it.
    :raises NotFound: when there is no such model.
    :raises InvalidInput: when the policy breaks a rule.
    """
    if gates:
        parse_policy(gates)
    with client.store.transaction() as tx:
        model = tx.registry.lock(name)
        return _change_policy(
            tx, model, gates=gates, requires_verdict=requires_verdict, actor=actor, reason=reason
        )


def set_alias(
    client: TrackingClient, name: str, alias: str, version: int, *, actor: str, reason: str = ""
) -> ModelVersion:
    """Point an alias at a version. Repeating it changes nothing and records nothing.

    :raises NotFound: when there is no such model or version.
    :raises InvalidInput: when the alias breaks its rule.
    """
    with client.store.transaction() as tx:
        before = tx.registry.lock(name).aliases.get(alias)
        if before != version:
            tx.registry.set_alias(name, alias, version)
            _record_alias(tx, name, alias, before, version, actor, reason)
        return tx.registry.get_version(name, version)


def delete_alias(
    client: TrackingClient, name: str, alias: str, *, actor: str, reason: str = ""
) -> int | None:
    """Remove an alias; return the version it pointed at, None when there was no such alias."""
    with client.store.transaction() as tx:
        before = tx.registry.delete_alias(name, alias)
        if before is not None:
            _record_alias(tx, name, alias, before, None, actor, reason)
        return before


def delete_version(
    client: TrackingClient, name: str, version: int, *, actor: str, reason: str = ""
) -> None:
    """Delete a version. Its number is not given again; verdicts and history stay.

    :raises NotFound: when there is no such version.
    :raises Conflict: when it is live and the model asks for verdicts: archive it first.
    """
    with client.store.transaction() as tx:
        model = tx.registry.lock(name)
        found = tx.registry.get_version(name, version)
        if found.stage == Stage.PRODUCTION.value and (model.gates or model.requires_verdict):
            raise Conflict(
                "model version",
                f"{name}/{version}",
                "it is live in Production.",
                "Archive it first.",
            )
        tx.registry.delete_version(name, version)
        tx.history.append(
            name=name,
            version=version,
            kind="deleted",
            actor=actor,
            payload={"stage": found.stage, "digest": found.digest, "reason": reason},
        )


def delete_model(client: TrackingClient, name: str, *, actor: str, reason: str = "") -> None:
    """Delete a registered model with all versions. Verdicts and history stay.

    :raises NotFound: when there is no such model.
    :raises Conflict: when it asks for verdicts and a version is live: archive that one first.
    """
    with client.store.transaction() as tx:
        model = tx.registry.lock(name)
        live = tx.registry.holder(name)
        if live is not None and (model.gates or model.requires_verdict):
            raise Conflict(
                "registered model",
                name,
                f"version {live.version} is live in Production.",
                "Archive it first.",
            )
        versions = [version.version for version in tx.registry.list_versions(name)]
        tx.registry.delete_model(name)
        tx.history.append(
            name=name,
            version=None,
            kind="deleted",
            actor=actor,
            payload={"versions": sorted(versions), "reason": reason},
        )


def rename_model(
    client: TrackingClient, name: str, new_name: str, *, actor: str, reason: str = ""
) -> RegisteredModel:
    """Give a registered model another name.

    Its history stays under the old name and begins anew under the new one; both chains say so.
    Verdicts stay with the old name: a model that asks for them is validated again.

    :raises NotFound: when there is no such model.
    :raises Conflict: when the new name is or was in use.
    """
    with client.store.transaction() as tx:
        renamed = tx.registry.rename_model(name, new_name)
        payload = {"from": name, "to": new_name, "reason": reason}
        # In one order for everybody: two renames that cross wait for each other, not for ever.
        for chain in sorted((name, new_name)):
            tx.history.append(
                name=chain, version=None, kind="renamed", actor=actor, payload=payload
            )
        return renamed


def _ensure_model(tx: Transaction, name: str, actor: str) -> RegisteredModel:
    """Create the model, or lock the one that is there."""
    try:
        model = tx.registry.create_model(name)
    except Conflict:
        return tx.registry.lock(name)
    tx.history.append(name=name, version=None, kind="created", actor=actor, payload={})
    return model


def _change_policy(
    tx: Transaction,
    model: RegisteredModel,
    *,
    gates: Mapping[str, object] | None,
    requires_verdict: bool | None,
    actor: str,
    reason: str = "",
) -> RegisteredModel:
    """Apply and record a policy that differs from the model's."""
    new_gates = dict(model.gates if gates is None else gates)
    required = model.requires_verdict if requires_verdict is None else requires_verdict
    if new_gates == model.gates and required == model.requires_verdict:
        return model
    changed = tx.registry.set_policy(model.name, gates=new_gates, requires_verdict=required)
    payload = {
        "from": {"gates": model.gates, "requires_verdict": model.requires_verdict},
        "to": {"gates": new_gates, "requires_verdict": required},
        "reason": reason,
    }
    tx.history.append(name=model.name, version=None, kind="policy", actor=actor, payload=payload)
    return changed


def _record_registration(
    tx: Transaction,
    version: ModelVersion,
    logged: LoggedModel,
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
            "model_type": logged.model_type,
            "details": dict(details or {}),
        },
    )
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
    reason: str,
) -> None:
    tx.history.append(
        name=name,
        version=before if after is None else after,
        kind="alias",
        actor=actor,
        payload={"alias": alias, "from": before, "to": after, "reason": reason},
    )


def version_node(name: str, version: int) -> LineageNode:
    """Return the lineage node of a model version."""
    return LineageNode("model_version", f"{name}/{version}")
