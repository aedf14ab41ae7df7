"""Walks the hash chains and tells whether anything was touched."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.audit import chain_heads, verify_all, verify_history
from airflow_mltrack.web.api.calls import CallDep
from airflow_mltrack.web.bodies.audit import (
    AuditResponse,
    ChainHeadResponse,
    ChainHeadsResponse,
    ChainReportResponse,
)
from airflow_mltrack.web.bodies.shapes import MODEL_NAME_LIMIT

reading = APIRouter(tags=["audit"])


@reading.get("/audit")
def verify(
    call: CallDep,
    model: Annotated[
        str | None,
        Query(max_length=MODEL_NAME_LIMIT, description="Only this model's chain; left out: all."),
    ] = None,
    head: Annotated[
        str | None,
        Query(pattern="^[0-9a-f]{64}$", description="A hash of `model` that must still be there."),
    ] = None,
) -> AuditResponse:
    """Walk the chains and compare them with the records."""
    if model is not None:
        found = [verify_history(call.client, model, head=head)]
    elif head is not None:
        raise InvalidInput("head", head, "it belongs to one model.", "Name the model as well.")
    else:
        found = list(verify_all(call.client))
    chains = [ChainReportResponse.of(report) for report in found]
    return AuditResponse(is_whole=all(chain.is_whole for chain in chains), chains=chains)


@reading.get("/audit/heads")
def list_heads(call: CallDep) -> ChainHeadsResponse:
    """List the end of every chain, to be kept where whoever writes the database cannot."""
    heads = chain_heads(call.client)
    return ChainHeadsResponse(heads=[ChainHeadResponse.model_validate(head) for head in heads])
