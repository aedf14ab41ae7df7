"""Stage graphs: which moves there are, and what each asks for."""

from __future__ import annotations

from pydantic import Field

from airflow_mltrack.entities.stages import StageEdge, StageGraph, profile_name
from airflow_mltrack.web.bodies.shapes import ApiResponse


class StageEdgeResponse(ApiResponse):
    """A move that is allowed, and what it asks for."""

    source: str = Field(serialization_alias="from")
    target: str = Field(serialization_alias="to")
    verdict: bool = Field(description="Whether a passing verdict is needed.")
    approvals: int = Field(description="How many people must have approved.")
    approval_days: float | None = Field(description="Days that an approval counts; null for ever.")
    reason: bool = Field(description="Whether whoever does it must say why.")

    @classmethod
    def of(cls, edge: StageEdge) -> StageEdgeResponse:
        """Write an edge down in full."""
        return cls.model_validate(edge)


class StageGraphResponse(ApiResponse):
    """A model's stages and the moves between them; what is sent back to change it has this form."""

    profile: str = Field(description="`open`, `gated` or `custom`.")
    stages: list[str]
    exclusive: str = Field(description="The live stage: it has at most one holder.")
    displaced_to: str = Field(description="Where the version goes that has to leave it.")
    edges: list[StageEdgeResponse]

    @classmethod
    def of(cls, graph: StageGraph) -> StageGraphResponse:
        """Write a graph down."""
        return cls(
            profile=profile_name(graph),
            stages=list(graph.stages),
            exclusive=graph.exclusive,
            displaced_to=graph.displaced_to,
            edges=[StageEdgeResponse.of(edge) for edge in graph.edges],
        )
