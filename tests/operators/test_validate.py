"""What a validation task reports: what blocks, what only warns, and where the evidence is."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.entities.verdicts import CheckResult
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.register import RegisterModelOperator
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.operators.validate import ValidateModelOperator, describe_check
from airflow_mltrack.tracking.run_files import read_file
from tests.hooks.conftest import make_context
from tests.operators.conftest import DATASET, RECIPE

GATES: dict[str, list[dict[str, object]]] = {
    "checks": [
        {"metric": "auc", "min": 0.5},
        {"name": "ideal", "metric": "auc", "min": 0.9999, "severity": "warning"},
        {"kind": "expected_cost", "max": 5},
    ]
}
HOPELESS = {"name": "perfect", "metric": "auc", "min": 0.9999}


def _execute(operator: Any, **ti_fields: Any) -> Any:
    return operator.execute(make_context(task_id=operator.task_id, **ti_fields))


@pytest.fixture
def version(hook: MltrackHook) -> int:
    del hook
    trained = _execute(
        TrainModelOperator(
            task_id="train", dataset=DATASET, recipe=RECIPE, options={"n_bootstrap": 0}
        )
    )
    register = RegisterModelOperator(
        task_id="register", name="credit", model_uri=trained["model_uri"], gates=GATES
    )
    return int(_execute(register)["version"])


def test_a_warning_is_handed_on_and_lets_the_task_succeed(
    version: int, hook: MltrackHook, capsys: pytest.CaptureFixture[str]
) -> None:
    validate = ValidateModelOperator(task_id="validate", name="credit", version=version)
    outcome = _execute(validate)
    assert (outcome["passed"], outcome["failed_checks"]) == (True, [])
    assert outcome["warnings"] == ["ideal"]
    warned = [line for line in capsys.readouterr().out.splitlines() if "[warning" in line]
    assert any("warn  ideal: auc is" in line for line in warned)
    with hook.client.store.transaction() as tx:
        verdict = tx.verdicts.get(outcome["verdict_id"])
    assert verdict.details["task_id"] == "validate"
    for check in verdict.checks:
        assert check.evidence is not None
        content = read_file(hook.client, outcome["run_id"], check.evidence)
        assert check.evidence_sha256 == hashlib.sha256(content).hexdigest()
    assert "its own" in verdict.checks[2].message, "the training stored a threshold"


def test_only_what_blocks_fails_the_task(version: int) -> None:
    policy = {"checks": [*GATES["checks"], HOPELESS]}
    validate = ValidateModelOperator(
        task_id="validate", name="credit", version=version, policy=policy
    )
    with pytest.raises(AirflowFailException, match="FAIL  perfect") as caught:
        _execute(validate)
    assert "ideal" not in str(caught.value)
    validate.on_failure = "continue"
    outcome = _execute(validate, try_number=2)
    assert (outcome["failed_checks"], outcome["warnings"]) == (["perfect"], ["ideal"])


@pytest.mark.parametrize(
    ("passed", "severity", "mark"),
    [(True, "error", "pass"), (False, "error", "FAIL"), (False, "warning", "warn")],
)
def test_a_check_is_described_in_one_line(passed: bool, severity: str, mark: str) -> None:
    check = CheckResult("auc", "threshold", passed, 0.6, 0.7, ">=", severity=severity)
    assert describe_check(check) == f"{mark}  auc: 0.6 >= 0.7"
