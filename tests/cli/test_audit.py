"""``mltrack audit``: what was touched behind our back is found and named."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.entities.registry import ModelVersion
from airflow_mltrack.lifecycle.audit import list_history
from airflow_mltrack.lifecycle.registration import delete_model
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import ActAs, CommandLine, Register
from tests.lifecycle.conftest import AddVerdict


def _tamper(settings: Settings, *statements: LiteralString) -> None:
    """Change rows as somebody with superuser rights can."""
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def released(
    mltrack: CommandLine, act_as: ActAs, candidate: ModelVersion, add_verdict: AddVerdict
) -> str:
    """A gated model with a verdict, an approval and a live version."""
    add_verdict(candidate)
    act_as("bob")
    mltrack("models", "approve", "credit", "1", "Production", "--reason", "fine")
    done = mltrack("models", "promote", "credit", "1", "Production", "--reason", "go")
    assert done.code == 0, done.err
    return "credit"


def test_every_chain_is_walked(
    mltrack: CommandLine, released: str, register: Register, client: TrackingClient
) -> None:
    register("churn")
    delete_model(client, "churn", actor="ada", reason="not used")
    done = mltrack("audit", "verify", "--format", "json")
    assert done.code == 0, done.err
    assert (done.json["whole"], done.json["models"]) == (True, 2)
    assert {chain["name"] for chain in done.json["chains"]} == {"churn", "credit"}
    assert done.json["events"] == sum(chain["events"] for chain in done.json["chains"])
    assert "whole" in done.err
    one = mltrack("audit", "verify", "churn", "--format", "json").json
    assert [chain["name"] for chain in one["chains"]] == ["churn"]


def test_a_row_that_was_edited_is_named(
    mltrack: CommandLine, released: str, settings: Settings, client: TrackingClient
) -> None:
    first = next(e.event_id for e in list_history(client, released) if e.kind == "transition")
    _tamper(settings, "UPDATE history SET actor = 'mallory' WHERE kind = 'transition'")
    done = mltrack("audit", "verify")
    assert done.code == ExitCode.CORRUPT
    assert f"event {first} does not follow" in done.err
    found = mltrack("audit", "verify", "--format", "json")
    assert (found.code, found.json["whole"]) == (7, False)
    assert found.json["findings"][0]["event"] == first
    assert mltrack("audit", "verify", released).code == ExitCode.CORRUPT


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE approvals SET reason = 'never said'", "approval"),
        ("DELETE FROM verdicts", "verdict"),
        ("UPDATE model_versions SET stage = 'Archived'", "stage"),
        ("UPDATE history SET payload = '{}' WHERE kind = 'verdict'", "event"),
        ("UPDATE history SET payload = '{}' WHERE kind = 'approval'", "event"),
        ("UPDATE history SET payload = '{}' WHERE kind = 'transition'", "event"),
        ("UPDATE history SET payload = '{}' WHERE kind = 'created'", "event"),
        ("UPDATE history SET payload = '{\"stages\": 1}' WHERE kind = 'created'", "event"),
        ("UPDATE history SET kind = 'renamed', payload = '{}' WHERE kind = 'created'", "event"),
        ("UPDATE history SET kind = 'alias', payload = '{}' WHERE kind = 'verdict'", "event"),
        ("DELETE FROM history WHERE kind = 'approval'", "event"),
    ],
)
def test_whatever_was_touched_is_found_without_a_traceback(
    mltrack: CommandLine, released: str, settings: Settings, statement: LiteralString, what: str
) -> None:
    _tamper(settings, statement)
    done = mltrack("audit", "verify", "--format", "json")
    assert done.code == ExitCode.CORRUPT
    assert what in {finding["what"] for finding in done.json["findings"]}
    shown = mltrack("models", "history", released)
    assert shown.code == ExitCode.CORRUPT
    assert mltrack("models", "show", released, "1").code == 0
    assert mltrack("models", "live", released).code == 0


def test_an_end_that_was_cut_off_is_seen_only_with_the_heads_that_were_kept(
    mltrack: CommandLine, released: str, settings: Settings, tmp_path: Path
) -> None:
    heads = mltrack("audit", "heads", "--format", "json")
    assert [head["name"] for head in heads.json] == [released]
    kept = tmp_path / "heads.json"
    kept.write_text(heads.out)
    done = mltrack("audit", "verify", "--heads", str(kept), "--format", "json")
    assert (done.code, done.json["compared_ends"]) == (0, 1)
    assert mltrack("models", "alias", released, "best", "1").code == 0
    assert mltrack("audit", "verify", "--heads", str(kept)).code == 0  # it went on since
    _tamper(
        settings,
        "DELETE FROM aliases",
        "DELETE FROM history WHERE id > (SELECT max(id) - 2 FROM history)",
        "UPDATE model_versions SET stage = 'Staging', live = false",
    )
    assert mltrack("audit", "verify").code == 0
    for words in ((), (released,)):
        done = mltrack("audit", "verify", *words, "--heads", str(kept))
        assert done.code == ExitCode.CORRUPT
        assert heads.json[0]["hash"] in done.err


def test_a_chain_that_is_gone_altogether_is_missed(
    mltrack: CommandLine, released: str, settings: Settings, tmp_path: Path
) -> None:
    kept = tmp_path / "heads.json"
    kept.write_text(mltrack("audit", "heads", "--format", "json").out)
    _tamper(
        settings,
        "DELETE FROM approvals",
        "DELETE FROM verdicts",
        "DELETE FROM history",
        "DELETE FROM model_versions",
        "DELETE FROM registered_models",
    )
    assert mltrack("audit", "verify", "--heads", str(kept)).code == ExitCode.CORRUPT
    assert mltrack("audit", "verify", released, "--heads", str(kept)).code == ExitCode.CORRUPT
    assert mltrack("audit", "verify", released).code == ExitCode.NOT_FOUND


def test_heads_are_shown_to_people_too(mltrack: CommandLine, released: str) -> None:
    assert released in mltrack("audit", "heads").out
    assert mltrack("audit", "heads", "--format", "csv").out.startswith("name,event_id,hash,at\n")


def test_no_history_is_whole(mltrack: CommandLine) -> None:
    done = mltrack("audit", "verify", "--format", "json")
    assert (done.code, done.json["models"], done.json["findings"]) == (0, 0, [])
    assert "no history" in mltrack("audit", "heads").err
    assert mltrack("audit", "verify", "nobody").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("content", ["{}", "[1]", '[{"name": "a"}]', "not json", '"text"'])
def test_heads_that_are_none_are_refused(
    mltrack: CommandLine, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "heads.json"
    file.write_text(content)
    done = mltrack("audit", "verify", "--heads", str(file))
    assert done.code == ExitCode.INVALID_INPUT
    assert mltrack("audit", "verify", "--heads", str(tmp_path / "no")).code == 2
