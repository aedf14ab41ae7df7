"""Logged models of the stock client: its files, its signature, loading it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.tracking.client import TrackingClient


@pytest.fixture
def table() -> pd.DataFrame:
    generator = np.random.default_rng(7)
    return pd.DataFrame({"a": generator.normal(size=60), "b": generator.normal(size=60)})


@pytest.fixture
def fitted(table: pd.DataFrame) -> LogisticRegression:
    return LogisticRegression().fit(table, (table["a"] > 0).astype(int))


def test_the_articles_third_snippet_works(
    mlflow: Any, tracking: TrackingClient, table: pd.DataFrame, fitted: LogisticRegression
) -> None:
    from mlflow.models import infer_signature

    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.8)
        signature = infer_signature(table, fitted.predict(table))
        info = mlflow.sklearn.log_model(fitted, name="model", signature=signature)
    with tracking.store.transaction() as tx:
        [model] = tx.models.list(run_id=run.info.run_id)
        files = tx.artifacts.walk(model_id=model.model_id)
        [data] = tx.models.data([model.model_id])
    assert model.status is LoggedModelStatus.READY
    assert model.digest is not None
    assert {"MLmodel", "requirements.txt"} <= {file.path for file in files}
    assert [(metric.key, metric.value) for metric in data.metrics] == [("auc", 0.8)]
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    assert list(loaded.predict(table)) == list(fitted.predict(table))
    by_run = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert by_run.metadata.signature == signature
