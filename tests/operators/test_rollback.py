"""Going back through the operator."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mltrack.assets import PROMOTIONS, model_asset
from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import register_model, set_policy
from airflow_mltrack.operators.rollback import RollbackModelOperator
from airflow_mltrack.operators.train import TrainModelOperator
from tests.lifecycle.conftest import AddVersion
from tests.operators.conftest import DATASET, GATES, execute, task_context


@pytest.fixture
def two_live(trained: dict[str, Any], hook: MltrackHook) -> None:
    """Let two versions of ``credit`` be live, one after the other."""
    recipe = {"classifier": "decision_tree"}
    other = execute(
        TrainModelOperator(
            task_id="other", dataset=DATASET, recipe=recipe, options={"n_bootstrap": 20}
        )
    )
    for uri in (trained["model_uri"], other["model_uri"]):
        version = register_model(hook.client, "credit", uri, actor="ada").version
        promote(hook.client, "credit", version, "Production", actor="ada")


def _back(**arguments: Any) -> RollbackModelOperator:
    return RollbackModelOperator(
        task_id="back", name="credit", **{"reason": "complaints", **arguments}
    )


@pytest.mark.usefixtures("two_live")
def test_the_version_before_comes_back_and_dags_hear_of_it(hook: MltrackHook) -> None:
    operator, context = _back(), task_context(task_id="back")
    facts = execute(operator, context)
    assert (facts["version"], facts["previous_version"], facts["stage"]) == (1, 2, "Production")
    assert facts["emergency"] is False
    [(asset, extra)] = context["outlet_events"][PROMOTIONS].added
    assert (asset, extra) == (model_asset("credit", "Production"), facts)
    with hook.client.store.transaction() as tx:
        event = tx.history.list("credit")[-1]
    assert (event.payload["via"], event.payload["reason"]) == ("rollback", "complaints")
    assert event.payload["details"]["task_id"] == "back"  # type: ignore[index]


@pytest.mark.usefixtures("two_live")
def test_a_cleared_task_does_not_go_back_another_step(hook: MltrackHook) -> None:
    done = execute(_back())
    promote(hook.client, "credit", 2, "Production", actor="bob")
    context = task_context(task_id="back", try_number=2)
    assert execute(_back(), context) == done
    assert context["outlet_events"][PROMOTIONS].added[0][1] == done, "consumers hear of it again"
    with hook.client.store.transaction() as tx:
        live = tx.registry.holder("credit")
    assert live is not None
    assert live.version == 2


@pytest.mark.usefixtures("two_live")
def test_only_an_emergency_goes_back_without_verdict(hook: MltrackHook) -> None:
    set_policy(hook.client, "credit", actor="ada", gates=GATES)
    with pytest.raises(AirflowFailException, match="no verdict exists"):
        execute(_back())
    facts = execute(_back(emergency="True", to_version="1"))
    assert facts["emergency"] is True
    with hook.client.store.transaction() as tx:
        assert tx.history.list("credit")[-1].payload["emergency"] is True


@pytest.mark.usefixtures("two_live")
def test_another_live_version_than_expected_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="expected version 7"):
        execute(_back(expected_current="7"))


@pytest.mark.usefixtures("two_live")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"reason": " "}, "going back needs one"), ({"emergency": "perhaps"}, "true or false")],
)
def test_what_cannot_be_read_fails_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        execute(_back(**arguments))


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize(
    ("on_refusal", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException)]
)
def test_with_nothing_to_go_back_to_the_task_ends_as_it_was_told(
    add_version: AddVersion, on_refusal: str, error: type[Exception]
) -> None:
    add_version()
    with pytest.raises(error, match="Nothing was in Production"):
        execute(_back(on_refusal=on_refusal))


@pytest.mark.usefixtures("hook")
def test_an_unknown_model_is_never_skipped_over() -> None:
    with pytest.raises(AirflowFailException, match="'credit' does not exist"):
        execute(_back(on_refusal="skip"))
