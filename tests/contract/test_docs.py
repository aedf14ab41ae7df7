"""The documentation names everything there is, and what it links to exists."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_mltrack.cli.exit_codes import ExitCode
from airflow_mltrack.cli.main import build_parser
from airflow_mltrack.settings import S3Settings, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
CONNECT = (ROOT / "docs" / "how-to" / "connect.md").read_text(encoding="utf-8")


def _commands(parser: argparse.ArgumentParser, words: str) -> Iterator[str]:
    nested = [item for item in parser._actions if isinstance(item, argparse._SubParsersAction)]
    if not nested:
        yield words
    for action in nested:
        for name, child in action.choices.items():
            yield from _commands(child, f"{words} {name}")


@pytest.mark.parametrize("command", sorted(_commands(build_parser(), "mltrack")))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}`" in CLI


def test_no_command_is_documented_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `(mltrack [a-z -]+)` \|", CLI, flags=re.MULTILINE))
    assert named == set(_commands(build_parser(), "mltrack"))


@pytest.mark.parametrize("code", [code.value for code in ExitCode])
def test_every_exit_code_is_documented(code: int) -> None:
    assert f"| {code} |" in CLI


def test_every_variable_is_documented() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "airflow_mltrack").rglob("*.py")
    )
    named = set(re.findall(r"\bMLTRACK_[A-Z0-9_]*[A-Z0-9]\b", source)) - {"MLTRACK_S3"}
    named |= {f"MLTRACK_S3_{field.name.upper()}" for field in fields(S3Settings)}
    for page in (OPERATIONS, CONNECT):
        assert {name for name in named if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        if "://" in target:
            continue
        found = page.parent / target if target else page
        assert found.exists(), target
        assert not anchor or anchor in _anchors(found), f"{target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as Git hosts make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [
        page.relative_to(ROOT / "docs").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
        if page.name != "index.md" and "decisions" not in page.parts
    ]
    assert [page for page in pages if f"({page})" not in index] == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"\bmake ([a-z]+)", _code(page))}
    assert {"demo", "test", "airflow"} <= named
    assert named - known == set()


def _code(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`(make [^`]+)`", text)])


def test_python_in_the_readme_runs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLTRACK_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MLTRACK_ARTIFACT_URI", settings.artifact_uri)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert "{'loss': 0.01}" in capsys.readouterr().out


def test_no_page_names_a_path_of_somebodys_machine() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:root|home|Users)/", text), page
