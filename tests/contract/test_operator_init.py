"""Templates are rendered after ``__init__``: there a templated value may be kept, nothing else."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from airflow.sdk import BaseOperator

import airflow_mltrack

PACKAGE = Path(airflow_mltrack.__file__).parent
FORWARDING = {"promotion_outlet"}
"""Functions that may be asked about a templated value because they expect templates in it."""


def _operator_classes() -> Iterator[type[BaseOperator]]:
    for folder in ("operators", "decorators"):
        for path in sorted((PACKAGE / folder).glob("[!_]*.py")):
            module = import_module(f"airflow_mltrack.{folder}.{path.stem}")
            for value in vars(module).values():
                if (
                    isinstance(value, type)
                    and issubclass(value, BaseOperator)
                    and value.__module__ == module.__name__
                ):
                    yield value


OPERATORS = list(_operator_classes())


def _init(operator: type[BaseOperator]) -> ast.FunctionDef | None:
    path = Path(str(import_module(operator.__module__).__file__))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef) and node.name == operator.__name__:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                    return item
    return None


def _allowed_reads(init: ast.FunctionDef) -> set[int]:
    """Places where a parameter is kept as it is, or handed on."""
    allowed: set[int] = set()
    for node in ast.walk(init):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
            [target] = node.targets
            if isinstance(target, ast.Attribute) and target.attr == node.value.id:
                allowed.add(id(node.value))
        if isinstance(node, ast.Call):
            handed = [keyword.value for keyword in node.keywords if _hands_on(node)]
            handed += node.args if _name(node.func) in FORWARDING else []
            allowed |= {id(value) for value in handed if isinstance(value, ast.Name)}
    return allowed


def _hands_on(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "__init__"


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_init_only_keeps_templated_values(operator: type[BaseOperator]) -> None:
    init = _init(operator)
    if init is None:
        return
    allowed = _allowed_reads(init)
    touched = [
        f"{node.id} (line {node.lineno})"
        for node in ast.walk(init)
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and node.id in operator.template_fields
        and id(node) not in allowed
    ]
    assert touched == []


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_every_template_field_is_a_parameter_of_the_same_name(
    operator: type[BaseOperator],
) -> None:
    init = _init(operator)
    if init is None:
        return
    parameters = {argument.arg for argument in init.args.kwonlyargs}
    inherited = {"op_args", "op_kwargs"}
    assert set(operator.template_fields) - inherited <= parameters


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_no_parameter_has_a_name_that_airflow_uses(operator: type[BaseOperator]) -> None:
    init = _init(operator)
    if init is None:
        return
    known = set(inspect.signature(BaseOperator.__init__).parameters)
    ours = {argument.arg for argument in init.args.kwonlyargs} - known
    assert ours & set(dir(BaseOperator)) == set()


def test_operators_were_found() -> None:
    assert len(OPERATORS) >= 7
