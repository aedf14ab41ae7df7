"""Run trials of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mltrack.hooks.identity import identity_of
from airflow_mltrack.operators.mltrack_operator import MltrackOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.entities.sweeps import Trial
    from airflow_mltrack.hooks.mltrack import MltrackHook
    from airflow_mltrack.lifecycle.sweeps import Objective


class RunTrialsOperator(MltrackOperator):
    """Work on trials of a sweep, each in a child run of its own.

    A trial that fails is recorded and the work goes on. A task that dies is retried by Airflow and
    takes up what it had left; other workers take it up when it never comes back. Returns how the
    trials ended, by state.

    :param sweep_run_id: the sweep's parent run (templated).
    :param numbers: the trials to run (templated); None takes the next one until none is left.
    :param trial_label: what this task is called in Airflow's grid.
    :param mltrack_conn_id: Airflow connection (templated).
    """

    pool_size: int = 1  # a worker talks to the database all the time
    template_fields: Sequence[str] = ("sweep_run_id", "numbers", "mltrack_conn_id")

    def __init__(
        self,
        *,
        sweep_run_id: str,
        numbers: Sequence[int] | None = None,
        trial_label: str = "",
        mltrack_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("map_index_template", "{{ task.trial_label }}")
        super().__init__(mltrack_conn_id=mltrack_conn_id, **kwargs)
        self.sweep_run_id = sweep_run_id
        self.numbers = numbers
        self.trial_label = trial_label

    def perform(self, hook: MltrackHook, context: Context) -> dict[str, int]:
        """Run trials until none is left, and count how they ended."""
        from collections import Counter

        from airflow_mltrack.lifecycle.sweeps import run_trials

        ended = run_trials(
            hook.client,
            self.sweep_run_id,
            identity=identity_of(context),
            objective=self._objective(hook),
            numbers=self.numbers,
        )
        return dict(Counter(trial.state.value for trial in ended))

    def _objective(self, hook: MltrackHook) -> Objective:
        from airflow_mltrack.hooks.data import make_opener
        from airflow_mltrack.lifecycle.sweeps import Report, trial_name
        from airflow_mltrack.lifecycle.training import TrainingSpec, run_trial
        from airflow_mltrack.tracking.active_run import ActiveRun

        with hook.client.store.transaction() as tx:
            sweep = tx.sweeps.get(self.sweep_run_id)
        spec = TrainingSpec.from_json(sweep.spec["training"])  # type: ignore[arg-type]
        opener = make_opener(hook)

        def objective(run: ActiveRun, trial: Trial, report: Report) -> float:
            self.log.info("Trial %s", trial_name(trial.number, trial.params))
            value = run_trial(
                run,
                spec,
                trial.params,
                report,
                opener=opener,
                trusted_modules=hook.settings.trusted_modules,
            )
            self.log.info("Trial %03d: %s %.4f", trial.number, spec.metric, value)
            return value

        return objective
