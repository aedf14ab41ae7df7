"""``mltrack models history`` and ``live``."""

from __future__ import annotations

from datetime import datetime, timezone

import psycopg
import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.model_history import read_time
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.promotion import archive, promote
from airflow_mltrack.lifecycle.registration import delete_model
from airflow_mltrack.settings import Settings
from airflow_mltrack.tracking.client import TrackingClient
from tests.cli.conftest import CommandLine, Register

DETAILS = {"dag_id": "credit", "dag_run_id": "manual__1", "task_id": "promote"}


@pytest.fixture
def released(client: TrackingClient, register: Register) -> str:
    """An open model: version 1 was live, version 2 is."""
    for number in (1, 2):
        register()
        promote(
            client,
            "credit",
            number,
            "Production",
            actor="ben",
            reason=f"release {number}",
            details=DETAILS,
        )
    return "credit"


def test_history_tells_that_nobody_touched_it(mltrack: CommandLine, released: str) -> None:
    shown = mltrack("models", "history", released, "--format", "json")
    assert shown.code == 0
    assert [event["kind"] for event in shown.json][:3] == ["created", "registered", "transition"]
    assert "whole" in shown.err
    only = mltrack("models", "history", released, "--version", "1", "--format", "json").json
    assert {event["version"] for event in only} == {1}


def test_history_is_words_for_people_and_the_whole_payload_for_programs(
    mltrack: CommandLine, released: str
) -> None:
    table = mltrack("models", "history", released).out
    for words in (
        "None → Production, in place of version 1",
        "Production → Archived, displaced by version 2",
        "release 2",
        "credit manual__1 promote",
    ):
        assert words in table
    assert "{" not in table
    last = mltrack("models", "history", released, "--format", "json").json[-1]
    assert last["payload"]["details"] == DETAILS
    assert (last["actor"], last["why"]) == ("ben", "release 2")
    assert '""dag_id"": ""credit""' in mltrack("models", "history", released, "--format", "csv").out


def test_one_event_is_shown_with_every_fact(mltrack: CommandLine, released: str) -> None:
    last = mltrack("models", "history", released, "--format", "json").json[-1]
    shown = mltrack("models", "history", released, "--event", str(last["event_id"]))
    assert "in place of version 1" in shown.out
    for fact in (last["hash"], last["payload"]["digest"], "details.dag_run_id", "manual__1"):
        assert fact in shown.out
    words = ("models", "history", released, "--event", str(last["event_id"]), "--format", "json")
    assert mltrack(*words).json["payload"] == last["payload"]
    assert mltrack("models", "history", released, "--event", "999").code == ExitCode.NOT_FOUND


def test_history_that_was_changed_is_reported(
    mltrack: CommandLine, released: str, settings: Settings
) -> None:
    with psycopg.connect(settings.database_url) as connection:
        connection.execute("ALTER TABLE history DISABLE TRIGGER ALL")
        connection.execute("UPDATE history SET actor = 'mallory' WHERE kind = 'registered'")
    shown = mltrack("models", "history", released)
    assert shown.code == ExitCode.CORRUPT
    assert "was changed" in shown.err
    assert "mallory" in shown.out


def test_history_outlives_its_model(
    mltrack: CommandLine, released: str, client: TrackingClient
) -> None:
    delete_model(client, released, actor="ben", reason="not used")
    shown = mltrack("models", "history", released)
    assert "Deleted with 2 versions" in shown.out
    assert mltrack("models", "history", "nobody").code == ExitCode.NOT_FOUND


def test_live_tells_version_since_when_by_whom_and_why(mltrack: CommandLine, released: str) -> None:
    found = mltrack("models", "live", released, "--format", "json").json
    assert (found["version"], found["stage"], found["by"]) == (2, "Production", "ben")
    assert (found["why"], found["task"]) == ("release 2", "credit manual__1 promote")
    assert len(found["digest"]) == 64


def test_live_at_a_time_is_what_was_live_then(mltrack: CommandLine, released: str) -> None:
    moves = mltrack("models", "history", released, "--format", "json").json
    first = next(event["at"] for event in moves if event["kind"] == "transition")
    found = mltrack("models", "live", released, "--at", first, "--format", "json")
    assert (found.json["version"], found.err) == (1, "")
    before = mltrack("models", "live", released, "--at", "2001-01-01", "--format", "json")
    assert (before.code, before.json["version"]) == (0, None)
    assert "read as UTC: 2001-01-01 00:00:00 UTC" in before.err


def test_nothing_live_is_an_answer(
    mltrack: CommandLine, released: str, client: TrackingClient
) -> None:
    archive(client, released, 2, actor="ben", reason="gone")
    found = mltrack("models", "live", released)
    assert found.code == 0
    assert "No version is live." in found.err
    assert mltrack("models", "live", "nobody").code == ExitCode.NOT_FOUND


def test_a_time_that_cannot_be_read_is_refused(mltrack: CommandLine, released: str) -> None:
    shown = mltrack("models", "live", released, "--at", "yesterday")
    assert shown.code == ExitCode.INVALID_INPUT
    assert "2026-01-31T09:30Z" in shown.err


@pytest.mark.parametrize(
    ("text", "hour", "assumed"),
    [
        ("2026-01-31T09:30", 9, True),
        ("2026-01-31T09:30Z", 9, False),
        ("2026-01-31T09:30+02:00", 7, False),
        ("2026-01-31 09:30:00.500", 9, True),
    ],
)
def test_a_time_without_zone_is_utc(text: str, hour: int, assumed: bool) -> None:
    found, was_assumed = read_time(text)
    assert (found.hour, found.tzinfo, was_assumed) == (hour, timezone.utc, assumed)
    assert found > datetime(2026, 1, 1, tzinfo=timezone.utc)


def test_a_year_alone_is_no_time() -> None:
    with pytest.raises(InvalidInput):
        read_time("20")
