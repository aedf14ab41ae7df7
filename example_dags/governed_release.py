"""Release a model under rules: evidence first, then a person, then Production.

The model is registered with the `gated` stages: a version gets into Production only with a fresh
passing verdict and the approval of somebody who has neither trained it nor triggered this Dag. The
run waits at `approve` until somebody has answered under Airflow's required actions. What was
released is written down in an evidence pack.

Trigger it with `roll_back` to see the way back: once the new version is live, the one before takes
its place again. Without two users of Airflow nobody can approve, see the how-to on approving.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_mltrack.operators.approve import ApproveModelOperator
from airflow_mltrack.operators.credit_data import ChooseCreditDataOperator
from airflow_mltrack.operators.evidence import ModelEvidenceOperator
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.operators.register import RegisterModelOperator
from airflow_mltrack.operators.rollback import RollbackModelOperator
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.operators.validate import ValidateModelOperator

MODEL = "credit-default-governed"
SPLIT = {"test_size": 0.3, "seed": 42}

GATES = {
    "checks": [
        {"name": "auc_floor", "metric": "auc", "min": 0.6},
        {"name": "brier_ceiling", "metric": "brier", "max": 0.25},
        {
            "name": "not_worse_than_champion",
            "metric": "auc",
            "versus": "champion",
            "min_difference": -0.05,
        },
        {"name": "same_signature", "kind": "signature"},
    ],
    "valid_days": 7,
}

with DAG(
    "governed_release",
    description="Trained, judged, approved by a second person, promoted, written down",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["mltrack", "example"],
    params={
        "DATA": Param("", type=["null", "string"], description="Table: a path or a URI"),
        "TARGET": Param("", type=["null", "string"], description="Column with the outcome"),
        "POSITIVE": Param("", type=["null", "string"], description="Value that is the event"),
        "DROP": Param("", type=["null", "string"], description="Columns to leave out: a,b"),
        "classifier": Param("lightgbm", type="string"),
        "APPROVERS": Param(
            "", type=["null", "string"], description="Ids of users who may approve: a,b"
        ),
        "roll_back": Param(False, type="boolean", description="Go back once it is live"),
    },
) as dag:
    data = ChooseCreditDataOperator(
        task_id="choose_data",
        uri="{{ params.DATA or '' }}",
        target="{{ params.TARGET or '' }}",
        positive="{{ params.POSITIVE or '' }}",
        drop="{{ params.DROP or '' }}",
    )
    train = TrainModelOperator(
        task_id="train",
        dataset=data.output,
        recipe={"classifier": "{{ params.classifier }}"},
        split=SPLIT,
    )
    # [START register]
    register = RegisterModelOperator(
        task_id="register",
        name=MODEL,
        model_uri=train.output["model_uri"],
        stages="gated",
        gates=GATES,
    )
    # [END register]
    validate = ValidateModelOperator(
        task_id="validate", name=MODEL, version=register.output["version"]
    )
    stage = PromoteModelOperator(
        task_id="promote_to_staging",
        name=MODEL,
        version=register.output["version"],
        stage="Staging",
    )
    # [START approve]
    approve = ApproveModelOperator(
        task_id="approve",
        name=MODEL,
        version=register.output["version"],
        reason="Release of {{ run_id }}",
        approvers="{{ params.APPROVERS or '' }}",
        deadline=timedelta(days=3),
    )
    promote = PromoteModelOperator(
        task_id="promote_to_production",
        name=MODEL,
        version=approve.output["version"],
        verdict_id=approve.output["verdict_id"],
        reason="Approved by {{ ti.xcom_pull(task_ids='approve', key='approver') }}",
    )
    # [END approve]
    # [START evidence]
    evidence = ModelEvidenceOperator(
        task_id="write_evidence", name=MODEL, version=promote.output["version"]
    )
    # [END evidence]

    @task.short_circuit
    def roll_back_is_asked_for(params: dict[str, Any]) -> bool:
        """Say whether this run is to show the way back."""
        return bool(params["roll_back"])

    # [START rollback]
    # An emergency: the version that goes back has no fresh verdict against the one that is live,
    # and the night in which one goes back has no time for it. The history says that it was one.
    roll_back = RollbackModelOperator(
        task_id="roll_back",
        name=MODEL,
        reason="Asked for in {{ run_id }}",
        emergency=True,
        expected_current=promote.output["version"],
        on_refusal="skip",  # where nothing was live before, there is no way back
    )
    # [END rollback]
    validate >> stage >> approve >> promote >> evidence
    evidence >> roll_back_is_asked_for() >> roll_back
