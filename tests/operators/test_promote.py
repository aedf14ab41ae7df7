"""A promotion is one decision, however often its task runs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_mltrack.assets import PROMOTIONS, model_asset
from airflow_mltrack.entities.stages import GATED, StageGraph
from airflow_mltrack.lifecycle.approval import approve
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.operators.promote import PromoteModelOperator
from airflow_mltrack.tracking.client import TrackingClient
from tests.lifecycle.conftest import POLICY, AddVerdict, AddVersion
from tests.operators.conftest import execute, task_context

pytestmark = pytest.mark.usefixtures("hook")

KEYS = {
    "name",
    "version",
    "stage",
    "digest",
    "verdict_id",
    "run_id",
    "previous_version",
    "actor",
    "approvals",
}


def _promote(version: int, *, user: str | None = None, **ti_fields: Any) -> tuple[Any, Any]:
    """Run a promotion's task; return its XCom and the extra of its event."""
    context = task_context(user=user, task_id="promote", **ti_fields)
    facts = execute(
        PromoteModelOperator(task_id="promote", name="credit", version=version), context
    )
    return facts, context["outlet_events"][model_asset("credit")].extra


def test_a_cleared_task_tells_again_what_it_did_and_moves_nothing(
    client: TrackingClient, add_version: AddVersion
) -> None:
    first, second = add_version().version, add_version().version
    done, told = _promote(first, user="ada")
    promote(client, "credit", second, "Production", actor="bob")
    again, told_again = _promote(first, user="eve", try_number=2)
    assert again == done == told == told_again
    assert (done["stage"], done["actor"], done["previous_version"]) == ("Production", "ada", None)
    with client.store.transaction() as tx:
        live = tx.registry.holder("credit")
    assert live is not None
    assert live.version == second, "an old decision does not undo a newer one"


def test_the_same_task_in_another_dag_run_is_another_decision(
    client: TrackingClient, add_version: AddVersion
) -> None:
    first, second = add_version().version, add_version().version
    _promote(first)
    promote(client, "credit", second, "Production", actor="bob")
    facts, _ = _promote(first, run_id="manual__2")
    assert facts["previous_version"] == second


def test_a_dag_run_that_is_cleared_and_trains_anew_promotes_the_new_version(
    add_version: AddVersion,
) -> None:
    first, second = add_version().version, add_version().version
    _promote(first)
    facts, _ = _promote(second, try_number=2)
    assert (facts["version"], facts["previous_version"]) == (second, first)


def test_the_event_names_the_evidence(
    client: TrackingClient, add_version: AddVersion, add_verdict: AddVerdict
) -> None:
    version = add_version(gates=POLICY, stages=GATED)
    verdict = add_verdict(version)
    execute(
        PromoteModelOperator(
            task_id="stage", name="credit", version=version.version, stage="staging"
        )
    )
    approval = approve(
        client, "credit", version.version, "Production", approver="bob", reason="good"
    )
    operator = PromoteModelOperator(
        task_id="promote", name="credit", version=version.version, reason="approved"
    )
    context = task_context(task_id="promote")
    facts = execute(operator, context)
    assert context["outlet_events"][model_asset("credit")].extra == facts
    assert set(facts) == KEYS
    assert facts["digest"] == version.digest
    assert facts["verdict_id"] == verdict.verdict_id
    assert facts["approvals"] == [approval.approval_id]


def test_a_stage_of_the_models_own_has_its_own_asset(add_version: AddVersion) -> None:
    edges = [{"from": "Draft", "to": "Shadow"}]
    graph = StageGraph.from_json(
        {"stages": ["Draft", "Shadow", "Live"], "exclusive": "Live", "edges": edges}
    )
    version = add_version(stages=graph).version
    operator = PromoteModelOperator(
        task_id="shadow", name="credit", version=version, stage="shadow"
    )
    assert operator.outlets == [model_asset("credit", "Shadow")]
    context = task_context(task_id="shadow")
    execute(operator, context)
    assert context["outlet_events"][model_asset("credit", "Shadow")].extra["stage"] == "Shadow"
    assert PROMOTIONS not in context["outlet_events"]
