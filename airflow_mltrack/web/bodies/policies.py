"""Changing what versions of a model must show, and which moves there are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from airflow_mltrack.web.bodies.shapes import ApiBody, PlainData, Reason


class PolicyBody(ApiBody):
    """New rules; what is left out or null stays as it is."""

    gates: PlainData | None = Field(
        default=None, description="The whole new policy of checks; `{}` removes it."
    )
    stages: Annotated[
        Literal["open", "gated"] | PlainData | None,
        Field(description="The whole new stage graph, or the name of a profile."),
    ] = None
    reason: Reason = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.gates is None and self.stages is None:
            raise ValueError("gives gates, stages or both")
        return self
