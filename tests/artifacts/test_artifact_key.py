"""Keys that could climb out, hide or break a server never reach a store."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mltrack.artifacts.artifact_key import (
    MAX_KEY_BYTES,
    guess_content_type,
    join,
    safe_path,
)
from airflow_mltrack.exceptions import InvalidInput

BAD_KEYS = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    ".",
    "./a",
    "a/./b",
    "a//b",
    "a/",
    "a\\b",
    "..\\x",
    "a\x00b",
    "a\nb",
    "a\x7fb",
    "a\x9fb",
    "a\ud800b",
    "x" * 256,
    "/".join(["x" * 100] * 11),
    "ä" * 128,
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_dangerous_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="artifact path"):
        safe_path(key)


@pytest.mark.parametrize("key", ["a", "a/b.txt", "..a/b..", "ä/日本 語.csv", "a b+c%2e%2e#?&.png"])
def test_an_ordinary_key_is_kept_as_it_is(key: str) -> None:
    assert safe_path(key) == key


@given(st.text())
def test_no_accepted_key_leaves_its_root(key: str) -> None:
    try:
        safe_path(key)
    except InvalidInput:
        return
    parts = key.split("/")
    assert ".." not in parts
    assert "" not in parts
    assert len(key.encode()) <= MAX_KEY_BYTES


def test_joining_leaves_empty_parts_out_and_checks_the_whole() -> None:
    assert join("", "a", "b/c") == "a/b/c"
    with pytest.raises(InvalidInput, match="empty"):
        join("a", "../b")


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("a/MLmodel", "text/plain"),
        ("a/x.JSON", "application/json"),
        ("x.png", "image/png"),
        ("x.parquet", "application/vnd.apache.parquet"),
        ("x.html", "text/html"),
        ("x.skops", "application/octet-stream"),
        ("a.d/noext", "application/octet-stream"),
    ],
)
def test_the_content_type_follows_from_the_extension(key: str, content_type: str) -> None:
    assert guess_content_type(key) == content_type
