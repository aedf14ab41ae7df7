"""Sweeps: plan the trials under a parent run, have them run, close with the best one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from airflow_mltrack.entities.metrics import MetricPoint
from airflow_mltrack.entities.runs import RunData
from airflow_mltrack.entities.sweeps import Sweep, Trial, TrialState
from airflow_mltrack.exceptions import Conflict, InvalidInput, SweepFailed
from airflow_mltrack.lifecycle.samplers import check_options
from airflow_mltrack.lifecycle.sweep_spec import SweepSpec
from airflow_mltrack.lifecycle.trial_work import (
    Objective,
    Report,
    TrialPruned,
    ask,
    report,
    run_trials,
    tell,
    trial_name,
)

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.active_run import ActiveRun
    from airflow_mltrack.tracking.client import TrackingClient

__all__ = [
    "LeaderboardRow",
    "Objective",
    "Report",
    "SweepPlan",
    "SweepResult",
    "SweepSpec",
    "TrialPruned",
    "ask",
    "close_sweep",
    "plan_sweep",
    "report",
    "run_trials",
    "tell",
    "trial_name",
]

_SHOWN_ERRORS = 5


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """A sweep whose trials wait to be run."""

    run_id: str
    """The parent run."""
    mode: str
    """``mapped`` or ``workers``."""
    n_trials: int
    pending: tuple[int, ...]
    """Numbers of the trials that have not ended."""
    trials_per_task: int = 1

    def chunks(self) -> list[list[int]]:
        """Split the pending trials into one list for each mapped task."""
        size = self.trials_per_task
        numbers = list(self.pending)
        return [numbers[first : first + size] for first in range(0, len(numbers), size)]

    def to_json(self) -> dict[str, object]:
        """Give plain data."""
        return asdict(self) | {"pending": list(self.pending)}


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One trial on the leaderboard."""

    rank: int
    """1 for the best; trials that did not complete have no place."""
    number: int
    run_id: str | None
    name: str
    value: float
    params: Mapping[str, object]
    metrics: Mapping[str, float]
    """Latest value of every metric of its run."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How a sweep ended."""

    run_id: str
    metric: str
    direction: str
    best: Trial
    counts: Mapping[str, int]
    """Number of trials by state."""
    leaderboard: Sequence[LeaderboardRow]
    """Complete trials, the best one first."""


def plan_sweep(client: TrackingClient, run: ActiveRun | str, spec: SweepSpec) -> SweepPlan:
    """Make a run the parent of a sweep and write its trials down, waiting.

    Planning again, in the same attempt or a later one, keeps the trials: complete ones are not run
    again, failed ones may be.

    :param run: the parent run, or its id.
    :raises Conflict: when this run planned a different sweep before.
    :raises InvalidInput: when a sampler or pruner option is wrong.
    """
    run_id = run if isinstance(run, str) else run.run_id
    check_options(spec.sampler, spec.pruner)
    rows = spec.planned()

    def work(tx: Transaction) -> list[Trial]:
        sweep = tx.sweeps.create(
            run_id,
            spec=spec.to_json(),
            metric=spec.metric,
            direction=spec.direction,
            n_trials=len(rows),
        )
        _check_same(sweep, spec)
        tx.runs.log_params(tx.runs.get(run_id).attempt_id, _described(spec, len(rows)))
        tx.sweeps.ensure_trials(run_id, rows)
        tx.sweeps.retry_failed(run_id)
        return tx.sweeps.trials(run_id)

    trials = client.transact(work)
    return SweepPlan(
        run_id=run_id,
        mode=spec.mode,
        n_trials=len(trials),
        pending=tuple(trial.number for trial in trials if not trial.state.is_terminal),
        trials_per_task=spec.trials_per_task,
    )


