"""Gates, moves and changes of both in words."""

from __future__ import annotations

import pytest

from airflow_mltrack.entities.stages import GATED, OPEN, StageEdge
from airflow_mltrack.lifecycle.policy_words import (
    check_words,
    edge_name,
    edge_words,
    gate_lines,
    rule_change,
)

FLOOR = {"name": "floor", "metric": "auc", "min": 0.7}
BRIER = {"metric": "brier", "max": 0.2}


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (FLOOR, "auc at least 0.7"),
        (BRIER, "brier at most 0.2"),
        ({**BRIER, "severity": "warning"}, "brier at most 0.2, only a warning"),
        (
            {"metric": "auc", "versus": "champion", "min_difference": -0.01, "confident": True},
            "auc against the champion, difference at least -0.01, with 95% confidence",
        ),
        (
            {"metric": "auc", "min": 0.7, "confident": True, "confidence": 0.9},
            "auc at least 0.7, with 90% confidence",
        ),
        (
            {"kind": "slice", "metric": "auc", "by": "SEX", "min": 0.6, "min_rows": 50},
            "slice auc, by SEX, at least 0.6, min_rows 50",
        ),
        ({"kind": "signature"}, "signature"),
        ({}, ""),
    ],
)
def test_a_check_is_read_without_json(check: dict[str, object], words: str) -> None:
    assert check_words(check) == words


def test_gates_are_read_line_by_line() -> None:
    assert gate_lines({"checks": [FLOOR, BRIER], "valid_days": 30}) == [
        "floor: auc at least 0.7",
        "brier: at most 0.2",
        "valid_days: 30",
    ]
    assert gate_lines({}) == []


def test_a_policy_of_another_release_is_still_read() -> None:
    gates = {"checks": [{"metric": "of_tomorrow", "min": 1}] * 2 + [{"kind": "psychic"}, "what"]}
    assert gate_lines(gates) == [
        "of_tomorrow: at least 1",
        "of_tomorrow (2): of_tomorrow at least 1",
        "psychic: psychic",
    ]


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        (StageEdge("A", "B"), "nothing"),
        (StageEdge("A", "B", reason=True), "a reason"),
        (
            StageEdge("A", "B", verdict=True, approvals=1),
            "a verdict, 1 approval of the last 30 days",
        ),
        (StageEdge("A", "B", approvals=2, approval_days=None), "2 approvals"),
    ],
)
def test_a_move_says_what_it_asks_for(edge: StageEdge, words: str) -> None:
    assert (edge_name(edge), edge_words(edge)) == ("A → B", words)


def test_a_change_of_gates_names_what_was_added_removed_and_changed() -> None:
    before = {"gates": {"checks": [FLOOR, BRIER], "valid_days": 30}}
    stricter = {**FLOOR, "min": 0.75}
    after = {"gates": {"checks": [stricter, {"kind": "signature"}], "valid_days": 10}}
    change = rule_change(before, after)
    assert change.parts == (
        "check signature added",
        "check brier removed",
        "check floor changed",
        "valid_days changed",
    )
    assert dict(change.facts) == {
        "check signature": "signature (new)",
        "check brier": "removed (it was: brier at most 0.2)",
        "check floor": "auc at least 0.75 (before: auc at least 0.7)",
        "valid_days": "10 (before: 30)",
    }


def test_the_settings_of_a_policy_come_and_go_with_it() -> None:
    gates = {"gates": {"checks": [FLOOR, BRIER], "valid_days": 30}}
    assert rule_change({"gates": {}}, gates).parts == ("checks floor, brier added",)
    assert rule_change(gates, {"gates": {}}).parts == ("checks floor, brier removed",)


def test_a_change_of_stages_names_both_profiles_and_every_edge() -> None:
    change = rule_change({"stages": OPEN.to_json()}, {"stages": GATED.to_json()})
    assert change.parts == ("stages open → gated",)
    facts = dict(change.facts)
    assert facts["edge None → Production"] == "removed (it was: asks for nothing)"
    assert facts["edge Staging → Production"] == (
        "asks for a verdict, 1 approval of the last 30 days, a reason (before: asks for nothing)"
    )


def test_two_graphs_of_ones_own_differ_in_stages_and_edges() -> None:
    before: dict[str, object] = {
        "stages": ["Draft", "Live", "Gone"],
        "exclusive": "Live",
        "displaced_to": "Gone",
        "edges": [{"from": "Draft", "to": "Live"}],
    }
    after = {**before, "stages": ["Draft", "Live", "Old", "Gone"], "displaced_to": "Old"}
    change = rule_change({"stages": before}, {"stages": after})
    assert change.parts == ("stage graph changed",)
    assert dict(change.facts) == {
        "stages": "Draft, Live, Old, Gone (before: Draft, Live, Gone)",
        "displaced_to": "Old (before: Gone)",
    }


def test_equal_rules_have_not_changed_and_rules_of_another_release_are_told() -> None:
    rules = {"gates": {"checks": [FLOOR]}, "stages": OPEN.to_json()}
    assert rule_change(rules, rules).parts == ()
    assert rule_change({"requires_verdict": True}, {"requires_verdict": False}).facts == (
        ("requires_verdict", "false (before: true)"),
    )
    odd = rule_change({"stages": OPEN.to_json()}, {"stages": {"rooms": ["a"]}})
    assert odd.parts == ("stage graph changed",)
    assert '"rooms"' in odd.facts[0][1]
