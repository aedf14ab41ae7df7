"""Errors of this package as Airflow understands them: try the task again, or fail it for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from airflow_mltrack.exceptions import (
    ArtifactUnavailable,
    Conflict,
    DataUnavailable,
    MltrackError,
    StoreUnavailable,
)

RETRYABLE = (StoreUnavailable, ArtifactUnavailable, DataUnavailable, Conflict)
"""A later try may succeed. Every other error of ours would only repeat itself: it fails at once,
whatever ``retries`` says."""


@contextmanager
def task_errors() -> Iterator[None]:
    """Let retryable errors pass, so that Airflow's ``retries`` apply, and end the task on others.

    :raises AirflowFailException: for an error of ours that a retry cannot cure.
    """
    try:
        yield
    except RETRYABLE:
        raise
    except MltrackError as error:
        raise AirflowFailException(str(error)) from error
