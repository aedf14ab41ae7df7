"""The move itself: stage and history change together, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal

from airflow_mltrack.exceptions import Conflict, NotFound
from airflow_mltrack.lifecycle.stage_rules import named

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.history import HistoryEvent
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel
    from airflow_mltrack.lifecycle.stage_rules import Grounds
    from airflow_mltrack.store.tracking_store import Transaction


class Unset(Enum):
    """The type of :data:`UNSET`."""

    UNSET = "unset"


UNSET: Literal[Unset.UNSET] = Unset.UNSET
"""No expectation about the version now live; None means that none is."""

Expected = int | Literal[Unset.UNSET] | None
"""Number of the version that the caller believes to be live."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What a promotion or a rollback did, or found done."""

    version: ModelVersion
    """As it stands now."""
    previous: ModelVersion | None
    """The version that had to leave the live stage for it, as it stood before; None: none did."""
    event: HistoryEvent | None
    """The transition in the history; None when the version stood there from the start."""
    changed: bool
    """False when it was done before: nothing was moved or recorded."""


def check_expected(model: RegisteredModel, live: ModelVersion | None, expected: Expected) -> None:
    """Compare the version now live with the one that the caller believes to be.

    :raises Conflict: when they differ.
    """
    current = None if live is None else live.version
    if expected is not UNSET and expected != current:
        raise Conflict(
            "registered model",
            model.name,
            f"expected {named(expected)} in {model.stages.exclusive}, found {named(current)}.",
            "Look at what changed, then decide again: mltrack models history " + model.name,
        )


def move_version(
    tx: Transaction,
    model: RegisteredModel,
    found: ModelVersion,
    stage: str,
    *,
    actor: str,
    reason: str,
    grounds: Grounds,
    facts: Mapping[str, object],
) -> Transition:
    """Change a version's stage, let the holder of the live stage leave, and record both.

    :param stage: canonical name.
    :param grounds: what the move rests on.
    :param facts: further JSON-able facts for the history: ``via``, ``intent``, ``details``, ...
    """
    live = tx.registry.holder(model.name)
    leaving = live if stage == model.stages.exclusive else None
    told: dict[str, object] = {"reason": reason, **facts}
    at = None
    if leaving is not None:
        away = {key: value for key, value in told.items() if key != "intent"}
        away |= {"digest": leaving.digest, "displaced_by": found.version}
        # Both at one time: there is no moment between them at which nobody was live.
        at = _move(tx, leaving, model.stages.displaced_to, actor, away).at
    told |= {
        "digest": found.digest,
        "verdict_id": None if grounds.verdict is None else grounds.verdict.verdict_id,
        "approvals": [approval.approval_id for approval in grounds.approvals],
        "previous": None if leaving is None else leaving.version,
    }
    event = _move(tx, found, stage, actor, told, at=at)
    moved = tx.registry.get_version(found.name, found.version)
    return Transition(moved, leaving, event, changed=True)


def done_before(
    tx: Transaction,
    model: RegisteredModel,
    version: int,
    stage: str,
    *,
    via: str,
    intent: str | None,
) -> Transition | None:
    """Return the result of an earlier call with the same intent, None when there was none.

    Without an intent, a version that stands where it is to go was moved there before.

    :param via: ``promotion`` or ``rollback``.
    :raises Conflict: when the intent was carried out on another version or stage, or the other way.
    """
    if intent is not None:
        event = tx.history.with_intent(model.name, intent)
        if event is not None:
            payload = event.payload
            if (event.version, payload["to"], payload["via"]) != (version, stage, via):
                raise Conflict(
                    "intent",
                    intent,
                    f"it moved version {event.version} to {payload['to']} already, by "
                    f"{payload['via']}.",
                    "Use an intent of its own for each decision.",
                )
            return _repeated(tx, model, tx.registry.get_version(model.name, version), event)
    found = tx.registry.get_version(model.name, version)
    if found.stage != stage:
        return None
    events = tx.history.list(found.name, version=version, kinds=("transition",))
    last = next((item for item in reversed(events) if item.payload["to"] == stage), None)
    return _repeated(tx, model, found, last)


def _repeated(
    tx: Transaction, model: RegisteredModel, found: ModelVersion, event: HistoryEvent | None
) -> Transition:
    previous = None if event is None else event.payload.get("previous")
    before = None
    if isinstance(previous, int):
        try:
            left = tx.registry.get_version(found.name, previous)
            before = replace(left, stage=model.stages.exclusive)
        except NotFound:  # deleted since
            before = None
    return Transition(found, before, event, changed=False)


def _move(
    tx: Transaction,
    found: ModelVersion,
    stage: str,
    actor: str,
    facts: Mapping[str, object],
    *,
    at: datetime | None = None,
) -> HistoryEvent:
    tx.registry.move(found.name, found.version, stage)
    return tx.history.append(
        name=found.name,
        version=found.version,
        kind="transition",
        actor=actor,
        payload={"from": found.stage, "to": stage, **facts},
        at=at,
    )
