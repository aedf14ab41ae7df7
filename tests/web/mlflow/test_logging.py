"""What else the stock client logs: data sets, figures, tables, tags; and how it reads it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.web.mlflow.conftest import House, Rest


def test_a_data_set_is_kept_with_its_context(stock: Any, house: House) -> None:
    table = pd.DataFrame({"income": [1.0, 2.0], "city": ["a", "b"]})
    data = stock.data.from_pandas(table, source="s3://bucket/loans.parquet", name="loans")
    with stock.start_run() as run:
        stock.log_input(data, context="training", tags={"sample": "1%"})
        stock.log_input(data, context="training")
    [read] = stock.get_run(run.info.run_id).inputs.dataset_inputs
    assert {tag.key: tag.value for tag in read.tags} == {
        "mlflow.data.context": "training",
        "sample": "1%",
    }
    assert (read.dataset.name, read.dataset.digest) == ("loans", data.digest)
    assert json.loads(read.dataset.schema) == json.loads(data.to_dict()["schema"])
    assert stock.data.get_source(read).load.__self__.uri == "s3://bucket/loans.parquet"
    with house.tracking.store.transaction() as tx:
        attempt = tx.runs.data(run.info.run_id).attempt.attempt_id
        [own] = tx.inputs.list_many([attempt])[attempt]
    assert own.context == "training"
    found = stock.search_runs(filter_string=f"datasets.digest = '{data.digest}'")
    assert list(found["run_id"]) == [run.info.run_id]


def test_a_metrics_data_set_is_the_one_that_was_logged(stock: Any) -> None:
    table = pd.DataFrame({"income": [1.0, 2.0]})
    data = stock.data.from_pandas(table, source="s3://bucket/loans.parquet", name="loans")
    with stock.start_run() as run:
        stock.log_input(data, context="validation")
        stock.log_metric("auc", 0.8, dataset=data)
    [read] = stock.get_run(run.info.run_id).inputs.dataset_inputs
    assert [(tag.key, tag.value) for tag in read.tags] == [("mlflow.data.context", "validation")]


def test_what_a_data_set_does_not_tell_is_not_there(stock: Any, rest: Rest, run_id: str) -> None:
    data = {"name": "loans", "digest": "d", "source_type": "local", "source": "{}"}
    rest.post("/runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": data}]})
    [read] = stock.get_run(run_id).inputs.dataset_inputs
    assert (read.dataset.schema, read.dataset.profile) == (None, None)


def test_figures_tables_and_dicts_come_back(stock: Any) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2], [3, 4])
    with stock.start_run() as run:
        stock.log_figure(figure, "plots/curve.png")
        stock.log_table({"x": [1, 2], "y": ["a", "b"]}, "tables/rows.json")
        stock.log_table({"x": [3], "y": ["c"]}, "tables/rows.json")
        stock.log_dict({"threshold": 0.4, "names": ["é"]}, "config.json")
        stock.log_text("hello", "notes/a b+c.txt")
        stock.log_image(np.zeros((2, 2, 3), dtype=np.uint8), "image.png")
    names = {item.path for item in stock.MlflowClient().list_artifacts(run.info.run_id)}
    assert names == {"plots", "tables", "config.json", "notes", "image.png"}
    assert list(stock.load_table("tables/rows.json", run_ids=[run.info.run_id])["x"]) == [1, 2, 3]
    where = f"runs:/{run.info.run_id}"
    assert stock.artifacts.load_dict(f"{where}/config.json") == {"threshold": 0.4, "names": ["é"]}
    assert stock.artifacts.load_text(f"{where}/notes/a b+c.txt") == "hello"


def test_metrics_logged_in_the_background_arrive(stock: Any, house: House) -> None:
    with stock.start_run() as run:
        waiting = [
            stock.log_metric("loss", 1 / (step + 1), step=step, synchronous=False)
            for step in range(50)
        ]
        waiting.append(stock.log_params({"a": 1, "b": 2}, synchronous=False))
        waiting.append(stock.set_tag("team", "risk", synchronous=False))
        for item in waiting:
            item.wait()
    history = stock.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == list(range(50))
    data = house.tracking.run(run.info.run_id)
    assert data.params == {"a": "1", "b": "2"}
    assert data.run.tags["team"] == "risk"


def test_background_logging_can_be_the_rule(stock: Any) -> None:
    stock.config.enable_async_logging(True)
    try:
        with stock.start_run() as run:
            stock.log_metric("auc", 0.7)
            stock.log_param("depth", 3)
        stock.flush_async_logging()
    finally:
        stock.config.enable_async_logging(False)
    data = stock.get_run(run.info.run_id).data
    assert (data.metrics["auc"], data.params["depth"]) == (0.7, "3")


def test_a_history_of_many_points_comes_in_pages(stock: Any, house: House) -> None:
    with house.tracking.start_run("long", heartbeat=False) as run:
        number = 26_001
        for step in range(number):
            run.log_metric("loss", float(step), step=step)
    history = stock.MlflowClient().get_metric_history(run.run_id, "loss")
    assert [point.step for point in history] == list(range(number))


def test_runs_are_found_as_a_table_over_many_pages(
    stock: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock.set_experiment(name)
    for number in range(7):
        with stock.start_run(run_name=f"run {number}"):
            stock.log_metric("auc", number / 10)
            stock.log_param("depth", number)
    client = stock.MlflowClient()
    experiment = client.get_experiment_by_name(name).experiment_id
    found, token = [], None
    while True:
        page = client.search_runs([experiment], "", 1, 3, ["metrics.auc DESC"], token)
        found += [run.data.params["depth"] for run in page]
        token = page.token
        if not token:
            break
    assert found == ["6", "5", "4", "3", "2", "1", "0"]
    monkeypatch.setattr("mlflow.tracking.fluent.NUM_RUNS_PER_PAGE_PANDAS", 3)
    table = stock.search_runs(
        experiment_names=[name], filter_string="metrics.auc > 0.15", order_by=["params.depth"]
    )
    assert list(table["params.depth"]) == ["2", "3", "4", "5", "6"]
    assert list(table["metrics.auc"]) == [0.2, 0.3, 0.4, 0.5, 0.6]
    assert str(table["start_time"].dt.tz) == "UTC"


def test_tags_of_runs_and_experiments_come_and_go(stock: Any, name: str) -> None:
    client = stock.MlflowClient()
    experiment = stock.create_experiment(name, tags={"team": "risk"})
    client.set_experiment_tag(experiment, "stage", "research")
    client.delete_experiment_tag(experiment, "team")
    assert client.get_experiment(experiment).tags == {"stage": "research"}
    with stock.start_run(experiment_id=experiment, tags={"a": "1"}) as run:
        stock.set_tags({"b": "2", "c": 3})
        stock.delete_tag("a")
    tags = client.get_run(run.info.run_id).data.tags
    assert {key: tags[key] for key in "bc"} == {"b": "2", "c": "3"}
    assert "a" not in tags
    with pytest.raises(stock.exceptions.MlflowException) as refused:
        client.delete_tag(run.info.run_id, "a")
    assert refused.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_experiments_and_runs_are_renamed_deleted_and_restored(stock: Any, name: str) -> None:
    client = stock.MlflowClient()
    experiment = client.create_experiment(name)
    first, second = (client.create_run(experiment).info.run_id for _ in range(2))
    client.update_run(first, status="FINISHED", name="renamed")
    assert client.get_run(first).info.run_name == "renamed"
    client.rename_experiment(experiment, f"{name} new")
    assert client.get_experiment(experiment).name == f"{name} new"
    client.delete_run(first)
    assert client.get_run(first).info.lifecycle_stage == "deleted"
    with pytest.raises(stock.exceptions.MlflowException, match="must be in the 'active' state"):
        client.log_metric(first, "auc", 1)
    client.delete_experiment(experiment)
    assert client.get_experiment(experiment).lifecycle_stage == "deleted"
    with pytest.raises(stock.exceptions.MlflowException, match="deleted"):
        stock.set_experiment(f"{name} new")
    with pytest.raises(stock.exceptions.MlflowException, match=r"INVALID.* restore it first"):
        client.rename_experiment(experiment, name)
    client.restore_experiment(experiment)
    assert client.get_run(second).info.lifecycle_stage == "active"
    assert client.get_run(first).info.lifecycle_stage == "deleted"
    client.restore_run(first)
    assert {run.info.run_id for run in client.search_runs([experiment])} == {first, second}


def test_experiments_are_searched_in_pages(stock: Any, name: str) -> None:
    for number in range(5):
        stock.create_experiment(f"{name} {number}", tags={"number": str(number % 2)})
    client = stock.MlflowClient()
    found, token = [], None
    while True:
        page = client.search_experiments(
            filter_string=f"name LIKE '{name} %'",
            order_by=["name DESC"],
            max_results=2,
            page_token=token,
        )
        found += [item.name[-1] for item in page]
        token = page.token
        if not token:
            break
    assert found == ["4", "3", "2", "1", "0"]
    odd = stock.search_experiments(
        filter_string=f"tags.number = '1' AND name LIKE '{name} %'", order_by=["creation_time ASC"]
    )
    assert [item.name[-1] for item in odd] == ["1", "3"]


def mlflow_command(house: House, *words: str) -> str:
    """Run one of the package's commands."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": house.address}
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_commands_of_the_package_work(stock: Any, house: House, name: str) -> None:
    experiment = stock.create_experiment(name)
    with stock.start_run(experiment_id=experiment, run_name="by hand"):
        stock.log_metric("auc", 0.5)
    assert name in mlflow_command(house, "experiments", "search")
    assert "by hand" in mlflow_command(house, "runs", "list", "--experiment-id", experiment)
