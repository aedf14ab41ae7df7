"""``mltrack models policy``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.stages import GATED
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import ActAs, CommandLine, Register
from tests.lifecycle.conftest import POLICY

GATES = json.dumps(POLICY)


def test_without_options_it_shows_checks_and_moves(
    mltrack: CommandLine, register: Register
) -> None:
    register(stages="gated", gates=POLICY)
    found = mltrack("models", "policy", "credit", "--format", "json").json
    assert (found["profile"], found["gates"]) == ("gated", POLICY)
    assert found["stages"] == GATED.to_json()
    assert {"from": "Production", "to": "Archived", "asks_for": "a reason"} in found["moves"]
    table = mltrack("models", "policy", "credit").out
    for words in ("auc: at least 0.7", "Production (live)", "a verdict, 1 approval"):
        assert words in table
    assert "{" not in table


def test_gates_ask_for_a_verdict_on_every_way_into_the_live_stage(
    mltrack: CommandLine, register: Register
) -> None:
    register(gates=POLICY)
    moves = mltrack("models", "policy", "credit", "--format", "json").json["moves"]
    assert {move["asks_for"] for move in moves if move["to"] == "Production"} == {"a verdict"}
    assert {move["asks_for"] for move in moves if move["to"] != "Production"} == {"nothing"}


def test_a_change_is_recorded_with_who_and_why(
    mltrack: CommandLine, register: Register, act_as: ActAs, client: TrackingClient
) -> None:
    register()
    act_as("ben")
    words = ("models", "policy", "credit", "--stages", "Gated", "--gates", GATES)
    done = mltrack(*words, "--reason", "agreed with risk control", "--format", "json")
    assert done.code == 0, done.err
    assert (done.json["profile"], done.json["gates"]) == ("gated", POLICY)
    assert "Changed: check auc added; stages open → gated." in done.err
    event = list_history(client, "credit")[-1]
    assert (event.kind, event.actor) == ("policy", "ben")
    assert event.payload["reason"] == "agreed with risk control"
    assert "These were the rules already." in mltrack(*words).err
    assert list_history(client, "credit")[-1] == event


def test_rules_may_come_from_files(
    mltrack: CommandLine, register: Register, tmp_path: Path
) -> None:
    register()
    graph = {
        "stages": ["None", "Live", "Gone"],
        "exclusive": "Live",
        "displaced_to": "Gone",
        "edges": [{"from": "None", "to": "Live", "approvals": 2, "approval_days": 7}],
    }
    stages, gates = tmp_path / "stages.json", tmp_path / "gates.json"
    stages.write_text(json.dumps(graph))
    gates.write_text(GATES)
    done = mltrack(
        *("models", "policy", "credit", "--stages", str(stages), "--gates", str(gates)),
        *("--format", "json"),
    )
    assert done.json["profile"] == "custom"
    (move,) = done.json["moves"]
    assert move["asks_for"] == "a verdict, 2 approvals of the last 7 days"
    removed = mltrack("models", "policy", "credit", "--gates", "{}", "--format", "json")
    assert (removed.code, removed.json["gates"]) == (0, {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--stages", "opn"), "open, gated, a file, or JSON"),
        (("--stages", '{"stages": ["A"]}'), "2 to 50 names"),
        (("--stages", "[1]"), "a JSON object"),
        (("--gates", "nope.json"), "no such file"),
        (("--gates", '{"checks":'), "not JSON"),
        (("--gates", '{"checks": [{"metric": "auk", "min": 1}]}'), "Did you mean auc?"),
        (("--gates", '{"checks": [{"kind": "magic"}]}'), "known are"),
        (("--reason", "because"), "--gates or --stages"),
    ],
)
def test_rules_that_are_none_change_nothing(
    mltrack: CommandLine,
    register: Register,
    client: TrackingClient,
    words: tuple[str, ...],
    said: str,
) -> None:
    register()
    events = list_history(client, "credit")
    done = mltrack("models", "policy", "credit", *words)
    assert (done.code, done.out) == (ExitCode.INVALID_INPUT, "")
    assert said in done.err
    assert list_history(client, "credit") == events


def test_a_graph_that_would_leave_a_version_nowhere_is_a_conflict(
    mltrack: CommandLine, register: Register
) -> None:
    register()
    graph = json.dumps(
        {"stages": ["A", "B"], "exclusive": "B", "edges": [{"from": "A", "to": "B"}]}
    )
    assert mltrack("models", "policy", "credit", "--stages", graph).code == ExitCode.CONFLICT
    assert mltrack("models", "policy", "nobody").code == ExitCode.NOT_FOUND
    assert mltrack("models", "policy", "nobody", "--stages", "open").code == ExitCode.NOT_FOUND
