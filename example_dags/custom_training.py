"""Train with a function of your own.

`@task.mltrack_train` makes a function a tracked task: it gets the run of its task instance, the
numbers that it returns become metrics and the model that it returns becomes a model package. Code
that the function calls finds the same run with `current_run()`. A retry is the next attempt of the
same run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, task

from airflow_mltrack.operators.credit_data import ChooseCreditDataOperator
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.operators.register import RegisterModelOperator

if TYPE_CHECKING:
    from airflow_mltrack.tracking.active_run import ActiveRun

MODEL = "credit-default-custom"

with DAG(
    "custom_training",
    description="A training function of your own, tracked",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    tags=["mltrack", "example"],
    params={
        "DATA": Param("", type=["null", "string"], description="Table: a path or a URI"),
        "TARGET": Param("", type=["null", "string"], description="Column with the outcome"),
        "POSITIVE": Param("", type=["null", "string"], description="Value that is the event"),
        "DROP": Param("", type=["null", "string"], description="Columns to leave out: a,b"),
    },
) as dag:
    data = ChooseCreditDataOperator(
        task_id="choose_data",
        uri="{{ params.DATA or '' }}",
        target="{{ params.TARGET or '' }}",
        positive="{{ params.POSITIVE or '' }}",
        drop="{{ params.DROP or '' }}",
    )

    # [START function]
    @task.mltrack_train(experiment="custom-training", run_name="stumps {{ run_id }}")
    def fit(table: dict[str, Any], run: ActiveRun) -> dict[str, Any]:
        """Boost decision stumps, and log how the loss falls."""
        from sklearn.ensemble import GradientBoostingClassifier
        from sklearn.metrics import roc_auc_score
        from sklearn.model_selection import train_test_split

        from airflow_mltrack.training.dataset import DatasetSpec, load_dataset

        dataset = load_dataset(DatasetSpec.from_json(table))
        run.log_input(dataset, "training")
        numbers = dataset.features.select_dtypes("number").fillna(0).astype("float64")
        rows, test_rows, target, test_target = train_test_split(
            numbers, dataset.target, test_size=0.3, stratify=dataset.target, random_state=42
        )
        model = GradientBoostingClassifier(max_depth=1, n_estimators=50, random_state=42)
        model.fit(rows, target)
        run.log_params({"max_depth": 1, "n_estimators": 50})
        for step, loss in enumerate(model.train_score_):
            run.log_metric("loss", loss, step=step)
        auc = roc_auc_score(test_target, model.predict_proba(test_rows)[:, 1])
        return {"test_auc": auc, "model": model}

    # [END function]

    fitted = fit(data.output)
    register = RegisterModelOperator(
        task_id="register",
        name=MODEL,
        model_uri=fitted["model_uri"],
        tags={"made_by": "{{ dag.dag_id }}"},
    )
    PromoteModelOperator(
        task_id="promote", name=MODEL, version=register.output["version"], stage="Staging"
    )
