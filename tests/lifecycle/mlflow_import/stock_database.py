"""A database that the stock MLflow 3 has written, with everything that an import brings."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POINTS = 5_000
"""Length of the long history."""


@dataclass(frozen=True)
class StockDatabase:
    """Where it is, and what is in it."""

    address: str
    file: Path
    artifacts: Path
    parent: str
    child: str
    deleted_run: str
    model_id: str
    legacy_run: str
    """Logged its model into its own files, as MLflow 1 and 2 did."""


def make_stock_database(directory: Path) -> StockDatabase:
    """Write one through MLflow's fluent interface."""
    import mlflow

    file = directory / "mlflow.db"
    address, artifacts = f"sqlite:///{file}", directory / "mlruns"
    artifacts.mkdir()
    before = mlflow.get_tracking_uri()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(address)
        # Or another test's address, which the client keeps in a variable of the process.
        mlflow.set_registry_uri(address)
        try:
            return _write(mlflow, file, artifacts)
        finally:
            while mlflow.active_run():
                mlflow.end_run()
            mlflow.set_tracking_uri(before)
            mlflow.set_registry_uri(None)
            for name in ("MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID"):
                os.environ.pop(name, None)  # which the client has set


def _write(mlflow: Any, file: Path, artifacts: Path) -> StockDatabase:
    client = mlflow.MlflowClient()
    for number, name in enumerate(("credit", "old ideas"), start=1):
        client.create_experiment(name, artifact_location=str(artifacts / str(number)))
    client.set_experiment_tag("1", "team", "risk")
    mlflow.set_experiment("credit")
    with mlflow.start_run(run_name="parent", tags={"stage": "first"}) as run:
        model_id = _fill_parent(mlflow, client, run.info.run_id)
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("loss", 0.5)
    with mlflow.start_run(run_name="legacy") as legacy:
        mlflow.log_text("flavors: {}\n", "old/MLmodel")
        mlflow.log_text("weights", "old/model.bin")
    with mlflow.start_run(run_name="gone") as gone:
        mlflow.log_param("depth", 3)
    client.delete_run(gone.info.run_id)
    mlflow.set_experiment("old ideas")
    with mlflow.start_run(run_name="idea"):
        mlflow.log_metric("auc", 0.6)
    client.delete_experiment("2")
    _register(client, model_id, run.info.run_id, legacy.info.run_id)
    return StockDatabase(
        f"sqlite:///{file}",
        file,
        artifacts,
        run.info.run_id,
        child.info.run_id,
        gone.info.run_id,
        model_id,
        legacy.info.run_id,
    )


def _fill_parent(mlflow: Any, client: Any, run_id: str) -> str:
    import pandas as pd
    from matplotlib.figure import Figure
    from mlflow.entities import Metric
    from sklearn.linear_model import LogisticRegression

    table = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
    mlflow.log_params({"depth": 7, "rate": "0.1"})
    for start in range(0, POINTS, 1_000):
        points = [
            Metric("loss", 1 / (1 + step), 1_700_000_000_000 + step, step)
            for step in range(start, start + 1_000)
        ]
        client.log_batch(run_id, metrics=points)
    for key, value in (("nan", "nan"), ("up", "inf"), ("down", "-inf")):
        mlflow.log_metric(key, float(value), step=-3)
    dataset = mlflow.data.from_pandas(table, name="table")
    mlflow.log_input(dataset, context="training", tags={"part": "train"})
    figure = Figure()
    figure.subplots().plot([1, 2])
    mlflow.log_figure(figure, "plots/line.png")
    mlflow.log_text("words\n", "notes/a.txt")
    fitted = LogisticRegression().fit(table, [0, 0, 1, 1])
    logged = mlflow.sklearn.log_model(fitted, name="model", pip_requirements=["scikit-learn"])
    mlflow.log_metric("auc", 0.75, model_id=logged.model_id, dataset=dataset)
    return str(logged.model_id)


def _register(client: Any, model_id: str, run_id: str, legacy: str) -> None:
    client.create_registered_model("Credit", tags={"owner": "ada"}, description="Who pays back")
    for _ in range(3):
        client.create_model_version(
            "Credit", f"models:/{model_id}", run_id=run_id, model_id=model_id, tags={"k": "v"}
        )
    client.create_model_version("Credit", f"runs:/{legacy}/old", run_id=legacy)
    client.create_model_version("Credit", f"runs:/{legacy}/old", run_id=legacy)
    client.transition_model_version_stage("Credit", "1", "Production")
    client.transition_model_version_stage("Credit", "3", "Staging")
    client.transition_model_version_stage("Credit", "4", "Production")
    client.set_registered_model_alias("Credit", "champion", "4")
    client.delete_model_version("Credit", "2")
    client.delete_model_version("Credit", "5")
