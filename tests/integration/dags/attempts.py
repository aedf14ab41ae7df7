"""Tasks that fail, skip and raise, to see what becomes of their runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mltrack.hooks.current_run import current_run

with DAG("attempts", schedule=None, tags=["test"]):

    @task(retries=1, retry_delay=timedelta(0))
    def flaky() -> str:
        run = current_run(experiment="attempts")
        number = get_current_context()["ti"].try_number
        run.log_params({"depth": number})
        run.log_metric("loss", 1.0 / number)
        if number == 1:
            raise RuntimeError("out of luck")
        return run.run_id

    @task
    def skipping() -> None:
        current_run(experiment="attempts").log_metric("seen", 1)
        raise AirflowSkipException("nothing to do")

    @task
    def untracked() -> None:
        return None

    @task.mltrack_train(experiment="attempts", retries=3, retry_delay=timedelta(0))
    def refused(run: Any) -> None:
        run.log_params({"x": 1})
        run.log_metric("not a key!", 1.0)

    [flaky(), skipping(), untracked(), refused()]  # type: ignore[call-arg]
