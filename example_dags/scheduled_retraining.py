"""Retrain on schedule, or when new data arrive.

Every Monday, and whenever the asset `credit-applications` is updated, a challenger is trained. It
is judged on the same test rows as the version that is live. Only a challenger that is better is
promoted: otherwise the tasks after `validate` are skipped, and the live version stays.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param

from airflow_mltrack.operators.credit_data import ChooseCreditDataOperator
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.operators.register import RegisterModelOperator
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.operators.validate import ValidateModelOperator

MODEL = "credit-default-weekly"
SPLIT = {"test_size": 0.3, "seed": 42}

# [START schedule]
new_applications = Asset("credit-applications", uri="file:///data/credit_applications.csv")
schedule = AssetOrTimeSchedule(
    timetable=CronTriggerTimetable("0 5 * * MON", timezone="UTC"),
    assets=[new_applications],
)
# [END schedule]

with DAG(
    "scheduled_retraining",
    description="Retrains weekly or on new data; promotes only what is better",
    doc_md=__doc__,
    schedule=schedule,
    catchup=False,
    max_active_runs=1,
    tags=["mltrack", "example"],
    params={
        "DATA": Param("", type=["null", "string"], description="Table: a path or a URI"),
        "TARGET": Param("", type=["null", "string"], description="Column with the outcome"),
        "POSITIVE": Param("", type=["null", "string"], description="Value that is the event"),
        "DROP": Param("", type=["null", "string"], description="Columns to leave out: a,b"),
        "classifier": Param("lightgbm", type="string"),
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
        task_id="train_challenger",
        dataset=data.output,
        recipe={"classifier": "{{ params.classifier }}"},
        split=SPLIT,
    )
    # [START challenge]
    register = RegisterModelOperator(
        task_id="register",
        name=MODEL,
        model_uri=train.output["model_uri"],
        gates={
            "checks": [
                {"name": "auc_floor", "metric": "auc", "min": 0.6},
                {
                    "name": "better_than_champion",
                    "metric": "auc",
                    "versus": "champion",
                    "min_difference": 0.0001,
                },
            ]
        },
    )
    validate = ValidateModelOperator(
        task_id="validate",
        name=MODEL,
        version=register.output["version"],
        on_failure="skip",
    )
    PromoteModelOperator(
        task_id="promote",
        name=MODEL,
        version=validate.output["version"],
        verdict_id=validate.output["verdict_id"],
        on_refusal="skip",
    )
    # [END challenge]
