"""Workers that train the trials of a sweep in processes of their own, tried again as Airflow does.

What a trial logged is also written to a journal beside the tracking system, one file for each
attempt, so that a test can compare.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.exceptions import ArtifactUnavailable, StoreUnavailable
from airflow_mltrack.lifecycle.sweep_spec import SweepSpec
from airflow_mltrack.lifecycle.sweeps import Report, plan_sweep, run_trials
from airflow_mltrack.lifecycle.training import TrainingSpec, run_trial
from airflow_mltrack.tracking.client import TrackingClient
from airflow_mltrack.training.loan_portfolio import portfolio_uri

if TYPE_CHECKING:
    from airflow_mltrack.entities.sweeps import Trial
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.tracking.active_run import ActiveRun

TRIALS = 8
POINTS = 60
FOLDS = 2
PACE = 0.01
"""Seconds between two points of a trial's curve."""
PAYLOAD = "payload.bin"
_AWAY = 75
_RETRY_PAUSE = 1.0
_TRAINING = {
    "dataset": {"uri": portfolio_uri(rows=300, seed=1, default_rate=0.3), "target": "defaulted"},
    "recipe": {"classifier": "logistic_regression"},
    "split": {"validation": "cv", "folds": FOLDS},
    "n_bootstrap": 5,
}


@dataclass(frozen=True)
class Job:
    """What every try of every worker is told."""

    settings: Settings
    sweep: str
    journal: Path
    patience: float = 120.0
    tries: int = 40


def plan(client: TrackingClient) -> str:
    """Plan a sweep over small trainings and return its parent run, which has ended."""
    strengths = [round(0.1 * (number + 1), 1) for number in range(TRIALS)]
    with client.start_run("sweep") as parent:
        spec = SweepSpec.from_json(
            {
                "space": {"classifier.C": {"choices": strengths}},
                "sampler": {"name": "grid"},
                "training": _TRAINING,
            }
        )
        plan_sweep(client, parent, spec)
    return parent.run_id


def payload(number: int) -> bytes:
    """Return the file that a trial stores."""
    return f"{number} ".encode() * 20_000


def start(job: Job, worker: int, attempt: int) -> multiprocessing.context.SpawnProcess:
    """Start one try of a worker."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(job, worker, attempt))
    process.start()
    return process


def work_until_done(job: Job, worker: int, first_attempt: int = 1) -> int:
    """Start a worker again until one try ends well; return the number of that try."""
    for attempt in range(first_attempt, first_attempt + job.tries):
        process = start(job, worker, attempt)
        process.join(300)
        if process.exitcode == 0:
            return attempt
        assert process.exitcode == _AWAY, f"worker {worker} ended with {process.exitcode}"
        time.sleep(_RETRY_PAUSE)
    raise AssertionError(f"worker {worker} found no database in {job.tries} tries")


def work(job: Job, worker: int, attempt: int) -> None:
    """Run trials until none is left; what a retry may cure ends with an exit code of its own."""
    identity = RunIdentity(logical_key=f"worker:{worker}", attempt_key=f"ti:{worker}-{attempt}")
    client = TrackingClient(job.settings, pool_size=1, patience=job.patience)
    training = TrainingSpec.from_json(_TRAINING)

    def objective(run: ActiveRun, trial: Trial, report: Report) -> float:
        _log_curve(run, trial.number, job.journal)
        run.log_bytes(payload(trial.number), PAYLOAD)
        return run_trial(run, training, trial.params, report)

    try:
        run_trials(client, job.sweep, identity=identity, objective=objective)
        client.close()
    except (StoreUnavailable, ArtifactUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
        # Not sys.exit: a task's process ends without the clean-up of the interpreter, too.
        os._exit(_AWAY)


def _log_curve(run: ActiveRun, number: int, journal: Path) -> None:
    """Log points one by one; each is written down when it was accepted."""
    with (journal / str(run.attempt_id)).open("a", buffering=1) as accepted:
        for step in range(POINTS):
            run.log_metric("curve", curve(number, step), step)
            accepted.write(f"{step}\n")
            time.sleep(PACE)


def curve(number: int, step: int) -> float:
    """Return what a trial logs at a step."""
    return number + step / 1000
