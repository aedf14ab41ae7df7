"""Compare the records of a model with what its history says about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.lifecycle.holders import facts_of, replay, whole_history
from airflow_mltrack.lifecycle.verdict_evidence import verdict_json
from airflow_mltrack.store.canonical_json import canonical_value, digest_of

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.lifecycle.holders import Standing
    from airflow_mltrack.store.tracking_store import Transaction


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was recorded."""

    what: str
    """``event``, ``verdict``, ``approval``, ``record`` (either), ``version``, ``stage``, ``alias``,
    ``policy``, ``head``."""
    event_id: int | None
    """The event that is touched, or that tells otherwise."""
    message: str
    """One sentence for people."""


def touched_rows(tx: Transaction, name: str, events: Sequence[HistoryEvent]) -> Iterator[Finding]:
    """Compare verdicts and approvals with the digests that the chain holds."""
    rows = tx.verdicts.digests(name) | tx.approvals.digests(name)
    told = set()
    for event in events:
        if event.kind not in ("verdict", "approval"):
            continue
        row_id = str(facts_of(event).get(f"{event.kind}_id"))
        told.add(row_id)
        if row_id not in rows:
            yield Finding(event.kind, event.event_id, f"{event.kind} {row_id} was removed")
        elif not _is_as_told(tx, event, row_id, rows[row_id]):
            done = "was changed after it was recorded"
            yield Finding(event.kind, event.event_id, f"{event.kind} {row_id} {done}")
    for row_id in rows:
        if row_id not in told:
            yield Finding("record", None, f"verdict or approval {row_id} is not in the history")


def touched_registry(tx: Transaction, name: str) -> Iterator[Finding]:
    """Compare versions, stages, aliases and rules with where the history has put them."""
    try:
        model = tx.registry.get_model(name)
    except NotFound:
        return
    standing = replay(whole_history(tx, name))
    yield from _touched_rules(model, standing)
    for version in tx.registry.list_versions(name)[::-1]:
        yield from _touched_version(standing, version)
    for alias in sorted({*model.aliases, *standing.aliases}):
        is_at, said = model.aliases.get(alias), standing.aliases.get(alias)
        if is_at != said:
            yield Finding("alias", None, f"alias {alias} is at {is_at}, the history says {said}")


def _is_as_told(tx: Transaction, event: HistoryEvent, row_id: str, digest: str) -> bool:
    said = facts_of(event).get("sha256")
    if said == digest:
        return True
    # The first schema's history holds the digest of a verdict's JSON form, not of its row.
    return event.kind == "verdict" and said == digest_of(verdict_json(tx.verdicts.get(row_id)))


def _touched_rules(model: RegisteredModel, standing: Standing) -> Iterator[Finding]:
    now = {"gates": model.gates, "stages": model.stages.to_json()}
    for key, told in standing.rules.items():
        if canonical_value(now[key]) != told:
            what = "policy of gates" if key == "gates" else "stage graph"
            yield Finding("policy", None, f"the {what} is not what the history has set last")


def _touched_version(standing: Standing, found: ModelVersion) -> Iterator[Finding]:
    number = found.version
    if standing.is_told_from_creation and number not in standing.stages:
        yield Finding("version", None, f"version {number} is not in the history")
        return
    expected = standing.stages.get(number, standing.start)
    if found.stage != expected:
        yield Finding(
            "stage",
            standing.arrivals.get(number),
            f"version {number} stands in {found.stage}, the history says {expected}",
        )
    if found.digest != standing.digests.get(number, found.digest):
        yield Finding(
            "version",
            None,
            f"version {number} names package {found.digest}, the history says "
            f"{standing.digests[number]}",
        )
