"""Code in the documentation: what comes from an example is that example, the rest is valid."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from airflow_mltrack.cli.main import build_parser
from airflow_mltrack.store.search_filter import parse, parse_order

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"(?:<!-- from (\S+): (\w+) -->\n)?```(\w+)\n(.*?)\n?```", re.DOTALL)


def _blocks(language: str, *, from_example: bool) -> list[tuple[str, str, str, str]]:
    """Give (page, example file, marker, code) of every block."""
    return [
        (str(page.relative_to(ROOT)), file, marker, code)
        for page in PAGES
        for file, marker, kind, code in _BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind == language and bool(file) is from_example
    ]


def _marked(file: str, marker: str) -> str:
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.findall(
        rf"^ *# \[START {marker}\]\n(.*?)^ *# \[END {marker}\]", text, re.DOTALL | re.MULTILINE
    )
    assert len(found) == 1, f"{file} has {len(found)} parts {marker}"
    return textwrap.dedent(found[0]).strip("\n")


@pytest.mark.parametrize(
    "block", _blocks("python", from_example=True), ids=lambda block: f"{block[0]}-{block[2]}"
)
def test_code_from_an_example_is_that_example(block: tuple[str, str, str, str]) -> None:
    _, file, marker, code = block
    assert code == _marked(file, marker)


def test_every_marked_part_of_an_example_is_shown() -> None:
    shown = {(file, marker) for _, file, marker, _ in _blocks("python", from_example=True)}
    marked = {
        (f"example_dags/{path.name}", marker)
        for path in (ROOT / "example_dags").glob("*.py")
        for marker in re.findall(r"# \[START (\w+)\]", path.read_text(encoding="utf-8"))
    }
    assert marked == shown


@pytest.mark.parametrize(
    "block", _blocks("python", from_example=False), ids=lambda block: str(block[0])
)
def test_other_python_runs(block: tuple[str, str, str, str]) -> None:
    page, _, _, code = block
    exec(compile(code, page, "exec"), {"__name__": page})  # noqa: S102 - our own text


def _typed_commands() -> list[str]:
    text = "\n".join(code for *_, code in _blocks("sh", from_example=False))
    lines = [line for line in text.splitlines() if re.match(r"(\S*/)?mltrack ", line)]
    return [line.replace("\\`", "`") for line in lines]


@pytest.mark.parametrize("command", sorted(set(_typed_commands())))
def test_every_command_can_be_typed(command: str) -> None:
    words = shlex.split(command, comments=True)
    end = next((place for place, word in enumerate(words) if word in (">", "|")), len(words))
    arguments = build_parser().parse_args(words[1:end])
    parse(getattr(arguments, "filter", ""))
    for term in getattr(arguments, "order_by", []):
        parse_order(term)


def test_every_command_that_is_mentioned_exists() -> None:
    known = re.findall(
        r"^\| `(mltrack [a-z -]+)` \|", (ROOT / "docs/cli.md").read_text(), re.MULTILINE
    )
    mentioned = [
        " ".join(command.split())  # a line may end inside of it
        for page in PAGES
        for command in re.findall(r"`(mltrack [a-z][^`]*)`", page.read_text(encoding="utf-8"))
    ]
    assert mentioned
    unknown = [text for text in mentioned if not any(f"{text} ".startswith(f"{k} ") for k in known)]
    assert unknown == []
