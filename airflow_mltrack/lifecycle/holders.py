"""Who held the live stage, told from the history alone: now, before, and at any time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_mltrack.entities.stages import OPEN, StageGraph
from airflow_mltrack.exceptions import InvalidInput

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.registry import RegisteredModel
    from airflow_mltrack.store.tracking_store import Transaction

PROMOTION, ROLLBACK = "promotion", "rollback"
"""``via`` of a transition: how it came about."""


@dataclass(slots=True)
class Standing:
    """Where the versions of a model stand after some events of its history."""

    start: str = OPEN.stages[0]
    exclusive: str = OPEN.exclusive
    stages: dict[int, str] = field(default_factory=dict)
    """Version to stage."""
    aliases: dict[str, int] = field(default_factory=dict)
    arrivals: dict[int, int] = field(default_factory=dict)
    """Version to the id of the event that brought it to where it stands."""
    digests: dict[int, str | None] = field(default_factory=dict)
    """Version to sha256 of the package that was registered."""
    rules: dict[str, object] = field(default_factory=dict)
    """Gates and stage graph, as they were set last; without what was never told."""
    is_told_from_creation: bool = False
    """Whether the history holds the creation of the model that goes by the name now."""
    holder_event: HistoryEvent | None = None
    """What made the present holder live: its transition, or a change of the stage graph."""

    @property
    def holder(self) -> int | None:
        """The version that is live."""
        for version, stage in self.stages.items():
            if stage == self.exclusive:
                return version
        return None

    def take(self, event: HistoryEvent) -> None:
        """Go on by one event. Facts that a touched event lacks are passed over."""
        before = self.holder
        payload = facts_of(event)
        if event.kind == "created":
            self.is_told_from_creation = True
            self._take_rules(payload)
        elif event.kind == "policy":
            self._take_rules(payload.get("to"))
        elif event.kind == "deleted":
            self._delete(event.version)
        elif event.kind == "renamed" and event.name == payload.get("from"):
            self._delete(None)  # what it named goes by another name now
        elif event.version is not None:
            self._take_version(event, event.version, payload)
        if self.holder != before:
            self.holder_event = event

    def _take_version(
        self, event: HistoryEvent, version: int, payload: Mapping[str, object]
    ) -> None:
        if event.kind == "registered":
            self.stages[version] = self.start
            self.arrivals[version] = event.event_id
            digest = payload.get("digest")
            self.digests[version] = None if digest is None else str(digest)
        elif event.kind == "transition":
            self.stages[version] = str(payload.get("to"))
            self.arrivals[version] = event.event_id
        elif event.kind == "alias":
            self._take_alias(str(payload.get("alias")), payload.get("to"))

    def _take_rules(self, told: object) -> None:
        if not isinstance(told, Mapping):
            return
        self.rules |= {key: told[key] for key in ("gates", "stages") if key in told}
        try:
            graph = StageGraph.from_json(told["stages"])
        except (KeyError, InvalidInput):  # the first release had one graph for all
            return
        self.start, self.exclusive = graph.stages[0], graph.exclusive

    def _take_alias(self, alias: str, version: object) -> None:
        if isinstance(version, int):
            self.aliases[alias] = version
        else:
            self.aliases.pop(alias, None)

    def _delete(self, version: int | None) -> None:
        if version is None:
            self.stages.clear()
            self.aliases.clear()
            self.rules.clear()
            self.is_told_from_creation = False
            return
        self.stages.pop(version, None)
        self.aliases = {name: at for name, at in self.aliases.items() if at != version}


def replay(events: Iterable[HistoryEvent], *, until: datetime | None = None) -> Standing:
    """Follow a history from its first event.

    :param until: leave out what happened later.
    """
    standing = Standing()
    for event in events:
        if until is not None and event.at > until:
            break
        standing.take(event)
    return standing


def past_holders(tx: Transaction, model: RegisteredModel) -> list[int]:
    """Return the versions that were live, each that one can go back to on top of the one before.

    The last one is live now, or was until the stage became free. Going back takes off what lay
    above, so going back twice goes two steps. Versions that were deleted are left out.
    """
    stack: list[int] = []
    for version, event in _arrivals(tx, model):
        if facts_of(event).get("via") == ROLLBACK and version in stack:
            while stack[-1] != version:
                stack.pop()
        elif not stack or stack[-1] != version:
            stack.append(version)
    return stack


def ever_live(tx: Transaction, model: RegisteredModel) -> set[int]:
    """Return every version that was live at some time and was not deleted since."""
    return {version for version, _ in _arrivals(tx, model)}


def whole_history(tx: Transaction, name: str) -> list[HistoryEvent]:
    """Return a model's events, oldest first, with those under the names that it had before."""
    events, here, known = tx.history.list(name), name, {name}
    while events and (former := _former_name(events[0], here)) is not None and former not in known:
        before = tx.history.list(former)
        # The other half of the renaming stands in the old chain; what follows it there is another
        # model that took the old name.
        ends = [at for at, event in enumerate(before) if _former_name(event, here) == former]
        if not ends:
            break
        events, here = before[: ends[-1]] + events, former
        known.add(former)
    return events


def facts_of(event: HistoryEvent) -> Mapping[str, object]:
    """Return an event's payload; empty where somebody made something else of it."""
    payload: object = event.payload
    return payload if isinstance(payload, Mapping) else {}


def _former_name(event: HistoryEvent, name: str) -> str | None:
    """Return what a model was called before this event gave it its name, None for other events."""
    facts = facts_of(event)
    former = facts.get("from")
    if event.kind != "renamed" or facts.get("to") != name or not isinstance(former, str):
        return None
    return former


def _arrivals(tx: Transaction, model: RegisteredModel) -> list[tuple[int, HistoryEvent]]:
    """Return each version that became live and still exists, with the event that made it so."""
    there = {version.version for version in tx.registry.list_versions(model.name)}
    found, standing = [], Standing()
    for event in whole_history(tx, model.name):
        before = standing.holder
        standing.take(event)
        holder = standing.holder
        if holder is not None and holder != before and holder in there:
            found.append((holder, event))
    return found
