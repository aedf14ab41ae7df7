"""Aliases: names for one version."""

from __future__ import annotations

from pydantic import Field

from airflow_mltrack.web.bodies.shapes import ApiBody, ApiResponse, Reason, VersionNumber


class AliasBody(ApiBody):
    """The version that an alias is to point at."""

    version: VersionNumber
    reason: Reason = ""


class AliasResponse(ApiResponse):
    """An alias and what it points at."""

    name: str
    alias: str
    version: int | None = Field(description="null: the alias is gone.")
