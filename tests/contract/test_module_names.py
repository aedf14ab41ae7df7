"""Modules are small and named after what they do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path
    for folder in ("airflow_mltrack", "example_dags")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager", "base"}
MOST_LINES = 450
LONGER = {"tables.py": 600}
"""The tables and their constraints are read together."""
MOST_FUNCTION_LINES = 60
"""Signature and docstring included; the body alone is held to 40 statements by the linter."""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_named_after_what_it_does(path: Path) -> None:
    assert path.stem not in MEANINGLESS
    assert not MEANINGLESS & set(path.relative_to(ROOT).parts[:-1])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGER.get(path.name, MOST_LINES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_body_of_a_function_is_short(path: Path) -> None:
    long = [
        f"{node.name}: {lines}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name != "get_provider_info"  # one literal, as Airflow wants it
        and (lines := _body_lines(node)) > MOST_FUNCTION_LINES
    ]
    assert long == []


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
