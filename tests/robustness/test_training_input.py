"""Data and recipes that no model can come of: the task fails at once, with words, and its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.lifecycle.sweep_spec import SweepSpec
from airflow_mltrack.lifecycle.sweeps import plan_sweep
from airflow_mltrack.operators.run_trials import RunTrialsOperator
from airflow_mltrack.operators.train import TrainModelOperator
from tests.hooks.conftest import make_context
from tests.operators.conftest import DATASET, RECIPE

ROWS = 200


def loans(**columns: object) -> pd.DataFrame:
    """Build a table in which every fourth loan is bad; columns are replaced as given."""
    generator = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "amount": generator.normal(size=ROWS),
            "age": generator.integers(18, 80, ROWS),
            "bad": (np.arange(ROWS) % 4 == 0).astype(int),
        }
    )
    return frame.assign(**columns)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A table, how it is described, and what the user reads."""

    words: tuple[str, ...]
    frame: pd.DataFrame = field(default_factory=loans)
    dataset: Mapping[str, object] = field(default_factory=dict)
    recipe: Mapping[str, object] = field(default_factory=lambda: RECIPE)


def rare(every: int) -> object:
    return (np.arange(ROWS) % every == 0).astype(int)


CASES = {
    "the target is no column": Case(
        ("target column 'default'", "no such column", "amount, age, bad"),
        dataset={"target": "default"},
    ),
    "a dropped column is none": Case(
        ("drop column 'nope'", "no such column"), dataset={"drop": ["nope"]}
    ),
    "one class": Case(("target column 'bad'", "all 200 rows are non-events"), loans(bad=0)),
    "a target without values": Case(
        ("target column 'bad'", "200 of 200 rows have no value"), loans(bad=np.nan)
    ),
    "constant features": Case(
        ("no column is left", "column amount is '1' in every row", "column age"),
        loans(amount=1, age=2),
    ),
    "empty features": Case(
        ("no column is left", "column amount has no value at all", "column age"),
        loans(amount=np.nan, age=np.nan),
    ),
    "one event": Case(("1 rows of one class", "both classes"), loans(bad=rare(ROWS))),
    "too few events to resample": Case(
        ("SMOTE", "needs at least 10 minority rows", "have 5", "k_neighbors lower"),
        loans(bad=rare(20)),
        recipe=RECIPE | {"resampler": "smote", "resampler_params": {"k_neighbors": 9}},
    ),
    "a class outside the allow-list": Case(
        ("'os.system'", "only these modules may be named", "MLTRACK_TRUSTED_MODULES"),
        recipe={"classifier": "os.system"},
    ),
    "a resampler outside the allow-list": Case(
        ("'subprocess.Popen'", "only these modules may be named"),
        recipe=RECIPE | {"resampler": "subprocess.Popen"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_training_that_cannot_be_done_fails_with_words_and_closes_its_run(
    case: Case, hook: MltrackHook, tmp_path: Path
) -> None:
    path = tmp_path / "loans.csv"
    case.frame.to_csv(path, index=False)
    operator = TrainModelOperator(
        task_id="train",
        dataset={"uri": str(path), "target": "bad", **case.dataset},
        recipe=case.recipe,
        options={"n_bootstrap": 5},
    )
    with pytest.raises(AirflowFailException) as refused:
        operator.execute(make_context())  # type: ignore[arg-type]
    for words in case.words:
        assert words in str(refused.value)
    ((status, error),) = attempts(hook)
    assert status == "FAILED"
    assert case.words[0] in error


@pytest.mark.parametrize("useless", [1, np.nan], ids=["constant", "empty"])
def test_a_useless_column_is_left_out_and_the_model_is_trained(
    useless: float, hook: MltrackHook, tmp_path: Path
) -> None:
    path = tmp_path / "loans.csv"
    loans(age=useless).to_csv(path, index=False)
    operator = TrainModelOperator(
        task_id="train",
        dataset={"uri": str(path), "target": "bad"},
        recipe=RECIPE,
        options={"n_bootstrap": 5},
    )
    trained = operator.execute(make_context())  # type: ignore[arg-type]
    with hook.client.store.transaction() as tx:
        (attempt,) = tx.runs.attempts(trained["run_id"])
        (given,) = tx.inputs.list(attempt.attempt_id)
        (model,) = tx.models.list(run_id=trained["run_id"])
    assert attempt.status.value == "FINISHED"
    assert "column age" in str(given.dataset.profile)
    signature: Any = model.manifest["signature"]
    assert [column["name"] for column in signature["columns"]] == ["amount"]


def test_trials_that_cannot_be_done_fail_one_by_one_and_leave_nothing_open(
    hook: MltrackHook,
) -> None:
    with hook.client.start_run("sweep") as parent:
        spec = SweepSpec.from_json(
            {
                "space": {"classifier": {"choices": ["os.system", "decision_tree"]}},
                "sampler": {"name": "grid"},
                "training": {"dataset": DATASET, "n_bootstrap": 5},
            }
        )
        plan_sweep(hook.client, parent, spec)
    operator = RunTrialsOperator(task_id="work", sweep_run_id=parent.run_id)
    assert operator.execute(make_context()) == {"FAILED": 1, "COMPLETE": 1}  # type: ignore[arg-type]
    found = dict.fromkeys(status for status, _ in attempts(hook))
    assert sorted(found) == ["FAILED", "FINISHED"]
    (error,) = [error for status, error in attempts(hook) if status == "FAILED"]
    assert "os.system" in error


def attempts(hook: MltrackHook) -> list[tuple[str, str]]:
    """Return status and error of every attempt that there is."""
    with hook.client.store.transaction() as tx:
        rows = tx.connection.exec_driver_sql("SELECT status, error FROM attempts ORDER BY id")
        return [(row.status, row.error or "") for row in rows]
