"""Options that take JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mltrack.cli.json_option import read_json, read_object
from airflow_mltrack.exceptions import InvalidInput


def test_json_is_typed_or_named(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"a": 1}', encoding="utf-8")
    assert read_object("--x", str(file)) == read_object("--x", ' {"a": 1}') == {"a": 1}
    assert read_json("--x", "[1]") == [1]


def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(b"\xff\xfe")
    for given, said in (
        (str(tmp_path / "nope.json"), "no such file"),
        (str(tmp_path), "cannot be read"),
        (str(bad), "cannot be read"),
        ("{", "not JSON"),
        ("[1]", "a JSON object"),
    ):
        with pytest.raises(InvalidInput, match=said) as caught:
            read_object("--gates", given)
        assert caught.value.what == "--gates"
