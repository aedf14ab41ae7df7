"""Score a table whenever a model goes live.

Starts when a version of `credit-default` is promoted to Production (see `credit_sweep`), or by
hand. The model's package is verified before it is loaded, and every row is checked against the
model's signature. With no `DATA` given it scores the demonstration's credit data.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_mltrack.assets import model_asset
from airflow_mltrack.operators.batch_score import BatchScoreOperator
from airflow_mltrack.operators.credit_data import ChooseCreditDataOperator

MODEL = "credit-default"

with DAG(
    "batch_scoring",
    description="Scores a table with the model in Production",
    doc_md=__doc__,
    # [START asset]
    schedule=[model_asset(MODEL, "Production")],
    # [END asset]
    catchup=False,
    tags=["mltrack", "example"],
    params={
        "DATA": Param("", type=["null", "string"], description="Table: a path or a URI"),
        "OUTPUT": Param(
            "", type=["null", "string"], description="CSV or Parquet; empty: an artifact"
        ),
        "MODEL_URI": Param(f"models:/{MODEL}/Production", type="string"),
    },
) as dag:
    demonstration = ChooseCreditDataOperator(task_id="choose_data")
    # [START score]
    score = BatchScoreOperator(
        task_id="score",
        model_uri="{{ params.MODEL_URI }}",
        data="{{ params.DATA or ti.xcom_pull('choose_data')['uri'] }}",
        output_uri="{{ params.OUTPUT or '' }}",
        constraints="warn",
    )
    # [END score]
    demonstration >> score
