"""``mltrack models``."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone

import psycopg
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.verdicts import CheckResult, Verdict
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine

NOW = datetime.now(timezone.utc)


@pytest.fixture
def scorecard(client: TrackingClient) -> str:
    """A registered model: version 1 archived, version 2 live with a verdict."""
    name = "scorecard"
    with client.store.transaction() as tx:
        tx.registry.create_model(name, description="Default within a year")
        for number in (1, 2):
            tx.registry.create_version(name, source=f"models:/m-{number}", user="ann")
            tx.history.append(
                name=name,
                version=number,
                kind="registered",
                actor="ann",
                payload={"number": number},
            )
        tx.registry.move(name, 1, "Archived")
        tx.registry.move(name, 2, "Production")
        tx.registry.set_alias(name, "champion", 2)
        tx.verdicts.add(_verdict(name, 2))
    return name


def _verdict(name: str, version: int) -> Verdict:
    check = CheckResult(
        name="auc_floor",
        kind="threshold",
        passed=True,
        observed=0.7712,
        threshold=0.7,
        comparison=">=",
        interval=(0.75, 0.79),
        rows=900,
        metric="auc",
        message="AUC is high enough.",
    )
    return Verdict(
        verdict_id=uuid.uuid4().hex,
        name=name,
        version=version,
        passed=True,
        package_digest="a" * 64,
        policy={"checks": []},
        policy_digest="b" * 64,
        dataset_name="credit",
        dataset_digest="c" * 64,
        checks=(check,),
        champion_version=None,
        actor="ann",
        created_at=NOW,
        valid_until=NOW + timedelta(days=30),
    )


def test_list_tells_what_is_live(mltrack: CommandLine, scorecard: str) -> None:
    (row,) = mltrack("models", "list", "--format", "json").json
    assert (row["name"], row["production"], row["latest"]) == (scorecard, 2, 2)
    assert row["aliases"] == "champion=2"
    assert scorecard in mltrack("models", "list").out


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
    assert check["observed"] == 0.7712
    assert check["rule"] == ">= 0.7"
    assert "auc_floor" in mltrack("models", "show", scorecard, "2").out
    assert mltrack("models", "show", scorecard, "1", "--format", "json").json["verdict"] is None


def test_unknown_names_are_not_found(mltrack: CommandLine, scorecard: str) -> None:
    assert mltrack("models", "show", "nobody").code == ExitCode.NOT_FOUND
    assert mltrack("models", "show", scorecard, "9").code == ExitCode.NOT_FOUND
    assert mltrack("models", "history", "nobody").code == ExitCode.NOT_FOUND


def test_a_version_must_be_a_number(mltrack: CommandLine) -> None:
    shown = mltrack("models", "show", "scorecard", "newest")
    assert shown.code == ExitCode.INVALID_INPUT
    assert "Traceback" not in shown.err


def test_history_tells_that_nobody_touched_it(mltrack: CommandLine, scorecard: str) -> None:
    shown = mltrack("models", "history", scorecard, "--format", "json")
    assert [event["kind"] for event in shown.json][-2:] == ["registered", "registered"]
    assert "whole" in shown.err
    only = mltrack("models", "history", scorecard, "--version", "1", "--format", "json").json
    assert {event["version"] for event in only} == {1}


def test_history_is_words_for_people_and_the_whole_payload_for_programs(
    mltrack: CommandLine, scorecard: str, client: TrackingClient
) -> None:
    with client.store.transaction() as tx:
        tx.history.append(
            name=scorecard,
            version=2,
            kind="transition",
            actor="ann",
            payload={"from": "Staging", "to": "Production", "reason": "It passed."},
        )
    table = mltrack("models", "history", scorecard).out
    assert "transition Staging -> Production" in table
    assert "It passed." in table
    assert "{" not in table
    assert max(map(len, table.splitlines())) < 160
    last = mltrack("models", "history", scorecard, "--format", "json").json[-1]
    assert last["payload"] == {"from": "Staging", "to": "Production", "reason": "It passed."}
    assert (
        '""reason"": ""It passed.""'
        in mltrack("models", "history", scorecard, "--format", "csv").out
    )


def test_gates_and_tags_are_shown_without_json(
    mltrack: CommandLine, scorecard: str, client: TrackingClient
) -> None:
    gates = {"checks": [{"name": "floor", "metric": "auc", "min": 0.7}], "valid_days": 30}
    with client.store.transaction() as tx:
        tx.registry.set_policy(scorecard, gates=gates, requires_verdict=False)
        tx.registry.set_model_tags(scorecard, {"team": "risk"})
    table = mltrack("models", "show", scorecard).out
    assert "floor: auc min 0.7" in table
    assert "team: risk" in table
    assert "{" not in table
    assert mltrack("models", "show", scorecard, "--format", "json").json["gates"] == gates


def test_history_that_was_changed_is_reported(
    mltrack: CommandLine, scorecard: str, settings: Settings
) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("ALTER TABLE history DISABLE TRIGGER ALL")
        connection.execute("UPDATE history SET actor = 'mallory' WHERE version = 1")
    shown = mltrack("models", "history", scorecard)
    assert shown.code == ExitCode.CORRUPT
    assert "changed" in shown.err
