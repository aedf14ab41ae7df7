"""What all bodies and answers of the JSON API have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from airflow_mltrack.store.approvals import REASON_LIMIT

MODEL_NAME_LIMIT = 250
STAGE_NAME_LIMIT = 100
HIGHEST_VERSION = 2**31 - 1
_DEEPEST = 32


class ApiBody(BaseModel):
    """What a caller sends: nothing unknown, and no value of another kind taken for a near one."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ApiResponse(BaseModel):
    """What a caller gets."""

    model_config = ConfigDict(from_attributes=True)


def _plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character, which cannot be kept")
    return text


def _shallow(data: dict[str, Any]) -> dict[str, Any]:
    """Refuse nesting that no policy has and that would exhaust whoever walks it."""
    level: list[Any] = [data]
    for _ in range(_DEEPEST):
        level = [
            item
            for value in level
            for item in (value.values() if isinstance(value, dict) else value)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return data
    raise ValueError(f"is nested more than {_DEEPEST} levels deep")


PlainText = Annotated[str, AfterValidator(_plain)]
ModelName = Annotated[PlainText, Field(min_length=1, max_length=MODEL_NAME_LIMIT)]
StageName = Annotated[
    PlainText,
    Field(
        min_length=1,
        max_length=STAGE_NAME_LIMIT,
        description="One of the model's stages, in any case.",
        examples=["Production"],
    ),
]
VersionNumber = Annotated[int, Field(ge=1, le=HIGHEST_VERSION)]
Reason = Annotated[
    PlainText, Field(max_length=REASON_LIMIT, description="Why; goes into the history.")
]
Intent = Annotated[
    PlainText,
    Field(
        min_length=1,
        max_length=250,
        description="Names the decision: a later call with the same intent gets the first one's "
        "result.",
    ),
]
Identifier = Annotated[PlainText, Field(min_length=1, max_length=100)]
PlainData = Annotated[dict[str, Any], AfterValidator(_shallow)]
"""JSON whose rules live elsewhere."""
