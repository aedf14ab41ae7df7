"""A worker process for sweeps: real enough to be killed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.entities.runs import RunIdentity
from airflow_mltrack.lifecycle.sweeps import run_trials
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient

if TYPE_CHECKING:
    from airflow_mltrack.entities.sweeps import Trial
    from airflow_mltrack.tracking.active_run import ActiveRun


def worker_identity(worker: int, attempt: int = 1) -> RunIdentity:
    """Identify one try of one worker."""
    return RunIdentity(logical_key=f"worker:{worker}", attempt_key=f"ti:{worker}-{attempt}")


def work(
    settings: Settings, sweep: str, worker: int, attempt: int = 1, hang: str | None = None
) -> list[int]:
    """Work on trials; with ``hang``, write the first one's number there and never come back."""
    client = TrackingClient(settings)

    def objective(run: ActiveRun, trial: Trial, report: Callable[[int, float], None]) -> float:
        run.log_params(trial.params)
        if hang is not None:
            Path(hang).write_text(f"{os.getpid()} {trial.number}")
            time.sleep(600)
        return float(str(trial.params["x"]))

    done = run_trials(client, sweep, identity=worker_identity(worker, attempt), objective=objective)
    client.close()
    return [trial.number for trial in done]
