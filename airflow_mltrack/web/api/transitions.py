"""Promoting and rolling back: what is live changes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from airflow_mltrack.lifecycle import promotion
from airflow_mltrack.lifecycle import rollback as going_back
from airflow_mltrack.lifecycle.transition_facts import transition_facts
from airflow_mltrack.web.announcing import announce_safely
from airflow_mltrack.web.api.calls import DETAILS, Call, CallDep, Name, Version
from airflow_mltrack.web.bodies.history import HistoryEventResponse
from airflow_mltrack.web.bodies.transitions import (
    RollbackBody,
    TransitionBody,
    TransitionResponse,
)

if TYPE_CHECKING:
    from airflow_mltrack.lifecycle.transitions import Transition

changing = APIRouter(tags=["transitions"])


@changing.post("/models/{name}/versions/{version}/transitions")
def promote(
    name: Name, version: Version, body: TransitionBody, call: CallDep
) -> TransitionResponse:
    """Put a version into a stage, in one transaction, if the model's rules allow it."""
    done = promotion.promote(
        call.client,
        name,
        version,
        body.stage,
        actor=call.actor,
        reason=body.reason,
        expected_current=body.expected,
        verdict_id=body.verdict_id,
        intent=body.intent,
        details=DETAILS,
    )
    return _answer(call, done)


@changing.post("/models/{name}/rollback")
def rollback(name: Name, body: RollbackBody, call: CallDep) -> TransitionResponse:
    """Put the version that was live before, or a named one, into the live stage again."""
    done = going_back.rollback(
        call.client,
        name,
        actor=call.actor,
        reason=body.reason,
        to_version=body.to_version,
        emergency=body.emergency,
        expected_current=body.expected,
        intent=body.intent,
        details=DETAILS,
    )
    return _answer(call, done, emergency=body.emergency)


def _answer(call: Call, done: Transition, **further: object) -> TransitionResponse:
    """Tell Dags that wait for the stage, and the caller what was done.

    :param further: what the announcement says beside the usual facts.
    """
    told = None
    if done.changed:
        facts = {**transition_facts(done, call.actor), **further}
        told = announce_safely(call.announce, call.reader, done.version, facts)
    with call.client.store.transaction() as tx:
        return TransitionResponse(
            version=call.version_response(tx, done.version),
            previous=None if done.previous is None else call.version_response(tx, done.previous),
            event=None if done.event is None else HistoryEventResponse.of(done.event),
            changed=done.changed,
            asset_event=told,
        )
