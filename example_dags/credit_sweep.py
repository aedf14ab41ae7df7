"""Bring the best of 50 trials to Production.

Ten ways to treat the imbalance times five classifiers compete on validation rows, as children of
one parent run. The best one is fitted on all training rows, registered, judged on test rows that no
trial ever saw (against fixed limits, and against the version that is live now) and promoted.

Run it with your own table: set `DATA` (CSV, gzip CSV or Parquet; a path or a URI) and `TARGET`, and
`POSITIVE` where the target is not 0/1. With no data given it takes UCI's credit card defaults;
where the archive cannot be reached it takes a generated portfolio and marks every number as
synthetic. The model is called `credit-default`, with the table's name behind it where you gave one.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_mltrack.operators.credit_data import ChooseCreditDataOperator
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.operators.register import RegisterModelOperator
from airflow_mltrack.operators.sweep import sweep
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.operators.validate import ValidateModelOperator

# One registered model for each table: versions are compared on the same columns.
MODEL = "{{ params.MODEL or ti.xcom_pull(task_ids='choose_data', key='model_name') }}"
EXPERIMENT = "credit-sweep"

# [START search_space]
SPACE = {
    "resampler": {
        "choices": [
            "none",
            "random_over",
            "random_under",
            "near_miss",
            "tomek_links",
            "smote",
            "borderline_smote",
            "adasyn",
            "smote_tomek",
            "smote_enn",
        ]
    },
    "classifier": {
        "choices": [
            "logistic_regression",
            "random_forest",
            "extra_trees",
            "hist_gradient_boosting",
            "lightgbm",
        ]
    },
}
RECIPE = {
    "options": {
        "random_forest": {"n_estimators": 100},
        "extra_trees": {"n_estimators": 100},
        "hist_gradient_boosting": {"max_iter": 100},
        "lightgbm": {"n_estimators": 200, "learning_rate": 0.05},
    }
}
# [END search_space]

SPLIT = {"test_size": 0.3, "validation": "cv", "folds": 3, "seed": 42}

# [START gates]
GATES = {
    "checks": [
        {"name": "auc_floor", "metric": "auc", "min": 0.6},
        {"name": "brier_ceiling", "metric": "brier", "max": 0.25},
        {
            "name": "not_worse_than_champion",
            "metric": "auc",
            "versus": "champion",
            "min_difference": -0.01,
        },
    ],
    "valid_days": 30,
}
# [END gates]

with DAG(
    "credit_sweep",
    description="50 trials, one winner: trained, judged, promoted to Production",
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
        "MODEL": Param("", type=["null", "string"], description="Empty: named after the data"),
        "mode": Param("workers", enum=["workers", "mapped"]),
        "workers": Param(2, type="integer", minimum=1, description="Tasks in mode workers"),
        "trials_per_task": Param(1, type="integer", minimum=1, description="In mode mapped"),
        "n_trials": Param(50, type="integer", minimum=1, description="Of the 50 combinations"),
    },
) as dag:
    data = ChooseCreditDataOperator(
        task_id="choose_data",
        uri="{{ params.DATA or '' }}",
        target="{{ params.TARGET or '' }}",
        positive="{{ params.POSITIVE or '' }}",
        drop="{{ params.DROP or '' }}",
    )

    # [START sweep]
    search = sweep(
        dataset=data.output,
        space=SPACE,
        sampler={"name": "grid", "seed": 42},
        n_trials="{{ params.n_trials }}",
        mode="{{ params.mode }}",
        workers="{{ params.workers }}",
        trials_per_task="{{ params.trials_per_task }}",
        recipe=RECIPE,
        split=SPLIT,
        metric="auc",
        experiment=EXPERIMENT,
        run_name="sweep {{ run_id }}",
    )
    # [END sweep]

    # [START train]
    train = TrainModelOperator(
        task_id="train_best",
        dataset=data.output,
        recipe=RECIPE,
        hyperparameters=search.best["hyperparameters"],
        threshold=search.best["threshold"],
        split=SPLIT,
        experiment=EXPERIMENT,
        run_name="best of {{ run_id }}",
    )
    # [END train]

    # [START release]
    register = RegisterModelOperator(
        task_id="register",
        name=MODEL,
        model_uri=train.output["model_uri"],
        gates=GATES,
        description="Best trial of {{ run_id }}",
    )
    validate = ValidateModelOperator(
        task_id="validate",
        name=MODEL,
        version=register.output["version"],
        experiment=EXPERIMENT,
    )
    stage = PromoteModelOperator(
        task_id="promote_to_staging",
        name=MODEL,
        version=register.output["version"],
        stage="Staging",
        reason="Passed its gates in {{ run_id }}",
    )
    promote = PromoteModelOperator(
        task_id="promote_to_production",
        name=MODEL,
        version=register.output["version"],
        stage="Production",
        verdict_id=validate.output["verdict_id"],
        reason="Passed its gates in {{ run_id }}",
    )
    validate >> stage >> promote
    # [END release]
