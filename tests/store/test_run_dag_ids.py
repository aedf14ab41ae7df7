from __future__ import annotations

from airflow_mltrack.entities.runs import task_identity
from airflow_mltrack.store.tracking_store import TrackingStore


def test_dag_ids_are_those_of_all_runs_and_none_of_runs_without_a_dag(store: TrackingStore) -> None:
    with store.transaction() as tx:
        experiment = tx.experiments.ensure("mixed")
        assert tx.runs.dag_ids() == set()
        for number, dag_id in enumerate(["b", "a", "b", "c"]):
            identity = task_identity(
                ti_id=str(number), dag_id=dag_id, dag_run_id=str(number), task_id="t"
            )
            tx.runs.open(experiment_id=experiment.experiment_id, identity=identity)
        tx.runs.open(experiment_id=experiment.experiment_id)
        assert tx.runs.dag_ids() == {"a", "b", "c"}
