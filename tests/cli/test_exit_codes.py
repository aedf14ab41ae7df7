"""Errors to exit codes."""

from __future__ import annotations

import inspect

import pytest

from airflow_mltrack import exceptions
from airflow_mltrack.cli.exit_codes import CODES, ExitCode, exit_code

ERRORS = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, exceptions.MltrackError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_class_has_a_code_of_its_own_or_of_a_parent_below_the_root(
    kind: type[exceptions.MltrackError],
) -> None:
    parents = [parent for parent in kind.__mro__ if parent in CODES]
    assert kind is exceptions.MltrackError or parents[0] is not exceptions.MltrackError


def test_an_error_has_the_code_of_its_nearest_parent() -> None:
    assert exit_code(exceptions.InvalidFilter("x", 0, "a name")) is ExitCode.INVALID_INPUT
    assert exit_code(exceptions.NotFound("run", "x")) is ExitCode.NOT_FOUND
    assert exit_code(exceptions.StoreUnavailable("db", "away")) is ExitCode.UNAVAILABLE
    assert exit_code(exceptions.DataUnavailable("t.csv", "away")) is ExitCode.UNAVAILABLE
    assert exit_code(exceptions.SchemaOutOfDate(None, "0001")) is ExitCode.OUT_OF_DATE
    assert exit_code(exceptions.UntrustedPackage("m", ["os.system"])) is ExitCode.CORRUPT
    assert exit_code(exceptions.StoreError("broken")) is ExitCode.FAILURE
    assert exit_code(exceptions.PromotionRefused("m", 1, "Live", ["no"])) is ExitCode.CONFLICT
    refused = exceptions.ApprovalRefused("m", 1, "Live", "ada", "she made it.")
    assert exit_code(refused) is ExitCode.CONFLICT


def test_an_error_of_a_later_release_still_has_a_code() -> None:
    class Unheard(exceptions.MltrackError):
        pass

    assert exit_code(Unheard()) is ExitCode.FAILURE
