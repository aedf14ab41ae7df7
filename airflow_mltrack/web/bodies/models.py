"""Registered models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_mltrack.store.key_rules import KEY_LIMIT, TAG_VALUE_LIMIT
from airflow_mltrack.store.registered_models import DESCRIPTION_LIMIT
from airflow_mltrack.web.bodies.shapes import ApiBody, ApiResponse, ModelName, PlainText
from airflow_mltrack.web.bodies.stages import StageGraphResponse

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion, RegisteredModel

_Key = Annotated[PlainText, Field(min_length=1, max_length=KEY_LIMIT)]
_Value = Annotated[PlainText, Field(max_length=TAG_VALUE_LIMIT)]


class CreateModelBody(ApiBody):
    """A registered model to make; it gets the stage graph that the site's settings give it."""

    name: ModelName
    description: Annotated[PlainText, Field(max_length=DESCRIPTION_LIMIT)] = ""
    tags: Annotated[dict[_Key, _Value], Field(default_factory=dict, max_length=100)]


class ModelResponse(ApiResponse):
    """A registered model."""

    name: str
    description: str
    created_at: datetime
    updated_at: datetime
    tags: Mapping[str, str]
    aliases: Mapping[str, int] = Field(description="Version by alias.")
    live_version: int | None = Field(description="The version in the live stage; null: none.")
    is_governed: bool = Field(
        description="Whether something must be shown before a version may go live."
    )
    gates: Mapping[str, Any] = Field(description="The policy of checks; empty: none.")
    stages: StageGraphResponse

    @classmethod
    def of(cls, model: RegisteredModel, live: ModelVersion | None) -> ModelResponse:
        """Write a model down, with what is live."""
        return cls(
            name=model.name,
            description=model.description,
            created_at=model.created_at,
            updated_at=model.updated_at,
            tags=model.tags,
            aliases=model.aliases,
            live_version=None if live is None else live.version,
            is_governed=model.is_governed,
            gates=model.gates,
            stages=StageGraphResponse.of(model.stages),
        )


class ModelListResponse(ApiResponse):
    """One page of registered models, by name."""

    models: list[ModelResponse]
    next_page_token: str | None = Field(description="Ask for the next page with it; null: no more.")
