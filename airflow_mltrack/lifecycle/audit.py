"""Read the history as an auditor does: what happened, was it touched, and what was live when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.lifecycle.holders import replay, whole_history
from airflow_mltrack.lifecycle.record_check import Finding, touched_registry, touched_rows

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a model's chain. Kept elsewhere, it shows when something was cut off."""

    name: str
    event_id: int
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What walking one model's chain has shown."""

    name: str
    events: int
    head: ChainHead | None
    findings: tuple[Finding, ...]
    """Events, verdicts and approvals in the order of the chain, then records that it tells
    otherwise; empty when all is whole."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class LiveThen:
    """The version that was live at some time."""

    name: str
    version: int
    stage: str
    since: datetime
    event: HistoryEvent
    """What made it live: its transition, or a change of the stage graph."""


def list_history(
    client: TrackingClient, name: str, *, version: int | None = None
) -> list[HistoryEvent]:
    """Return what happened to a model, oldest first. The history outlives the model.

    :raises NotFound: when nothing ever had this name.
    """
    with client.store.transaction() as tx:
        events = tx.history.list(name, version=version)
        if not events:
            _check_known(tx, name)
        return events


def verify_history(client: TrackingClient, name: str, *, head: str | None = None) -> ChainReport:
    """Walk a model's chain and compare it with the records.

    Looks at every event's hash and place, at every verdict and approval that the chain names by
    its digest, and at whether versions, stages, aliases and rules are as the history has put them.
    All is read from one moment: what others do meanwhile is no finding.

    :param head: hash of an event that was once the last one: it must still be there.
    :raises NotFound: when nothing ever had this name, and no ``head`` says that something had.
    """
    with client.store.transaction() as tx:
        tx.freeze()
        if head is None:
            _check_known(tx, name)
        report = verify_in(tx, name)
        return replace(report, findings=(*report.findings, *_cut_off(tx, name, head)))


def verify_all(
    client: TrackingClient, *, heads: Mapping[str, str] | None = None
) -> Iterator[ChainReport]:
    """Walk every chain, also those of models that were deleted, and of models that have none.

    :param heads: model name to the hash of an event that was once the last one, as
        :func:`chain_heads` gives them: a chain in which it is missing was cut off.
    """
    with client.store.transaction() as tx:
        names = {*tx.history.names(), *(model.name for model in tx.registry.list_models())}
    for name in sorted({*names, *(heads or {})}):
        yield verify_history(client, name, head=(heads or {}).get(name))


def chain_heads(client: TrackingClient) -> list[ChainHead]:
    """Return the end of every chain, to be kept where whoever can write this database cannot."""
    with client.store.transaction() as tx:
        heads = [tx.history.head(name) for name in tx.history.names()]
    return [_head(event) for event in heads if event is not None]


def live_at(client: TrackingClient, name: str, at: datetime) -> LiveThen | None:
    """Return the version that was live at a time, None when none was.

    :param at: with a time zone.
    :raises InvalidInput: when the time has no zone.
    :raises NotFound: when nothing ever had this name.
    """
    if at.tzinfo is None:
        raise InvalidInput("time", at.isoformat(), "it has a time zone.", "Add one: ...T12:00Z")
    with client.store.transaction() as tx:
        _check_known(tx, name)
        standing = replay(whole_history(tx, name), until=at.astimezone(timezone.utc))
    event, holder = standing.holder_event, standing.holder
    if holder is None or event is None:
        return None
    return LiveThen(name, holder, standing.exclusive, event.at, event)


def verify_in(tx: Transaction, name: str) -> ChainReport:
    """Walk a model's chain in a transaction that is open; see :func:`verify_history`."""
    events = tx.history.list(name)
    touched = sorted([*_broken_event(tx, name), *touched_rows(tx, name, events)], key=_place)
    findings = [*touched, *touched_registry(tx, name)] if events else [*_gone(tx, name), *touched]
    head = _head(events[-1]) if events else None
    return ChainReport(name, len(events), head, tuple(findings))


def _broken_event(tx: Transaction, name: str) -> Iterator[Finding]:
    broken = tx.history.verify(name)
    if broken is not None:
        yield Finding(
            "event",
            broken,
            f"event {broken} does not follow from the one before it: it was changed, or "
            "something before it was added or removed",
        )


def _gone(tx: Transaction, name: str) -> Iterator[Finding]:
    """Miss the history of a model that is there: it began with its creation."""
    try:
        tx.registry.get_model(name)
    except NotFound:
        return
    yield Finding("event", None, "the whole history of the model is gone")


def _place(finding: Finding) -> float:
    return math.inf if finding.event_id is None else finding.event_id


def _cut_off(tx: Transaction, name: str, head: str | None) -> tuple[Finding, ...]:
    if head is None or any(event.hash == head for event in tx.history.list(name)):
        return ()
    return (
        Finding(
            "head",
            None,
            f"the event with hash {head} is gone: the end of the chain was cut off or rewritten",
        ),
    )


def _head(event: HistoryEvent) -> ChainHead:
    return ChainHead(event.name, event.event_id, event.hash, event.at)


def _check_known(tx: Transaction, name: str) -> None:
    if tx.history.head(name) is None:
        tx.registry.get_model(name)
