"""Tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timezone

import pytest

from airflow_mltrack.cli.output import Listing, Record, plain, show
from airflow_mltrack.entities.runs import RunStatus

ROWS = [
    {"name": "a", "auc": 0.75, "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)},
    {"name": "b", "auc": float("nan"), "status": RunStatus.FAILED, "tags": {"k": "v"}},
]
LISTING = Listing(("name", "auc"), ROWS, empty="Nothing.")


def test_json_is_one_document_without_bare_nan(capsys: pytest.CaptureFixture[str]) -> None:
    show(LISTING, "json")
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found[0] == {"name": "a", "auc": 0.75, "at": "2026-01-02T03:04:05+00:00"}
    assert found[1] == {"name": "b", "auc": "NaN", "status": "FAILED", "tags": {"k": "v"}}


def test_csv_holds_every_key_of_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    show(LISTING, "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["name", "auc", "at", "status", "tags"]
    assert rows[0]["status"] == ""
    assert json.loads(rows[1]["tags"]) == {"k": "v"}


def test_an_empty_table_leaves_stdout_empty(capsys: pytest.CaptureFixture[str]) -> None:
    show(Listing(("name",), [], empty="Nothing."), "table")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Nothing.\n"


def test_an_empty_listing_is_still_json_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    show(Listing(("name",), []), "json")
    assert json.loads(capsys.readouterr().out) == []
    show(Listing(("name",), []), "csv")
    assert capsys.readouterr().out == "name\n"


def test_names_of_users_are_no_markup_and_no_terminal_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(Listing(("name",), [{"name": "[red]x[/red] \x1b[31mred"}]), "table")
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "\x1b" not in out


def test_a_piped_table_is_not_cut_to_a_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(Listing(("name",), [{"name": "x" * 300}]), "table")
    assert "x" * 300 in capsys.readouterr().out


def test_a_record_prints_facts_and_the_sections_that_hold_something(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = Record(
        {"run_id": "abc", "error": None},
        {"Params": Listing(("key", "value"), [{"key": "depth", "value": "3"}]), "Files": LISTING},
    )
    show(record, "table")
    out = capsys.readouterr().out
    assert "run id" in out
    assert "error" not in out
    assert "depth" in out
    show(record, "json")
    assert json.loads(capsys.readouterr().out)["params"] == [{"key": "depth", "value": "3"}]
    show(record, "csv")
    assert "params.depth,3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "expected"),
    [(float("inf"), "Infinity"), (float("-inf"), "-Infinity"), ((1, 2), [1, 2]), (True, True)],
)
def test_plain_keeps_what_json_cannot_say(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_a_column_that_may_go_and_says_nothing_takes_no_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"name": "a", "task": None, "note": None}]
    show(Listing(("name", "task", "note"), rows, droppable=("task",)), "table")
    captured = capsys.readouterr()
    assert "task" not in captured.out
    assert "note" in captured.out
    assert captured.err == ""


def test_a_time_is_never_broken_over_two_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "36")
    monkeypatch.setenv("FORCE_COLOR", "1")
    row = {"at": ROWS[0]["at"], "words": "many words " * 8}
    show(Listing(("at", "words"), [row]), "table")
    assert "2026-01-02 03:04:05" in capsys.readouterr().out


def test_texts_of_a_list_are_words_and_facts_may_have_other_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = Record(
        {"missing": ["a verdict", "a reason"], "payload": {"a": 1}, "previous_version": 2},
        worded={"payload": []},
        labels={"previous_version": "in place of"},
    )
    show(record, "table")
    out = capsys.readouterr().out
    assert "a verdict; a reason" in out
    assert "payload" not in out
    assert "in place of" in out
    show(record, "json")
    assert json.loads(capsys.readouterr().out) == {
        "missing": ["a verdict", "a reason"],
        "payload": {"a": 1},
        "previous_version": 2,
    }
