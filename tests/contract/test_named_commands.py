"""The commands that messages tell people to run exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_mltrack.cli.main import build_parser

PACKAGE = Path(__file__).parents[2] / "airflow_mltrack"
NAMED = sorted(
    {
        command
        for path in PACKAGE.rglob("*.py")
        for command in re.findall(
            r": mltrack ([a-z]+(?: [a-z][a-z-]*)?)", path.read_text(encoding="utf-8")
        )
    }
)


def test_messages_name_commands() -> None:
    assert {"db upgrade", "doctor", "runs list"} <= set(NAMED)


@pytest.mark.parametrize("command", NAMED)
def test_a_named_command_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        build_parser().parse_args([*command.split(), "--help"])
    assert exit_.value.code == 0, capsys.readouterr().err
