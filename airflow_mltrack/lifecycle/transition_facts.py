"""What the world outside is told about a move that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mltrack.lifecycle.transitions import Transition


def transition_facts(transition: Transition, actor: str) -> dict[str, object]:
    """Return the facts of a move as JSON-able data: the extra of its Airflow asset event.

    They are those of the move itself, also when it is told again later: ``stage`` is where it led,
    even if the version was moved on since.

    :param actor: who asks; counts only where the history holds no move because the version stood
        there from the start.
    """
    version, event = transition.version, transition.event
    payload: Mapping[str, object] = {} if event is None else event.payload
    return {
        "name": version.name,
        "version": version.version,
        "stage": str(payload.get("to", version.stage)),
        "digest": payload.get("digest", version.digest),
        "verdict_id": payload.get("verdict_id"),
        "run_id": version.run_id,
        "previous_version": payload.get("previous"),
        "actor": actor if event is None else event.actor,
        "approvals": payload.get("approvals") or [],
    }
