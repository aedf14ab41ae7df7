"""Tells an event of a model's history in words and facts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent

_TOLD = {
    "transition": {"from", "to", "reason", "previous", "displaced_by"},
    "verdict": {"passed"},
    "alias": {"alias", "from", "to", "reason"},
    "renamed": {"from", "to", "reason"},
}
"""Parts of a payload that the sentence holds already, by kind."""


@dataclass(frozen=True, slots=True)
class ToldEvent:
    """An event as the page shows it."""

    event: HistoryEvent
    sentence: str
    facts: tuple[tuple[str, str], ...]
    """What the sentence leaves out, by name."""


def tell(event: HistoryEvent) -> ToldEvent:
    """Tell an event; what no sentence knows becomes facts, so that nothing is left out."""
    told = _TOLD.get(event.kind, {"reason"})
    rest = {key: value for key, value in event.payload.items() if key not in told}
    return ToldEvent(event, _sentence(event), tuple(_facts(rest)))


def _sentence(event: HistoryEvent) -> str:
    payload = event.payload
    old, new = payload.get("from"), payload.get("to")
    words = {
        "created": "Created",
        "registered": "Registered",
        "policy": "Rules changed",
        "verdict": "Passed" if payload.get("passed") else "Refused",
        "transition": f"{old} → {new}{_exchange(payload)}",
        "alias": f"Alias {payload.get('alias')}: {_version(old)} → {_version(new)}",
        "renamed": f"Renamed from {old} to {new}",
        "deleted": "Deleted",
    }.get(event.kind, event.kind)
    reason = payload.get("reason")
    return f"{words}. {reason}" if reason else words


def _exchange(payload: Mapping[str, object]) -> str:
    if payload.get("displaced_by") is not None:
        return f", displaced by {_version(payload['displaced_by'])}"
    if payload.get("previous") is not None:
        return f", in place of {_version(payload['previous'])}"
    return ""


def _version(number: object) -> str:
    return "nothing" if number is None else f"version {number}"


def _facts(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten what is nested; leave out what is empty."""
    for key, value in values.items():
        if value in (None, "", {}, []):
            continue
        if isinstance(value, Mapping):
            yield from _facts(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield prefix + key, text
