"""When a version was live, told from the history: since when, until when, and what came after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_mltrack.lifecycle.holders import Standing, facts_of

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.entities.history import HistoryEvent


@dataclass(frozen=True, slots=True)
class Deployment:
    """One time that a version was live."""

    version: int
    stage: str
    """The live stage, as the model called it then."""
    began: datetime
    arrival: HistoryEvent
    """The event that brought it there."""
    ended: datetime | None = None
    """None while it is live."""
    departure: HistoryEvent | None = None
    """The event that ended it."""
    replaced_by: int | None = None
    """The version that took its place."""


def deployments(events: Sequence[HistoryEvent], version: int | None = None) -> list[Deployment]:
    """Return every time that a version was live, the first one first.

    :param events: the model's whole history, oldest first; a renaming in it ends nothing.
    :param version: None means those of all versions.
    """
    found: list[Deployment] = []
    standing = Standing()
    for event in events:
        if event.kind == "renamed":
            continue
        before = standing.holder
        standing.take(event)
        now = standing.holder
        if now == before:
            continue
        if before is not None:
            found[-1] = replace(
                found[-1],
                ended=event.at,
                departure=event,
                replaced_by=_number(facts_of(event).get("displaced_by")),
            )
        if now is not None:
            found.append(Deployment(now, standing.exclusive, event.at, event))
    return [period for period in found if version in (None, period.version)]


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
