"""What our own client and training library log, in MLflow's client; and serving it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.entities.inputs import DatasetRecord
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model
from airflow_mltrack.lifecycle.training import TrainedModel, TrainingSpec, train_model
from tests.web.mlflow.conftest import House, waited_for

_UNTIL_STDIN_ENDS = '"$@" & cat > /dev/null; kill -9 0'
"""Runs a command in a process group of its own, which ends when the test does or is killed."""


@pytest.fixture(scope="module")
def trained(house: House, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """Train and register a model the way that our operators do."""
    generator = np.random.default_rng(3)
    bad = (np.arange(240) % 4 == 0).astype(int)
    table = pd.DataFrame(
        {"income": generator.normal(50, 10, 240) - 8 * bad, "age": 30 + np.arange(240) % 9}
    ).assign(bad=bad)
    path = tmp_path_factory.mktemp("data") / "loans.csv"
    table.to_csv(path, index=False)
    spec = TrainingSpec.from_json(
        {
            "dataset": {"uri": str(path), "target": "bad"},
            "recipe": {"classifier": "logistic_regression"},
            "n_bootstrap": 20,
        }
    )
    with house.tracking.start_run("train", experiment="ours", heartbeat=False) as run:
        model = train_model(house.tracking, run, spec)
    version = register_model(house.tracking, "CreditDefaultModel", model.model_uri, actor="ada")
    promote(house.tracking, version.name, version.version, "Production", actor="ada")
    return model


def test_a_run_of_our_client_is_complete_there(stock: Any, house: House) -> None:
    with house.tracking.start_run("parent", experiment="ours", user="ada") as parent:
        parent.log_params({"depth": 3, "rate": 0.1})
        for step in range(3):
            parent.log_metric("loss", 1.0 / (step + 1), step=step)
        parent.set_tag("team", "risk")
        parent.log_text("hello", "notes/a.txt")
        parent.log_input(DatasetRecord("loans", "d" * 64, source="s3://b/k"), context="training")
        with house.tracking.start_run("child", experiment="ours", parent=parent):
            pass
    client = stock.MlflowClient()
    run = client.get_run(parent.run_id)
    assert (run.info.run_name, run.info.user_id, run.info.status) == ("parent", "ada", "FINISHED")
    assert run.info.end_time >= run.info.start_time
    assert run.data.params == {"depth": "3", "rate": "0.1"}
    assert run.data.metrics["loss"] == pytest.approx(1 / 3)
    assert run.data.tags["team"] == "risk"
    assert run.data.tags["mlflow.user"] == "ada"
    assert run.data.tags["mlflow.source.type"] == "LOCAL"
    assert [point.value for point in client.get_metric_history(parent.run_id, "loss")] == [
        1.0,
        0.5,
        pytest.approx(1 / 3),
    ]
    assert run.inputs.dataset_inputs[0].dataset.name == "loans"
    assert stock.artifacts.load_text(f"runs:/{parent.run_id}/notes/a.txt") == "hello"
    children = stock.search_runs(
        experiment_names=["ours"],
        filter_string=f"tags.mlflow.parentRunId = '{parent.run_id}'",
    )
    assert list(children["tags.mlflow.runName"]) == ["child"]


def test_a_run_that_failed_is_one_there(stock: Any, house: House) -> None:
    run = house.tracking.start_run("stopped", heartbeat=False)
    run.end(RunStatus.KILLED)
    assert stock.get_run(run.run_id).info.status == "KILLED"


def test_a_run_of_our_training_is_complete_there(stock: Any, trained: TrainedModel) -> None:
    run = stock.get_run(trained.run_id)
    assert run.data.metrics["test_auc"] == trained.metrics["auc"]
    assert run.data.params["classifier"] == "logistic_regression"
    assert run.inputs.dataset_inputs
    logged = stock.get_logged_model(trained.model_id)
    assert logged.status.value == "READY"
    assert logged.source_run_id == trained.run_id
    [found] = stock.search_logged_models(
        experiment_ids=[run.info.experiment_id],
        filter_string=f"source_run_id = '{trained.run_id}'",
        output_format="list",
    )
    assert found.model_id == trained.model_id


@pytest.mark.parametrize(
    "uri", ["models:/CreditDefaultModel/Production", "models:/CreditDefaultModel/1"]
)
def test_our_package_is_loaded_there(stock: Any, trained: TrainedModel, uri: str) -> None:
    loaded = stock.pyfunc.load_model(uri)
    assert loaded.metadata.signature is not None
    rows = pd.DataFrame({"income": [20.0, 90.0], "age": [30, 31]})
    assert list(loaded.predict(rows)) == [1, 0]
    assert trained.model_id in stock.MlflowClient().get_model_version_download_uri(
        "CreditDefaultModel", "1"
    )


@contextmanager
def served(house: House, model: str, directory: Path) -> Iterator[str]:
    """Serve a model with the package's own server; it and its workers end with the block."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    serve = ("models", "serve", "-m", model, "--env-manager", "local", "--host", "127.0.0.1")
    command = (sys.executable, "-m", "mlflow", *serve, "--workers", "1")
    # The command starts "uvicorn", which it looks for on the path.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "MLFLOW_TRACKING_URI": house.address, "PATH": path}
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            ["sh", "-c", _UNTIL_STDIN_ENDS, "sh", *command, "--port", str(port)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.communicate(timeout=30)  # closes its stdin, and waits


def test_the_package_s_own_server_serves_what_is_live(
    stock: Any, house: House, trained: TrainedModel, tmp_path: Path
) -> None:
    del stock, trained

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/ping", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    with served(house, "models:/CreditDefaultModel/Production", tmp_path) as url:
        try:
            waited_for(answers, seconds=120)
        except AssertionError:
            raise AssertionError((tmp_path / "log").read_text(encoding="utf-8")) from None
        rows = {"columns": ["income", "age"], "data": [[20.0, 30], [90.0, 31]]}
        answer = httpx.post(f"{url}/invocations", json={"dataframe_split": rows}, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": [1, 0]}
