from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_mltrack.hooks.identity import actor_of, intent_of
from tests.hooks.conftest import make_context


def _intent(*decision: object, **ti_fields: Any) -> str:
    return intent_of(make_context(**ti_fields), *decision)  # type: ignore[arg-type]


def test_every_try_of_a_task_has_the_same_intent() -> None:
    first = _intent(3, "production", run_id="scheduled__2026-01-01T00:00:00+00:00")
    assert first == "airflow:credit/scheduled__2026-01-01T00:00:00+00:00/train/-1/3/production"
    again = _intent(
        3, "production", run_id="scheduled__2026-01-01T00:00:00+00:00", try_number=2, id="other"
    )
    assert again == first


@pytest.mark.parametrize(
    "other",
    [
        {"dag_id": "x"},
        {"run_id": "x"},
        {"task_id": "x"},
        {"map_index": 0},
        {"task_id": "train/-1", "map_index": 3},
    ],
)
def test_another_place_has_another_intent(other: dict[str, Any]) -> None:
    assert _intent(3, **other) != _intent(3)
    assert _intent(4) != _intent(3)


def test_who_triggered_the_dag_run_acts() -> None:
    context = make_context()
    assert actor_of(context) == "dag:credit"  # type: ignore[arg-type]
    context["dag_run"] = SimpleNamespace(triggering_user_name="ada")
    assert actor_of(context) == "ada"  # type: ignore[arg-type]
