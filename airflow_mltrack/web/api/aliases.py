"""Aliases: point a name at a version, take it away."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from airflow_mltrack.lifecycle import registration
from airflow_mltrack.web.api.calls import CallDep, Name
from airflow_mltrack.web.bodies.aliases import AliasBody, AliasResponse
from airflow_mltrack.web.bodies.shapes import Reason

changing = APIRouter(tags=["aliases"])
_Alias = Annotated[str, Path(max_length=255, description="Letters, digits, `_` and `-`.")]


@changing.put("/models/{name}/aliases/{alias}")
def set_alias(name: Name, alias: _Alias, body: AliasBody, call: CallDep) -> AliasResponse:
    """Point an alias at a version; it leaves the one it pointed at."""
    found = registration.set_alias(
        call.client, name, alias, body.version, actor=call.actor, reason=body.reason
    )
    return AliasResponse(name=name, alias=alias, version=found.version)


@changing.delete("/models/{name}/aliases/{alias}")
def delete_alias(
    name: Name, alias: _Alias, call: CallDep, reason: Annotated[Reason, Query()] = ""
) -> AliasResponse:
    """Take an alias away; nothing happens when there is none."""
    registration.delete_alias(call.client, name, alias, actor=call.actor, reason=reason)
    return AliasResponse(name=name, alias=alias, version=None)
