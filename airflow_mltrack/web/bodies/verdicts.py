"""Verdicts, check by check."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from airflow_mltrack.web.bodies.shapes import ApiResponse

if TYPE_CHECKING:
    from airflow_mltrack.entities.verdicts import Verdict


class CheckResponse(ApiResponse):
    """One gate of a policy, judged."""

    name: str
    kind: str
    passed: bool
    severity: str
    observed: float | None
    threshold: float | None
    comparison: str = Field(description="`>=` or `<=`; empty where there is no threshold.")
    interval: tuple[float, float] | None
    confidence: float = Field(description="Level of the interval.")
    method: str
    p_value: float | None
    rows: int | None
    metric: str
    champion_value: float | None = Field(
        description="The same metric of the version that was live, on the same rows."
    )
    message: str
    evidence: str | None = Field(description="Path of an artifact in the verdict's run.")
    evidence_sha256: str | None


class VerdictResponse(ApiResponse):
    """The outcome of one evaluation of a version."""

    verdict_id: str
    name: str
    version: int
    passed: bool
    package_digest: str
    policy: Mapping[str, Any]
    policy_digest: str
    dataset_name: str
    dataset_digest: str
    champion_version: int | None
    actor: str
    created_at: datetime
    valid_until: datetime | None
    details: Mapping[str, Any]
    checks: list[CheckResponse]

    @classmethod
    def of(cls, verdict: Verdict) -> VerdictResponse:
        """Write a verdict down."""
        return cls.model_validate(verdict)


class VerdictListResponse(ApiResponse):
    """Verdicts on one version, newest first."""

    verdicts: list[VerdictResponse]
