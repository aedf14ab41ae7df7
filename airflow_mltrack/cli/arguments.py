"""Options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_mltrack.cli.output import FORMATS

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name


def add_group(commands: Commands, name: str, help_text: str) -> Commands:
    """Add a noun that has commands of its own."""
    parser = commands.add_parser(name, help=help_text, description=_sentence(help_text))
    return parser.add_subparsers(metavar="COMMAND", required=True)


def add_command(
    commands: Commands,
    name: str,
    help_text: str,
    run: Callable[[argparse.Namespace], int | None],
    *,
    backend: bool = True,
    formats: tuple[str, ...] = FORMATS,
) -> argparse.ArgumentParser:
    """Add a command.

    :param run: called with the parsed arguments; what it returns is the exit code, None means 0.
    :param backend: whether it works on a tracking backend and so takes ``--conn-id``.
    :param formats: what ``--format`` accepts, the default first; empty leaves the option out.
    """
    parser = commands.add_parser(name, help=help_text, description=_sentence(help_text))
    parser.set_defaults(run=run)
    if formats:
        parser.add_argument(
            "--format", choices=formats, default=formats[0], help=f"default: {formats[0]}"
        )
    if backend:
        parser.add_argument(
            "--conn-id",
            metavar="ID",
            help="Airflow connection of type mltrack; without it the environment decides "
            "(MLTRACK_DATABASE_URL, AIRFLOW_CONN_MLTRACK_DEFAULT, or the embedded default below "
            "AIRFLOW_HOME)",
        )
    return parser


def positive_int(text: str) -> int:
    """Read a number that is at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def names(text: str) -> tuple[str, ...]:
    """Read names that are separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _sentence(help_text: str) -> str:
    return help_text[0].upper() + help_text[1:] + "."
