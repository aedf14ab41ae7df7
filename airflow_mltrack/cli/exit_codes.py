"""What a command's exit code means, and which error gives which code."""

from __future__ import annotations

from enum import IntEnum

from airflow_mltrack import exceptions


class ExitCode(IntEnum):
    """Exit codes of ``mltrack``."""

    OK = 0
    FAILURE = 1
    """Something went wrong that has no code of its own."""
    INVALID_INPUT = 2
    """The command line, a filter or another value breaks a rule."""
    NOT_FOUND = 3
    CONFLICT = 4
    """It exists already, was changed meanwhile, a rule of the stage forbids it, or a verdict did
    not pass."""
    UNAVAILABLE = 5
    """Database, artifact store or a data source cannot be reached; a retry may help."""
    OUT_OF_DATE = 6
    """The database's schema needs ``mltrack db upgrade``, or this package does."""
    CORRUPT = 7
    """Stored bytes are not the recorded ones, or a package must not be loaded."""
    INTERRUPTED = 130


CODES: dict[type[exceptions.MltrackError], ExitCode] = {
    exceptions.MltrackError: ExitCode.FAILURE,
    exceptions.NotFound: ExitCode.NOT_FOUND,
    exceptions.Conflict: ExitCode.CONFLICT,
    exceptions.InvalidInput: ExitCode.INVALID_INPUT,
    exceptions.PromotionRefused: ExitCode.CONFLICT,
    exceptions.ApprovalRefused: ExitCode.CONFLICT,
    exceptions.StoreError: ExitCode.FAILURE,
    exceptions.StoreUnavailable: ExitCode.UNAVAILABLE,
    exceptions.SchemaOutOfDate: ExitCode.OUT_OF_DATE,
    exceptions.ArtifactError: ExitCode.FAILURE,
    exceptions.ArtifactUnavailable: ExitCode.UNAVAILABLE,
    exceptions.ArtifactCorrupt: ExitCode.CORRUPT,
    exceptions.ModelPackageError: ExitCode.CORRUPT,
    exceptions.SweepFailed: ExitCode.FAILURE,
    exceptions.DataUnavailable: ExitCode.UNAVAILABLE,
}
"""The only translation of errors into exit codes; a class without an entry has its parent's."""


def exit_code(error: exceptions.MltrackError) -> ExitCode:
    """Return the exit code of an error: its class's, or its nearest parent's."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return ExitCode.FAILURE
