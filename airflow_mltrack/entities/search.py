"""What a search gives."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mltrack.entities.runs import RunData


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs."""

    runs: tuple[RunData, ...]
    next_page_token: str | None = None
    """Opaque; gives the next page of the same search. None on the last page."""
