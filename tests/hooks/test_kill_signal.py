from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowTaskTerminated

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.hooks.current_run import task_run
from airflow_mltrack.hooks.kill_signal import Stoppable
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.store.tracking_store import TrackingStore


def test_a_signal_unwinds_the_work_and_its_run_is_killed(
    backend_connection: str, context: dict[str, Any], store: TrackingStore
) -> None:
    operator = Stoppable()
    started: list[str] = []

    def work() -> None:
        with (
            operator.stoppable(),
            MltrackHook(backend_connection) as hook,
            task_run(context, hook) as run,  # type: ignore[arg-type]
        ):
            started.append(run.run_id)
            run.log_metric("loss", 0.5)
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(30)

    before = signal.signal(signal.SIGUSR1, lambda *_: operator.on_kill())  # Airflow uses SIGTERM
    try:
        with pytest.raises(AirflowTaskTerminated):
            work()
    finally:
        signal.signal(signal.SIGUSR1, before)
    with store.transaction() as tx:
        data = tx.runs.data(started[0])
    assert data.run.status is RunStatus.KILLED
    assert data.metrics == {"loss": 0.5}, "what was logged before is kept"


def test_after_the_work_has_unwound_nothing_is_raised() -> None:
    operator = Stoppable()
    with operator.stoppable():
        pass
    operator.on_kill()
