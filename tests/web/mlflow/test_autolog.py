"""MLflow's autolog and what it writes about models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mltrack.entities.models import LoggedModelStatus
from tests.web.mlflow.conftest import House


@pytest.fixture
def table() -> pd.DataFrame:
    generator = np.random.default_rng(7)
    return pd.DataFrame({"a": generator.normal(size=60), "b": generator.normal(size=60)})


def test_autolog_of_sklearn_is_complete(stock: Any, house: House, table: pd.DataFrame) -> None:
    from sklearn.linear_model import LogisticRegression

    stock.sklearn.autolog(log_input_examples=True)
    with stock.start_run() as run:
        model = LogisticRegression(C=0.5).fit(table, (table["a"] > 0).astype(int))
    found = stock.get_run(run.info.run_id)
    assert found.data.params["C"] == "0.5"
    assert found.data.metrics["training_accuracy_score"] > 0.9
    assert found.data.tags["estimator_name"] == "LogisticRegression"
    assert found.inputs.dataset_inputs[0].dataset.source_type == "code"
    assert "training_confusion_matrix.png" in {
        item.path for item in stock.MlflowClient().list_artifacts(run.info.run_id)
    }
    with house.tracking.store.transaction() as tx:
        [logged] = tx.models.list(run_id=run.info.run_id)
    assert logged.status is LoggedModelStatus.READY
    assert [item.model_id for item in found.outputs.model_outputs] == [logged.model_id]
    loaded = stock.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert list(loaded.predict(table)) == list(model.predict(table))


def test_autolog_of_a_search_makes_children(stock: Any, table: pd.DataFrame) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    stock.sklearn.autolog(log_models=False, log_datasets=False)
    with stock.start_run() as run:
        grid = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2)
        grid.fit(table, (table["a"] > 0).astype(int))
    children = stock.search_runs(
        filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'",
        order_by=["metrics.mean_test_score DESC"],
    )
    assert sorted(children["params.C"]) == ["0.1", "1.0", "10.0"]
    assert stock.get_run(run.info.run_id).data.params["best_C"] == str(grid.best_params_["C"])


def test_autolog_of_lightgbm_is_complete(stock: Any, table: pd.DataFrame) -> None:
    import lightgbm

    stock.lightgbm.autolog()
    target = (table["a"] > 0).astype(int)
    with stock.start_run() as run:
        data = lightgbm.Dataset(table, target)
        booster = lightgbm.train(
            {"objective": "binary", "min_data_in_leaf": 2, "verbose": -1},
            data,
            num_boost_round=5,
            valid_sets=[data],
        )
    history = stock.MlflowClient().get_metric_history(run.info.run_id, "training-binary_logloss")
    assert [point.step for point in history] == [0, 1, 2, 3, 4]
    assert stock.get_run(run.info.run_id).data.params["min_data_in_leaf"] == "2"
    loaded = stock.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert np.allclose(loaded.predict(table), booster.predict(table))
