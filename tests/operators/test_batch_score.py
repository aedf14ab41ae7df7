"""Rows that do not fit a model end the task, and the log and the run say which and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.batch_score import BatchScoreOperator
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.training.dataset import load_table
from tests.hooks.conftest import make_context
from tests.operators.conftest import DATASET, RECIPE


@pytest.fixture
def model_uri(hook: MltrackHook) -> str:
    del hook
    operator = TrainModelOperator(
        task_id="train", dataset=DATASET, recipe=RECIPE, options={"n_bootstrap": 20}
    )
    found: dict[str, Any] = _execute(operator)
    return str(found["model_uri"])


def _scoring(model_uri: str, path: Path) -> BatchScoreOperator:
    return BatchScoreOperator(
        task_id="score", model_uri=model_uri, data=str(path), constraints="ignore"
    )


def _execute(operator: Any) -> Any:
    return operator.execute(make_context(task_id=operator.task_id))


def _table(path: Path, **columns: Any) -> Path:
    frame: pd.DataFrame = load_table(str(DATASET["uri"]), None).frame.head(4)
    frame.assign(**columns).to_csv(path, index=False)
    return path


def test_a_missing_flag_is_not_scored_as_false(
    model_uri: str, hook: MltrackHook, tmp_path: Path
) -> None:
    flags = pd.Series([True, None, False, None], dtype=object)
    operator = _scoring(model_uri, _table(tmp_path / "rows.csv", has_guarantor=flags))
    with pytest.raises(AirflowFailException) as caught:
        _execute(operator)
    text = str(caught.value)
    assert "column 'has_guarantor' 'None' is not valid: the model wants boolean (bool)" in text
    assert "cannot be missing; 2 of 4 rows break this, first row 1 (from 0)" in text
    [run] = hook.client.search_runs(filter="status = 'FAILED'", experiments=["credit"]).runs
    assert run.run.task_id == "score"
    assert "has_guarantor" in str(run.attempt.error)


def test_every_column_that_does_not_fit_is_named(model_uri: str, tmp_path: Path) -> None:
    path = _table(tmp_path / "rows.csv", age=[35, 35.5, 40, 41], term_months=["24", "x", "1", "2"])
    with pytest.raises(AirflowFailException) as caught:
        _execute(_scoring(model_uri, path))
    text = str(caught.value)
    assert "column 'age' '35.5': the model wants long (int64), which takes whole numbers" in text
    assert "column 'term_months' '24': the model wants long (int64), which takes numbers" in text


def test_a_flag_that_is_there_is_scored(model_uri: str, tmp_path: Path) -> None:
    path = _table(tmp_path / "rows.csv", has_guarantor=[True, False, True, False])
    scored = _execute(_scoring(model_uri, path))
    assert scored["rows"] == 4
