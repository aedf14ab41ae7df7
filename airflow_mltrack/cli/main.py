"""The command line: reads arguments, calls one plain function, turns errors into exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from airflow_mltrack.cli import (
    airflow_command,
    artifacts,
    audit,
    db,
    demo_command,
    doctor,
    export,
    mlflow_import,
    models,
    runs,
    server,
    token,
    version,
    webhooks,
)
from airflow_mltrack.cli.exit_codes import ExitCode, exit_code
from airflow_mltrack.cli.output import never_fail_on_characters
from airflow_mltrack.exceptions import MltrackError

GROUPS = (
    runs,
    models,
    audit,
    artifacts,
    webhooks,
    server,
    token,
    export,
    mlflow_import,
    db,
    doctor,
    demo_command,
    airflow_command,
    version,
)
"""Modules that add commands, in the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    An error that this package words itself is printed without a traceback.

    :param argv: the words after ``mltrack``; None takes the process's own.
    """
    never_fail_on_characters()
    arguments = build_parser().parse_args(argv)
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
    except MltrackError as error:
        sys.stderr.write(f"mltrack: {error}\n")
        return exit_code(error)
    except BrokenPipeError:
        return _reader_has_gone()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK if code is None else code


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="mltrack",
        description="Experiment tracking, a model registry and stage-gated deployment in Airflow.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong input, 3 not found, 4 conflict or refused, "
        "5 unavailable (retry), 6 schema out of date, 7 corrupt or untrusted.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in GROUPS:
        group.register(commands)
    return parser


def _reader_has_gone() -> int:
    """End quietly when ``| head`` has read enough; the interpreter must not flush into the void."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
