from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.decorators.mltrack_train import TrackedFunctionOperator, without_run
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.hooks import current_run as current_run_module
from airflow_mltrack.hooks.mltrack import MltrackHook
from tests.hooks.conftest import backend_connection, define_connection, make_context

__all__ = ["backend_connection", "define_connection"]


@pytest.fixture
def hook(backend_connection: str) -> Iterator[MltrackHook]:
    with MltrackHook(backend_connection) as hook:
        yield hook


def _execute(
    function: Any, monkeypatch: pytest.MonkeyPatch, *args: Any, **context_fields: Any
) -> dict[str, Any]:
    operator = TrackedFunctionOperator(
        task_id="fit", python_callable=function, op_args=args, experiment="custom"
    )
    context = {**make_context(task_id="fit"), **context_fields}
    monkeypatch.setattr(current_run_module, "get_current_context", lambda: context)
    found: dict[str, Any] = operator.execute(context)  # type: ignore[arg-type]
    return found


def _model() -> Any:
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1])


def test_numbers_become_metrics_and_models_become_packages(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(depth: int, run: Any) -> dict[str, Any]:
        run.log_params({"depth": depth})
        return {"auc": 0.75, "classifier": _model(), "note": "fine"}

    found = _execute(fit, monkeypatch, 3)
    data = hook.client.run(found["run_id"])
    assert (data.params, data.metrics) == ({"depth": "3"}, {"auc": 0.75})
    assert data.run.status is RunStatus.FINISHED
    assert found["value"] == {"note": "fine"}
    assert found["model_uri"] == found["models"]["classifier"]
    assert found["model_uri"].startswith("models:/m-")


def test_an_array_is_passed_on_and_is_no_metric(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    found = _execute(lambda: {"auc": np.float64(0.5), "curve": np.array([0.1, 0.2])}, monkeypatch)
    assert (found["metrics"], found["value"]) == ({"auc": 0.5}, {"curve": [0.1, 0.2]})
    assert hook.client.run(found["run_id"]).metrics == {"auc": 0.5}


def test_a_model_alone_is_logged_as_model(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _execute(lambda: (_model(), {"auc": 0.5}), monkeypatch)
    assert list(found["models"]) == ["model"]
    assert found["metrics"] == {"auc": 0.5}
    with hook.client.store.transaction() as tx:
        [model] = tx.models.list(run_id=found["run_id"])
    assert model.name == "model"


def test_a_model_that_the_function_logged_itself_goes_on_by_its_uri(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(run: Any) -> dict[str, Any]:
        import pandas as pd
        from imblearn.over_sampling import RandomOverSampler
        from imblearn.pipeline import Pipeline
        from sklearn.linear_model import LogisticRegression

        rows = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 4.0]})
        steps = [("sample", RandomOverSampler(random_state=1)), ("model", LogisticRegression())]
        pipeline = Pipeline(steps).fit(rows, [0, 0, 0, 1, 1])
        return {"auc": 0.7, "scorer": run.log_model(pipeline, "scorer", training_data=rows)}

    found = _execute(fit, monkeypatch)
    assert found["model_uri"] == found["models"]["scorer"]
    assert (found["metrics"], found["value"]) == ({"auc": 0.7}, {})
    with hook.client.store.transaction() as tx:
        [model] = tx.models.list(run_id=found["run_id"])
    assert found["model_uri"] == f"models:/{model.model_id}"
    assert model.manifest["signature"]


def test_a_logged_model_alone_keeps_its_name(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _execute(lambda run: run.log_model(_model(), "scorer"), monkeypatch)
    assert found["models"] == {"scorer": found["model_uri"]}


@pytest.mark.usefixtures("hook")
def test_a_model_uri_that_is_returned_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(run: Any) -> dict[str, Any]:
        first, second = run.log_model(_model(), "first"), run.log_model(_model(), "second")
        return {"first": first, "second": second, "model_uri": f"models:/{second.model_id}"}

    found = _execute(fit, monkeypatch)
    assert set(found["models"]) == {"first", "second"}
    assert found["model_uri"] == found["models"]["second"]
    elsewhere = _execute(lambda: {"model_uri": "models:/credit/3"}, monkeypatch)
    assert elsewhere["models"] == {"model": "models:/credit/3"}
    assert elsewhere["model_uri"] == "models:/credit/3"


@pytest.mark.usefixtures("hook")
def test_a_model_uri_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="model"):
        _execute(lambda: {"model_uri": "somewhere"}, monkeypatch)


def test_context_variables_still_reach_the_function(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(run: Any, ds: str | None = None, **context: Any) -> dict[str, Any]:
        run.set_tag("day", ds)
        return {"has_params": 1 if "params" in context else 0}

    found = _execute(fit, monkeypatch, ds="2026-01-05")
    assert hook.client.run(found["run_id"]).run.tags["day"] == "2026-01-05"
    assert found["metrics"] == {"has_params": 1.0}


def test_an_error_of_ours_is_final_and_the_run_failed(
    hook: MltrackHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def fit(run: Any) -> None:
        seen.append(run.run_id)
        run.log_metric("no such key!", 1)

    with pytest.raises(AirflowFailException, match="no such key"):
        _execute(fit, monkeypatch)
    assert hook.client.run(seen[0]).run.status is RunStatus.FAILED


def test_a_function_without_run_is_left_as_it_is() -> None:
    def fit(a: int) -> int:
        return a

    assert without_run(fit) is fit


def test_outside_a_task_the_argument_cannot_be_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLTRACK_RUN_ID", raising=False)
    with pytest.raises(InvalidInput, match="no Airflow task is executing"):
        without_run(lambda run: run)()


def test_airflow_knows_the_decorator_by_its_name() -> None:
    with DAG("d", schedule=None) as dag:

        @task.mltrack_train(experiment="x", retries=3)
        def fit(table: str, run: Any) -> dict[str, float]:
            return {"auc": 0.5}

        fitted = fit("a.csv")  # type: ignore[call-arg]
    operator = dag.get_task("fit")
    assert isinstance(operator, TrackedFunctionOperator)
    assert (operator.retries, operator.experiment, operator.multiple_outputs) == (3, "x", True)
    assert fitted["model_uri"].key == "model_uri"  # type: ignore[index]
