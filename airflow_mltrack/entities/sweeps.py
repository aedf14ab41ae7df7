"""A sweep and its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class TrialState(str, Enum):
    """Where a trial stands."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        """Whether the trial will not be run again."""
        return self in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A search over configurations; its children are trials."""

    run_id: str
    """The parent run."""
    spec: Mapping[str, object]
    """JSON-able: search space, sampler, pruner, training specification."""
    metric: str
    direction: str
    """``maximize`` or ``minimize``."""
    n_trials: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration of a sweep."""

    sweep_run_id: str
    number: int
    """0, 1, ... within the sweep."""
    params: Mapping[str, object]
    """JSON-able values of the search space."""
    state: TrialState
    run_id: str | None = None
    """The child run, once it started."""
    value: float | None = None
    """The sweep's metric, when complete."""
    attempts: int = 0
    """How many times it was started."""
    claimed_by: str | None = None
    """attempt_key of the worker that holds it."""
    error: str | None = None
    reports: Mapping[int, float] = field(default_factory=dict)
    """Intermediate values by step, for pruning."""
    notes: Mapping[str, object] = field(default_factory=dict)
    """JSON-able facts that the sampler and the pruner keep with the trial."""
