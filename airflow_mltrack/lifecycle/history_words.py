"""Tells what happened to a registered model: one sentence for people, and the facts beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.entities.stages import OPEN
from airflow_mltrack.lifecycle.holders import ROLLBACK
from airflow_mltrack.lifecycle.policy_words import RuleChange, rule_change

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent

Payload = Mapping[str, object]
Fact = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event in words."""

    event: HistoryEvent
    sentence: str
    """What happened, without a full stop; the kind itself for an event of a later release."""
    reason: str
    """Why, in the words of whoever did it; empty when nobody said."""
    facts: tuple[Fact, ...]
    """What sentence and reason leave out, by name: nothing of the payload is lost."""

    @property
    def with_reason(self) -> str:
        """The sentence, and the reason where there is one."""
        return f"{self.sentence}. {self.reason}" if self.reason else self.sentence

    @property
    def task(self) -> str:
        """Dag, Dag run and task that did it, as an operator noted them; empty outside Airflow."""
        details = self.event.payload.get("details")
        if not isinstance(details, Mapping):
            return ""
        parts = (details.get(key) for key in ("dag_id", "dag_run_id", "task_id"))
        return " ".join(str(part) for part in parts if part)


def tell(event: HistoryEvent) -> ToldEvent:
    """Tell an event. Also one that was edited by hand: an auditor must be able to look at it."""
    payload = event.payload
    words, said = _WORDS.get(event.kind, (None, frozenset[str]()))
    reason = payload.get("reason")
    rules = _rules(event.kind, payload)
    if event.kind == "policy" and not rules.parts:
        said = frozenset()  # not written by us: show what is there
    left = {key: value for key, value in payload.items() if key not in said}
    if isinstance(reason, str):
        left.pop("reason", None)
    return ToldEvent(
        event,
        event.kind if words is None else words(payload),
        reason if isinstance(reason, str) else "",
        (*rules.facts, *_flat(left)),
    )


def _rules(kind: str, payload: Payload) -> RuleChange:
    """Tell how rules changed, or which ones a new model got beside the usual ones."""
    if kind == "created":
        usual = {"gates": {}, "stages": OPEN.to_json()}
        return rule_change(usual, {key: payload.get(key, usual[key]) for key in usual})
    if kind == "policy":
        before, after = payload.get("from"), payload.get("to")
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            return rule_change(before, after)
    return RuleChange((), ())


def _created(payload: Payload) -> str:
    return _listed("Created", _rules("created", payload))


def _policy(payload: Payload) -> str:
    return _listed("Rules changed", _rules("policy", payload))


def _listed(words: str, change: RuleChange) -> str:
    return f"{words}: {'; '.join(change.parts)}" if change.parts else words


def _verdict(payload: Payload) -> str:
    return "Judged: it passed" if payload.get("passed") is True else "Judged: it did not pass"


def _asked(payload: Payload) -> str:
    return f"Approval for {payload.get('stage')} asked for"


def _approval(payload: Payload) -> str:
    return f"{str(payload.get('decision')).capitalize()} for {payload.get('stage')}"


def _transition(payload: Payload) -> str:
    """Tell a move; both sides of an exchange name the other one."""
    moved = f"{payload.get('from')} → {payload.get('to')}"
    back, emergency = payload.get("via") == ROLLBACK, payload.get("emergency") is True
    displaced_by, previous = payload.get("displaced_by"), payload.get("previous")
    if displaced_by is not None:
        how = "rolled back to" if back else "displaced by"
        return f"{moved}, {how} version {displaced_by}{' in an emergency' if emergency else ''}"
    if back:
        moved = f"{'Emergency rollback' if emergency else 'Rollback'}: {moved}"
    return moved if previous is None else f"{moved}, in place of version {previous}"


def _alias(payload: Payload) -> str:
    alias, before, after = (payload.get(key) for key in ("alias", "from", "to"))
    if after is None:
        return f"Alias {alias} taken from version {before}"
    if before is None:
        return f"Alias {alias} given to version {after}"
    return f"Alias {alias} moved from version {before} to version {after}"


def _tag(payload: Payload) -> str:
    return f"Tag {payload.get('key')} {'deleted' if payload.get('deleted') is True else 'set'}"


def _renamed(payload: Payload) -> str:
    return f"Renamed from {payload.get('from')} to {payload.get('to')}"


def _deleted(payload: Payload) -> str:
    versions = payload.get("versions")
    if not isinstance(versions, list):
        return "Deleted"
    return f"Deleted with {len(versions)} version{'' if len(versions) == 1 else 's'}"


_MOVE = frozenset({"from", "to", "via", "emergency", "previous", "displaced_by"})
_WORDS: dict[str, tuple[Callable[[Payload], str], frozenset[str]]] = {
    "created": (_created, frozenset({"gates", "stages"})),
    "registered": (lambda payload: "Registered", frozenset()),
    "policy": (_policy, frozenset({"from", "to"})),
    "verdict": (_verdict, frozenset({"passed"})),
    "approval_requested": (_asked, frozenset({"stage"})),
    "approval": (_approval, frozenset({"decision", "stage"})),
    "transition": (_transition, _MOVE),
    "alias": (_alias, frozenset({"alias", "from", "to"})),
    "tag": (_tag, frozenset({"key", "deleted"})),
    "renamed": (_renamed, frozenset({"from", "to"})),
    "deleted": (_deleted, frozenset()),
}
"""The sentence of each kind, and the parts of its payload that it tells."""


def _flat(values: Payload, prefix: str = "") -> Iterator[Fact]:
    """Flatten what is nested; leave out what is empty."""
    for key, value in values.items():
        if value in (None, "", {}, []):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield prefix + key, text
