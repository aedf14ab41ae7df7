"""Verdicts on a version. Giving one loads models and scores tables: that is work for a task."""

from __future__ import annotations

from fastapi import APIRouter

from airflow_mltrack.web.api.calls import CallDep, Name, Version
from airflow_mltrack.web.bodies.verdicts import VerdictListResponse, VerdictResponse

reading = APIRouter(tags=["verdicts"])


@reading.get("/models/{name}/versions/{version}/verdicts")
def list_verdicts(name: Name, version: Version, call: CallDep) -> VerdictListResponse:
    """List the verdicts on a version, newest first, check by check."""
    with call.client.store.transaction() as tx:
        tx.registry.get_version(name, version)
        verdicts = tx.verdicts.list(name, version)
    return VerdictListResponse(verdicts=[VerdictResponse.of(verdict) for verdict in verdicts])
