"""Runs of the stock client: what it logs is what it and our own client read."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_mltrack.tracking.client import TrackingClient
from tests.web.mlflow.conftest import Rest


def test_the_articles_first_snippet_works(mlflow: Any, tracking: TrackingClient) -> None:
    mlflow.set_experiment("credit-default")
    with mlflow.start_run(run_name="baseline") as run:
        mlflow.log_param("max_depth", 6)
        mlflow.log_params({"rate": 0.1, "resampler": "smote"})
        mlflow.log_metric("auc", 0.78)
        mlflow.log_metrics({"ks": 0.41, "nan": math.nan}, step=3)
        mlflow.set_tag("team", "risk")
    data = tracking.run(run.info.run_id)
    assert data.run.name == "baseline"
    assert data.run.status.value == "FINISHED"
    assert data.params == {"max_depth": "6", "rate": "0.1", "resampler": "smote"}
    assert data.metrics["auc"] == 0.78
    assert math.isnan(data.metrics["nan"])
    assert data.run.tags["team"] == "risk"
    again = mlflow.get_run(run.info.run_id)
    assert again.data.params == dict(data.params)
    assert again.data.metrics["ks"] == 0.41
    assert again.data.tags["mlflow.runName"] == "baseline"
    assert again.info.end_time >= again.info.start_time


def test_nested_runs_are_children(mlflow: Any, tracking: TrackingClient) -> None:
    with mlflow.start_run() as parent:
        for number in range(2):
            with mlflow.start_run(nested=True, run_name=f"child {number}"):
                mlflow.log_param("number", number)
    children = mlflow.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["run_name"]
    )
    assert list(children["tags.mlflow.runName"]) == ["child 0", "child 1"]
    with tracking.store.transaction() as tx:
        assert len(tx.runs.children(parent.info.run_id)) == 2


def test_a_run_that_ended_is_resumed(mlflow: Any, tracking: TrackingClient) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 1.0, step=0)
    with mlflow.start_run(run_id=run.info.run_id):
        assert tracking.run(run.info.run_id).run.status.value == "RUNNING"
        mlflow.log_metric("loss", 0.5, step=1)
    assert tracking.run(run.info.run_id).run.status.value == "FINISHED"
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 0.5)]


def test_a_param_is_not_changed(mlflow: Any) -> None:
    with mlflow.start_run():
        mlflow.log_param("depth", 3)
        mlflow.log_param("depth", 3)
        with pytest.raises(mlflow.exceptions.MlflowException, match="Changing param values"):
            mlflow.log_param("depth", 4)


def test_the_answer_to_create_is_what_the_run_holds(rest: Rest) -> None:
    tags = [{"key": "team", "value": "risk"}, {"key": "mlflow.user", "value": "ada"}]
    parent = rest.post("/runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]
    tags.append({"key": "mlflow.parentRunId", "value": parent})
    body = {"experiment_id": "0", "run_name": "fit", "start_time": "7", "tags": tags}
    made = rest.post("/runs/create", body)["run"]
    assert rest.get("/runs/get", run_id=made["info"]["run_id"])["run"] == made
