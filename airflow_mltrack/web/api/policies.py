"""A model's rules: its gates and its stage graph."""

from __future__ import annotations

from fastapi import APIRouter

from airflow_mltrack.lifecycle.registration import set_policy
from airflow_mltrack.web.api.calls import CallDep, Name
from airflow_mltrack.web.bodies.models import ModelResponse
from airflow_mltrack.web.bodies.policies import PolicyBody

changing = APIRouter(tags=["policies"])


@changing.patch("/models/{name}/policy")
def change_policy(name: Name, body: PolicyBody, call: CallDep) -> ModelResponse:
    """Change what versions must show, and which moves there are; verdicts under other gates end."""
    model = set_policy(
        call.client,
        name,
        actor=call.actor,
        gates=body.gates,
        stages=body.stages,
        reason=body.reason,
    )
    with call.client.store.transaction() as tx:
        return ModelResponse.of(model, tx.registry.holder(name))
