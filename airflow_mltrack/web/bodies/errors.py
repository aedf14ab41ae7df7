"""The one shape of every error of the JSON API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from airflow_mltrack.web.bodies.shapes import ApiResponse

if TYPE_CHECKING:
    from airflow_mltrack.web.http_errors import ErrorFacts


class ErrorDetailResponse(ApiResponse):
    """What went wrong."""

    code: str = Field(
        description="For programs; see the documentation for all of them.",
        examples=["PROMOTION_REFUSED"],
    )
    message: str = Field(description="One sentence for people.")
    reasons: list[str] = Field(description="Everything that is missing or wrong; may be empty.")
    hint: str = Field(description="The next step; may be empty.")


class ErrorResponse(ApiResponse):
    """An error."""

    error: ErrorDetailResponse

    @classmethod
    def of(cls, facts: ErrorFacts) -> ErrorResponse:
        """Write an error down."""
        return cls(
            error=ErrorDetailResponse(
                code=facts.code,
                message=facts.message,
                reasons=list(facts.reasons),
                hint=facts.hint,
            )
        )
