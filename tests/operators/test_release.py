"""Train, register, validate, promote, score: one model's way through the operators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mltrack.assets import PROMOTIONS, model_asset
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.operators.batch_score import BatchScoreOperator
from airflow_mltrack.operators.credit_data import ChooseCreditDataOperator
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.operators.register import RegisterModelOperator
from airflow_mltrack.operators.train import TrainModelOperator
from airflow_mltrack.operators.validate import ValidateModelOperator
from airflow_mltrack.training.loan_portfolio import portfolio_uri
from tests.operators.conftest import DATASET, execute, task_context

NEVER = {"checks": [{"name": "perfect", "metric": "auc", "min": 0.9999}]}


def test_training_hands_on_ids_and_numbers(trained: dict[str, Any], hook: MltrackHook) -> None:
    assert trained["synthetic"] is True
    assert 0.5 < trained["metrics"]["auc"] < 1
    data = hook.client.run(trained["run_id"])
    assert data.metrics["test_auc"] == pytest.approx(trained["metrics"]["auc"])
    assert data.run.tags["mlflow.source.type"] == "JOB"


def test_registering_again_finds_the_version(trained: dict[str, Any], version: int) -> None:
    operator = RegisterModelOperator(
        task_id="register", name="credit", model_uri=trained["model_uri"]
    )
    again = execute(operator)
    assert again["version"] == version == 1
    assert again["model_uri"] == "models:/credit/1"


@pytest.mark.parametrize("stages", ["gated", GATED.to_json(), json.dumps(GATED.to_json())])
def test_registering_sets_the_stages(
    trained: dict[str, Any], hook: MltrackHook, stages: Any
) -> None:
    operator = RegisterModelOperator(
        task_id="register", name="credit", model_uri=trained["model_uri"], stages=stages
    )
    execute(operator)
    with hook.client.store.transaction() as tx:
        assert tx.registry.stage_graph("credit") == GATED


def test_registering_without_stages_keeps_those_that_are_there(
    trained: dict[str, Any], hook: MltrackHook
) -> None:
    for stages in ("gated", None, ""):
        operator = RegisterModelOperator(
            task_id="register", name="credit", model_uri=trained["model_uri"], stages=stages
        )
        execute(operator)
    with hook.client.store.transaction() as tx:
        assert tx.registry.stage_graph("credit") == GATED


def test_a_verdict_opens_production_and_the_asset_tells(version: int, hook: MltrackHook) -> None:
    validate = ValidateModelOperator(
        task_id="validate", name="credit", version=str(version), dataset=DATASET, split={}
    )
    verdict = execute(validate)
    assert verdict["passed"]
    promote = PromoteModelOperator(
        task_id="promote", name="credit", version=version, verdict_id=verdict["verdict_id"]
    )
    context = task_context(task_id="promote")
    facts = execute(promote, context)
    assert (facts["stage"], facts["previous_version"]) == ("Production", None)
    assert promote.outlets == [model_asset("credit", "Production")]
    assert context["outlet_events"][model_asset("credit")].extra == facts
    with hook.client.store.transaction() as tx:
        [event] = [item for item in tx.history.list("credit") if item.kind == "transition"]
    assert event.actor == "dag:credit"
    assert dict(event.payload)["details"]["task_id"] == "promote"  # type: ignore[index]


@pytest.mark.parametrize("name", ["{{ params.model }}", "{% if 1 %}credit{% endif %}"])
def test_a_templated_promotion_goes_through_the_alias(version: int, name: str) -> None:
    promote = PromoteModelOperator(task_id="promote", name=name, version=version, stage="Staging")
    assert promote.outlets == [PROMOTIONS]
    promote.name = "credit"
    context = task_context()
    execute(promote, context)
    [(asset, _)] = context["outlet_events"][PROMOTIONS].added
    assert asset == model_asset("credit", "Staging")


@pytest.mark.parametrize(
    ("on_refusal", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_without_a_verdict_production_is_refused(
    version: int, on_refusal: str, error: type[Exception]
) -> None:
    promote = PromoteModelOperator(
        task_id="promote", name="credit", version=version, on_refusal=on_refusal
    )
    with pytest.raises(error, match="no verdict exists"):
        execute(promote)


def test_an_unexpected_holder_is_a_conflict_that_may_be_retried(version: int) -> None:
    promote = PromoteModelOperator(
        task_id="promote", name="credit", version=version, stage="Staging", expected_current=7
    )
    with pytest.raises(Conflict, match="expected version 7"):
        execute(promote)


@pytest.mark.parametrize(
    ("on_failure", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_a_verdict_that_does_not_pass_ends_the_task(
    version: int, on_failure: str, error: type[Exception], hook: MltrackHook
) -> None:
    validate = ValidateModelOperator(
        task_id="validate",
        name="credit",
        version=version,
        policy=NEVER,
        on_failure=on_failure,
    )
    with pytest.raises(error, match="perfect"):
        execute(validate)
    with hook.client.store.transaction() as tx:
        latest = tx.verdicts.latest("credit", version)
    assert latest is not None, "the verdict is recorded whatever it says"
    assert not latest.passed


def test_rows_that_the_training_used_are_no_evidence(version: int) -> None:
    validate = ValidateModelOperator(
        task_id="validate", name="credit", version=version, dataset=DATASET
    )
    with pytest.raises(AirflowFailException, match="learned from this table"):
        execute(validate)


def test_continue_hands_the_failed_checks_on(version: int) -> None:
    validate = ValidateModelOperator(
        task_id="validate",
        name="credit",
        version=version,
        policy=NEVER,
        on_failure="continue",
    )
    assert execute(validate)["failed_checks"] == ["perfect"]


def test_scores_become_an_artifact_where_no_output_is_named(
    trained: dict[str, Any], hook: MltrackHook
) -> None:
    operator = BatchScoreOperator(
        task_id="score",
        model_uri=trained["model_uri"],
        data=DATASET["uri"],
        keep=["purpose"],
        threshold="0.5",
    )
    scored = execute(operator)
    assert scored["rows"] == 600
    with hook.client.store.transaction() as tx:
        run = tx.runs.get(scored["run_id"])
        artifact = tx.artifacts.get(attempt_id=run.attempt_id, path="scores.csv")
    assert artifact is not None
    lines = hook.client.artifact_store.read_bytes(artifact.key).decode().splitlines()
    assert lines[0] == "purpose,score,decision"
    assert len(lines) == 601


def test_an_output_of_an_unknown_kind_is_refused(trained: dict[str, Any], tmp_path: Path) -> None:
    operator = BatchScoreOperator(
        task_id="score",
        model_uri=trained["model_uri"],
        data=DATASET["uri"],
        output_uri=str(tmp_path / "scores.xlsx"),
    )
    with pytest.raises(AirflowFailException, match=r"ends in \.csv or \.parquet"):
        execute(operator)


@pytest.mark.usefixtures("hook")
def test_a_missing_column_fails_without_retry_and_is_named() -> None:
    operator = TrainModelOperator(task_id="train", dataset={**DATASET, "target": "defualted"})
    with pytest.raises(AirflowFailException, match="defaulted"):
        execute(operator)


@pytest.mark.usefixtures("hook")
def test_the_dag_params_choose_the_table() -> None:
    chosen = ChooseCreditDataOperator(task_id="data", uri="a.csv", target="bad", drop="id,x")
    assert execute(chosen) == {"uri": "a.csv", "target": "bad", "drop": ["id", "x"]}
    with pytest.raises(AirflowFailException, match="TARGET"):
        execute(ChooseCreditDataOperator(task_id="data", uri="a.csv"))


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("tables/German Credit.csv.gz", "credit-default-german-credit"),
        (portfolio_uri(rows=100), "credit-default-synthetic"),
    ],
)
def test_every_table_has_a_model_of_its_own(uri: str, name: str) -> None:
    context = task_context(task_id="data")
    execute(ChooseCreditDataOperator(task_id="data", uri=uri, target="bad"), context)
    assert context["ti"].pushed["model_name"] == name
