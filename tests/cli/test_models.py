"""``mltrack models list`` and ``show``."""

from __future__ import annotations

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.promotion import promote
from airflow_mltrack.lifecycle.registration import create_model, set_alias
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import ActAs, CommandLine, Register
from tests.lifecycle.conftest import POLICY, AddVerdict


@pytest.fixture
def scorecard(client: TrackingClient, register: Register, add_verdict: AddVerdict) -> str:
    """A registered model: version 1 archived, version 2 live with a verdict."""
    name = "scorecard"
    create_model(client, name, actor="ann", description="Default within a year")
    for number in (1, 2):
        version = register(name, actor="ann")
        promote(client, name, number, "Production", actor="ann")
    add_verdict(version)
    set_alias(client, name, "champion", 2, actor="ann")
    return name


def test_list_tells_what_is_live(mltrack: CommandLine, scorecard: str) -> None:
    (row,) = mltrack("models", "list", "--format", "json").json
    assert (row["name"], row["live"], row["latest"]) == (scorecard, 2, 2)
    assert row["aliases"] == "champion=2"
    assert scorecard in mltrack("models", "list").out


def test_list_tells_by_which_rules_a_model_lives(mltrack: CommandLine, register: Register) -> None:
    register("a", stages="open")
    register("b", stages="gated", gates=POLICY)
    graph = {
        "stages": ["Draft", "Shadow", "Live", "Gone"],
        "exclusive": "Live",
        "edges": [{"from": "Draft", "to": "Shadow"}, {"from": "Shadow", "to": "Live"}],
    }
    register("c", stages=graph)
    assert mltrack("models", "promote", "c", "1", "shadow", "--reason", "try").code == 0
    rows = mltrack("models", "list", "--format", "json").json
    assert [(row["profile"], row["has_gates"]) for row in rows] == [
        ("open", False),
        ("gated", True),
        ("custom", False),
    ]
    assert rows[2]["on_the_way"] == ["Shadow 1"]
    table = mltrack("models", "list").out
    assert "gated, with gates" in table
    assert "Shadow 1" in table


def test_show_lists_versions_newest_first(mltrack: CommandLine, scorecard: str) -> None:
    found = mltrack("models", "show", scorecard, "--format", "json").json
    assert [row["version"] for row in found["versions"]] == [2, 1]
    assert [row["stage"] for row in found["versions"]] == ["Production", "Archived"]
    assert [row["verdict"] for row in found["versions"]] == ["passed", None]
    assert found["description"] == "Default within a year"


def test_show_of_a_version_holds_the_verdict_with_its_checks(
    mltrack: CommandLine, scorecard: str
) -> None:
    found = mltrack("models", "show", scorecard, "2", "--format", "json").json
    assert found["verdict"] == "passed"
    (check,) = found["checks"]
    assert (check["observed"], check["rule"], check["result"]) == (0.6, ">= 0.7", "passed")
    assert "asked for >= 0.7" in mltrack("models", "show", scorecard, "2").out
    assert mltrack("models", "show", scorecard, "1", "--format", "json").json["verdict"] is None


def test_show_of_a_version_tells_what_it_lacks_to_go_on(
    mltrack: CommandLine, candidate: ModelVersion
) -> None:
    found = mltrack("models", "show", "credit", "1", "--format", "json").json
    assert [(move["to"], move["rollback"]) for move in found["next_moves"]] == [
        ("Production", False),
        ("Archived", False),
    ]
    assert found["next_moves"][0]["missing"] == [
        "no verdict exists for this version",
        "1 approval is needed, 0 count",
    ]
    table = mltrack("models", "show", "credit", "1").out
    assert "1 approval is needed, 0 count" in table
    assert "a verdict, 1 approval of the last 30 days, a reason" in table


def test_show_of_a_version_tells_who_approved_and_who_may_not(
    mltrack: CommandLine, act_as: ActAs, candidate: ModelVersion, add_verdict: AddVerdict
) -> None:
    add_verdict(candidate)
    mltrack("models", "request-approval", "credit", "1", "Production")
    act_as("bob")
    mltrack("models", "approve", "credit", "1", "Production", "--reason", "the report convinces")
    found = mltrack("models", "show", "credit", "1", "--format", "json").json
    assert found["may_not_approve"] == ["ada registered this version"]
    (approval,) = found["approvals"]
    assert (approval["approver"], approval["counts"]) == ("bob", True)
    table = mltrack("models", "show", "credit", "1").out
    assert "ada registered this version" in table
    assert "the report convinces" in table


def test_a_former_holder_is_shown_the_way_back(
    mltrack: CommandLine, client: TrackingClient, scorecard: str, register: Register
) -> None:
    assert mltrack("models", "policy", scorecard, "--stages", "gated").code == 0
    (move,) = mltrack("models", "show", scorecard, "1", "--format", "json").json["next_moves"]
    assert (move["to"], move["rollback"]) == ("Production", True)
    assert "Production (rollback)" in mltrack("models", "show", scorecard, "1").out


def test_unknown_names_are_not_found(mltrack: CommandLine, scorecard: str) -> None:
    assert mltrack("models", "show", "nobody").code == ExitCode.NOT_FOUND
    assert mltrack("models", "show", scorecard, "9").code == ExitCode.NOT_FOUND


def test_a_version_must_be_a_number(mltrack: CommandLine) -> None:
    shown = mltrack("models", "show", "scorecard", "newest")
    assert shown.code == ExitCode.INVALID_INPUT
    assert "Traceback" not in shown.err


def test_gates_and_tags_are_shown_without_json(
    mltrack: CommandLine, scorecard: str, client: TrackingClient
) -> None:
    gates = '{"checks": [{"name": "floor", "metric": "auc", "min": 0.7}], "valid_days": 30}'
    assert mltrack("models", "policy", scorecard, "--gates", gates).code == 0
    with client.store.transaction() as tx:
        tx.registry.set_model_tags(scorecard, {"team": "risk"})
    table = mltrack("models", "show", scorecard).out
    assert "floor: auc at least 0.7" in table
    assert "team: risk" in table
    assert "{" not in table
    shown = mltrack("models", "show", scorecard, "--format", "json").json
    assert shown["gates"]["checks"] == [{"name": "floor", "metric": "auc", "min": 0.7}]
