"""A registered model's history and gates in words: what happened, why, and which task did it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mltrack.entities.history import HistoryEvent

Payload = Mapping[str, object]


def event_row(event: HistoryEvent) -> dict[str, object]:
    """Lay an event out: words for people, the whole payload for programs."""
    return {
        "event_id": event.event_id,
        "at": event.at,
        "version": event.version,
        "what": what(event),
        "actor": event.actor,
        "why": event.payload.get("reason") or None,
        "task": _task(event.payload),
        "kind": event.kind,
        "payload": event.payload,
        "hash": event.hash,
    }


def what(event: HistoryEvent) -> str:
    """Say in a few words what happened; an event of a later release is called by its kind."""
    words = _WORDS.get(event.kind)
    return event.kind if words is None else words(event.payload)


def gate_lines(gates: Payload) -> list[str]:
    """Say in one line for each check what a version must pass."""
    checks = gates.get("checks")
    lines = [_check(check) for check in checks] if isinstance(checks, (list, tuple)) else []
    others = {key: value for key, value in gates.items() if key != "checks"}
    return [*lines, *pair_lines(others)]


def pair_lines(pairs: Payload) -> list[str]:
    """Say one pair in each line."""
    return [f"{key}: {value}" for key, value in sorted(pairs.items())]


def _check(check: Payload) -> str:
    rest = ", ".join(
        f"{key} {value}"
        for key, value in check.items()
        if key not in ("name", "metric") and value is not None
    )
    metric = check.get("metric")
    name = check.get("name") or metric
    return f"{name}: {metric if metric and metric != name else ''} {rest}".replace(":  ", ": ")


def _transition(payload: Payload) -> str:
    moved = f"transition {payload.get('from')} -> {payload.get('to')}"
    by = payload.get("displaced_by")
    return moved if by is None else f"{moved}, displaced by version {by}"


def _registered(payload: Payload) -> str:
    source = payload.get("source")
    return f"registered {source}" if source else "registered"


def _verdict(payload: Payload) -> str:
    return f"verdict {'passed' if payload.get('passed') else 'failed'}"


def _alias(payload: Payload) -> str:
    after = payload.get("to")
    named = f"alias {payload.get('alias')}"
    return f"{named} removed" if after is None else f"{named} -> {after}"


def _renamed(payload: Payload) -> str:
    return f"renamed {payload.get('from')} -> {payload.get('to')}"


def _deleted(payload: Payload) -> str:
    versions = payload.get("versions")
    return f"deleted with {len(versions)} versions" if isinstance(versions, list) else "deleted"


_WORDS: dict[str, Callable[[Payload], str]] = {
    "registered": _registered,
    "policy": lambda payload: "policy changed",
    "verdict": _verdict,
    "transition": _transition,
    "alias": _alias,
    "renamed": _renamed,
    "deleted": _deleted,
}


def _task(payload: Payload) -> str | None:
    """Name the task that did it, as an operator has noted it."""
    details = payload.get("details")
    if not isinstance(details, Mapping):
        return None
    parts = (details.get(key) for key in ("dag_id", "dag_run_id", "task_id"))
    return " ".join(str(part) for part in parts if part) or None
