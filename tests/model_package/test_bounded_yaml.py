"""YAML of strangers: plain data is read, nothing takes for ever, nothing is built."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_mltrack.model_package.bounded_yaml import BYTES, DEPTH, NODES, read_yaml, texts_in


def doublings(times: int) -> bytes:
    """Write the YAML bomb: every line repeats the one before ten times."""
    lines = ["l0: &l0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, times)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [x, null, 1.5, true, ~]", {"a": 1, "b": ["x", None, 1.5, True, None]}),
        ("when: 2026-01-02\n", {"when": "2026-01-02"}),
        ("2: {c: 'd'}\n'': e", {"2": {"c": "d"}, "": "e"}),
        ("a: &x [1, {b: 2}]\nc: *x", {"a": [1, {"b": 2}], "c": [1, {"b": 2}]}),
        ("a: !!str 7\nb: !!int '7'\nc: ! 8", {"a": "7", "b": 7, "c": "8"}),
        (f"a: {2**63}\nb: {2**63 - 1}", {"a": str(2**63), "b": 2**63 - 1}),
        ("a: 0x" + "f" * 200, {"a": "0x" + "f" * 200}),
        ("'<<': a", {"<<": "a"}),
        ("plain", "plain"),
    ],
)
def test_plain_data_is_read(text: str, expected: Any) -> None:
    assert read_yaml(text.encode()) == expected


def test_what_pyyaml_wrote_is_read_back() -> None:
    shared = ["a", "b"]
    content = {"list": shared, "again": shared, "deep": [{"x": [1.5, None, False]}], "ä": "é\n'"}
    text = yaml.safe_dump(content, allow_unicode=True)
    assert "*id001" in text
    found = read_yaml(text.encode())
    assert found == content
    assert found["list"] is not found["again"]
    assert math.isnan(read_yaml(b"a: .nan")["a"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a: !!python/object/apply:os.system [id]", "python/object/apply"),
        (b"!!python/name:os.system ''", "python/name"),
        (b"a: !custom b", "no plain data"),
        (b"a: !!binary aGk=", "no plain data"),
        (b"a: !!set {b, c}", "no plain data"),
        (b"a: !!map text", "no plain data"),
        (b"a: !!seq text", "no plain data"),
        (b"a: !!str [b]", "no plain data"),
        (b"a: {<<: {b: 1}}", "merges"),
        (b"a: 1\na: 2", "'a' stands twice"),
        (b"1: a\n'1': b", "'1' stands twice"),
        (b"? [a]\n: b", "a key of a mapping"),
        (b"a: &x [*x]", "before what it names is whole"),
        (b"a: *nowhere", "nowhere"),
        (b"a: !!int seven", "'seven' is not what its tag says"),
        (b"a: !!bool seven", "'seven' is not what its tag says"),
        (b"a: @b", "no YAML"),
        (b"", "0 documents"),
        (b"--- a\n--- b\n", "2 documents"),
        (b"a: \xff", "utf-8"),
        (b"[" * 10_000, f"deeper than {DEPTH}"),
        (b"- " * 10_000, f"deeper than {DEPTH}"),
        (b"a" * (BYTES + 1), f"larger than {BYTES}"),
        (b"[" + b"a," * (NODES + 1) + b"]", f"more than {NODES} values"),
        (doublings(9), f"more than {NODES} values"),
        (
            b"a: &a '" + b"x" * 1_000_000 + b"'\nb: [" + b"*a," * 20 + b"]",
            "repeat more than",
        ),
        (
            "\n".join(
                ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, DEPTH + 2))]
            ).encode(),
            f"deeper than {DEPTH}",
        ),
    ],
)
def test_anything_else_is_refused_and_soon(text: bytes, reason: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match=reason):
        read_yaml(text)
    assert time.monotonic() - begun < 5


def test_a_number_that_would_take_for_ever_stays_a_text() -> None:
    begun = time.monotonic()
    text = b"1:" * 200_000 + b"1"
    assert read_yaml(b"a: " + text)["a"] == text.decode()
    assert time.monotonic() - begun < 5


def test_nothing_runs_without_the_fast_parser_either(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    proof = tmp_path / "proof"
    with pytest.raises(ValueError, match="no plain data"):
        read_yaml(f"!!python/object/apply:os.mkdir ['{proof}']".encode())
    assert not proof.exists()
    yaml.unsafe_load(f"!!python/object/apply:os.mkdir ['{proof}']")
    assert proof.exists(), "the payload must be a real one"
    with pytest.raises(ValueError, match="deeper"):
        read_yaml(b"[" * 10_000)
    assert read_yaml(b"a: [1, {b: c}]") == {"a": [1, {"b": "c"}]}


def test_every_text_is_given() -> None:
    assert sorted(texts_in({"a": ["b", {"c": 1}], "d": None})) == ["a", "b", "c", "d"]
