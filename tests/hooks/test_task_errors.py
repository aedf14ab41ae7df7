from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mltrack import exceptions
from airflow_mltrack.exceptions import MltrackError
from airflow_mltrack.hooks.task_errors import RETRYABLE, task_errors

RETRIED = {"StoreUnavailable", "ArtifactUnavailable", "DataUnavailable", "Conflict"}


def _all_errors() -> Iterator[type[MltrackError]]:
    for value in vars(exceptions).values():
        if isinstance(value, type) and issubclass(value, MltrackError):
            yield value


def _made(kind: type[MltrackError]) -> MltrackError:
    error = kind.__new__(kind)
    Exception.__init__(error, "what happened")
    return error


@pytest.mark.parametrize("kind", list(_all_errors()), ids=lambda kind: kind.__name__)
def test_every_error_is_either_retried_or_final(kind: type[MltrackError]) -> None:
    expected = kind if kind.__name__ in RETRIED else AirflowFailException
    with pytest.raises(expected) as raised, task_errors():
        raise _made(kind)
    assert "what happened" in str(raised.value)


def test_what_is_retried_is_stated_once() -> None:
    assert {kind.__name__ for kind in RETRYABLE} == RETRIED


@pytest.mark.parametrize("error", [AirflowSkipException("x"), RuntimeError("x"), KeyError("x")])
def test_other_errors_are_airflows_business(error: Exception) -> None:
    with pytest.raises(type(error)), task_errors():
        raise error
