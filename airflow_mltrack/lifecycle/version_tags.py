"""Set and delete tags of model versions; every change is recorded with who made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_mltrack.lifecycle.recorded_text import recorded_text

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


def set_version_tags(
    client: TrackingClient,
    name: str,
    version: int,
    tags: Mapping[str, str],
    *,
    actor: str,
    details: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Add or replace tags. A value that is there already changes nothing and records nothing.

    :param actor: who does it.
    :param details: JSON-able facts for the history, for example through which door it came.
    :raises NotFound: when there is no such version.
    :raises InvalidInput: when a tag breaks its rule.
    """
    with client.store.transaction() as tx:
        return set_tags_in(tx, name, version, tags, actor=actor, details=details)


def set_tags_in(
    tx: Transaction,
    name: str,
    version: int,
    tags: Mapping[str, str],
    *,
    actor: str,
    details: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Do as :func:`set_version_tags`, as a part of something larger."""
    found = _locked(tx, name, version)
    changed = sorted(key for key, value in tags.items() if found.tags.get(key) != value)
    if not changed:
        return found
    tx.registry.set_version_tags(name, version, tags)
    for key in changed:
        _record(tx, name, version, actor, {"key": key, "value": recorded_text(tags[key])}, details)
    return tx.registry.get_version(name, version)


def delete_version_tag(
    client: TrackingClient,
    name: str,
    version: int,
    key: str,
    *,
    actor: str,
    details: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Delete a tag; nothing happens, and nothing is recorded, when it is not there.

    :param details: as :func:`set_version_tags`.
    :raises NotFound: when there is no such version.
    """
    with client.store.transaction() as tx:
        if key in _locked(tx, name, version).tags:
            tx.registry.delete_version_tag(name, version, key)
            _record(tx, name, version, actor, {"key": key, "deleted": True}, details)
        return tx.registry.get_version(name, version)


def _locked(tx: Transaction, name: str, version: int) -> ModelVersion:
    """Return the version as it stands; whoever else changes its model waits for us."""
    tx.registry.lock(name)
    return tx.registry.get_version(name, version)


def _record(
    tx: Transaction,
    name: str,
    version: int,
    actor: str,
    change: Mapping[str, object],
    details: Mapping[str, object] | None,
) -> None:
    facts = {"details": dict(details)} if details else {}
    tx.history.append(
        name=name, version=version, kind="tag", actor=actor, payload={**change, **facts}
    )
