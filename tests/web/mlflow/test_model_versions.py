"""Registered models and versions through the stock client."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.lifecycle.audit import list_history, verify_history
from airflow_mltrack.lifecycle.registration import set_policy
from airflow_mltrack.tracking.client import TrackingClient


@pytest.fixture
def table() -> pd.DataFrame:
    generator = np.random.default_rng(7)
    return pd.DataFrame({"a": generator.normal(size=60), "b": generator.normal(size=60)})


def log_model(mlflow: Any, table: pd.DataFrame, **more: Any) -> Any:
    model = LogisticRegression().fit(table, (table["a"] > 0).astype(int))
    with mlflow.start_run():
        return mlflow.sklearn.log_model(model, name="model", input_example=table[:2], **more)


def test_the_articles_second_snippet_works(
    mlflow: Any, tracking: TrackingClient, table: pd.DataFrame
) -> None:
    info = log_model(mlflow, table)
    client = mlflow.MlflowClient()
    client.create_registered_model("CreditDefaultModel")
    version = client.create_model_version(
        name="CreditDefaultModel", source=f"runs:/{info.run_id}/model", run_id=info.run_id
    )
    moved = client.transition_model_version_stage(
        name="CreditDefaultModel", version=version.version, stage="Production"
    )
    assert moved.current_stage == "Production"
    with tracking.store.transaction() as tx:
        live = tx.registry.holder("CreditDefaultModel")
    assert live is not None
    assert live.digest is not None
    assert live.run_id == info.run_id
    for uri in ("models:/CreditDefaultModel/Production", "models:/CreditDefaultModel/1"):
        assert len(mlflow.pyfunc.load_model(uri).predict(table)) == 60
    client.set_registered_model_alias("CreditDefaultModel", "champion", version.version)
    assert len(mlflow.pyfunc.load_model("models:/CreditDefaultModel@champion").predict(table)) == 60
    kinds = [event.kind for event in list_history(tracking, "CreditDefaultModel")]
    assert kinds == ["created", "registered", "transition", "alias"]
    assert verify_history(tracking, "CreditDefaultModel").is_whole


def test_a_gated_model_is_gated_through_this_door_too(
    mlflow: Any, tracking: TrackingClient, table: pd.DataFrame
) -> None:
    log_model(mlflow, table, registered_model_name="credit")
    set_policy(
        tracking,
        "credit",
        actor="ada",
        stages=GATED,
        gates={"checks": [{"metric": "auc", "min": 0.7}]},
    )
    client = mlflow.MlflowClient()
    with pytest.raises(mlflow.exceptions.MlflowException, match="no edge leads from None"):
        client.transition_model_version_stage("credit", "1", "Production")
    client.transition_model_version_stage("credit", "1", "Staging")
    with pytest.raises(mlflow.exceptions.MlflowException) as refused:
        client.transition_model_version_stage("credit", "1", "Production")
    assert refused.value.error_code == "PERMISSION_DENIED"
    for missing in ("no verdict exists", "1 approval is needed", "a reason is needed"):
        assert missing in str(refused.value)


def test_moving_another_version_to_production_archives_the_former_one(
    mlflow: Any, table: pd.DataFrame
) -> None:
    for _ in range(3):
        log_model(mlflow, table, registered_model_name="credit")
    client = mlflow.MlflowClient()
    for version in ("1", "2"):
        client.transition_model_version_stage("credit", version, "Production")
    for version, archive in (("1", False), ("3", True)):
        client.transition_model_version_stage(
            "credit", version, "Staging", archive_existing_versions=archive
        )
    found = {v.version: v.current_stage for v in client.search_model_versions("name='credit'")}
    assert found == {"1": "Archived", "2": "Production", "3": "Staging"}
