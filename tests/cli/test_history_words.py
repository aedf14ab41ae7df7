"""A model's history and gates in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import pytest

from airflow_mltrack.cli.history_words import event_row, gate_lines
from airflow_mltrack.entities.history import HistoryEvent


def _event(kind: str, payload: Mapping[str, object]) -> HistoryEvent:
    at = datetime(2026, 1, 2, tzinfo=timezone.utc)
    return HistoryEvent(7, "credit", 3, kind, "ann", at, payload, "0" * 64, "a" * 64)


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        ("created", {}, "created"),
        ("registered", {"source": "models:/m-1"}, "registered models:/m-1"),
        ("policy", {"gates": {}}, "policy changed"),
        ("verdict", {"passed": True}, "verdict passed"),
        ("verdict", {"passed": False}, "verdict failed"),
        ("transition", {"from": "None", "to": "Staging"}, "transition None -> Staging"),
        (
            "transition",
            {"from": "Production", "to": "Archived", "displaced_by": 4},
            "transition Production -> Archived, displaced by version 4",
        ),
        ("alias", {"alias": "champion", "from": None, "to": 3}, "alias champion -> 3"),
        ("alias", {"alias": "champion", "from": 3, "to": None}, "alias champion removed"),
        ("renamed", {"from": "a", "to": "b"}, "renamed a -> b"),
        ("deleted", {"versions": [1, 2]}, "deleted with 2 versions"),
        ("deleted", {"stage": "None"}, "deleted"),
        ("of a later release", {}, "of a later release"),
    ],
)
def test_every_kind_of_event_has_words(kind: str, payload: dict[str, object], words: str) -> None:
    assert event_row(_event(kind, payload))["what"] == words


def test_an_event_says_who_why_and_which_task_and_keeps_its_payload() -> None:
    details = {"dag_id": "credit", "dag_run_id": "manual__1", "task_id": "promote", "try_number": 1}
    payload = {"from": "None", "to": "Staging", "reason": "looks good", "details": details}
    row = event_row(_event("transition", payload))
    assert (row["actor"], row["why"], row["task"]) == (
        "ann",
        "looks good",
        "credit manual__1 promote",
    )
    assert (row["payload"], row["kind"], row["hash"]) == (payload, "transition", "a" * 64)
    bare = event_row(_event("policy", {"reason": "", "details": {}}))
    assert (bare["why"], bare["task"]) == (None, None)


def test_gates_are_read_line_by_line() -> None:
    gates = {
        "checks": [
            {"name": "floor", "metric": "auc", "min": 0.7},
            {"metric": "brier", "max": 0.2},
            {"metric": "auc", "versus": "champion", "min_difference": -0.01, "name": None},
        ],
        "valid_days": 30,
    }
    assert gate_lines(gates) == [
        "floor: auc min 0.7",
        "brier: max 0.2",
        "auc: versus champion, min_difference -0.01",
        "valid_days: 30",
    ]
    assert gate_lines({}) == []