def close_sweep(client: TrackingClient, sweep_run_id: str, *, min_success: int = 1) -> SweepResult:
    """Close a sweep with its best trial; closing again gives the same.

    Trials that have not ended become FAILED. The parent run gets the best value as metric
    ``best_METRIC``, and the tags ``mltrack.best_trial``, ``mltrack.best_run`` and ``best.PARAM``.

    :param min_success: how many trials must have ended well: complete, or given up by the pruner.
    :raises SweepFailed: when fewer have, or none is complete; holds how they ended and what the
        failed ones said.
    """
    if min_success < 1:
        raise InvalidInput("min_success", min_success, "it is 1 or more.")

    def work(tx: Transaction) -> tuple[Sweep, list[Trial]]:
        sweep = tx.sweeps.get(sweep_run_id)
        tx.sweeps.close(sweep_run_id)
        return sweep, _ranked(sweep, tx.sweeps.trials(sweep_run_id))

    sweep, trials = client.transact(work)
    counts = Counter(trial.state.value for trial in trials)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not complete or len(complete) + counts[TrialState.PRUNED.value] < min_success:
        raise SweepFailed(sweep_run_id, counts, min_success, _frequent_errors(trials))
    client.transact(lambda tx: _note_best(tx, sweep, complete[0]))
    return SweepResult(
        run_id=sweep_run_id,
        metric=sweep.metric,
        direction=sweep.direction,
        best=complete[0],
        counts=dict(counts),
        leaderboard=client.transact(lambda tx: _leaderboard(tx, complete)),
    )


def _check_same(sweep: Sweep, spec: SweepSpec) -> None:
    wanted = json.loads(json.dumps(spec.to_json()))
    different = sorted(key for key in wanted if wanted[key] != sweep.spec.get(key))
    if different:
        raise Conflict(
            "sweep",
            sweep.run_id,
            f"it was planned with another {', '.join(different)}.",
            "Start a new Dag run (a new parent run) for the changed sweep.",
        )


def _described(spec: SweepSpec, n_trials: int) -> dict[str, str]:
    pruner = spec.pruner["name"] if spec.pruner else "none"
    return {
        "sweep.sampler": str(spec.sampler["name"]),
        "sweep.seed": str(spec.sampler.get("seed", 0)),
        "sweep.pruner": str(pruner),
        "sweep.n_trials": str(n_trials),
        "sweep.metric": spec.metric,
        "sweep.direction": spec.direction,
        "sweep.mode": spec.mode,
    }


def _ranked(sweep: Sweep, trials: Sequence[Trial]) -> list[Trial]:
    """Sort trials, the best complete one first; equal ones by number."""
    sign = -1.0 if sweep.direction == "maximize" else 1.0

    def place(trial: Trial) -> tuple[bool, float, int]:
        complete = trial.state is TrialState.COMPLETE and trial.value is not None
        return not complete, sign * (trial.value or 0.0) if complete else 0.0, trial.number

    return sorted(trials, key=place)


def _note_best(tx: Transaction, sweep: Sweep, best: Trial) -> None:
    parent = tx.runs.get(sweep.run_id)
    now = int(tx.now().timestamp() * 1000)
    value = best.value or 0.0
    point = MetricPoint(f"best_{sweep.metric}", value, step=0, timestamp=now)
    tx.metrics.log_points(parent.attempt_id, [point])
    tags = {"mltrack.best_trial": str(best.number), "mltrack.best_run": best.run_id or ""}
    # Tags, not params: a later closing may find a better trial, and params never change.
    tx.runs.set_tags(sweep.run_id, tags | {f"best.{k}": str(v) for k, v in best.params.items()})


def _leaderboard(tx: Transaction, complete: Sequence[Trial]) -> list[LeaderboardRow]:
    children = [trial.run_id for trial in complete if trial.run_id]
    data: dict[str, RunData] = {item.run.run_id: item for item in tx.runs.data_many(children)}
    rows = []
    for rank, trial in enumerate(complete, start=1):
        child = data.get(trial.run_id or "")
        rows.append(
            LeaderboardRow(
                rank=rank,
                number=trial.number,
                run_id=trial.run_id,
                name=child.run.name if child else trial_name(trial.number, trial.params),
                value=trial.value or 0.0,
                params=trial.params,
                metrics=child.metrics if child else {},
                tags=child.run.tags if child else {},
            )
        )
    return rows


def _frequent_errors(trials: Sequence[Trial]) -> list[str]:
    counted = Counter(trial.error for trial in trials if trial.error)
    return [f"{number} x {error}" for error, number in counted.most_common(_SHOWN_ERRORS)]
