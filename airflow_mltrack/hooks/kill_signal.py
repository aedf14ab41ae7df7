"""What a tracked task does when Airflow tells it to stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowTaskTerminated


class Stoppable:
    """Mix-in for operators: unwinds the running work, so that runs are closed as killed.

    Airflow calls ``on_kill`` from the signal handler and then waits five seconds for the process to
    go. An exception from there ends the work where it stands: ``with`` blocks leave their locks,
    and runs flush and close. Closing a run directly from the handler could wait for a lock that
    the interrupted code holds.
    """

    _stoppable = False

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Mark the block that ``on_kill`` may end."""
        self._stoppable = True
        try:
            yield
        finally:
            self._stoppable = False

    def on_kill(self) -> None:
        """End the running work.

        Does nothing when none runs: after an ``execution_timeout`` Airflow calls this once the work
        has already unwound.

        :raises AirflowTaskTerminated: while work is running.
        """
        if self._stoppable:
            self._stoppable = False
            raise AirflowTaskTerminated("Airflow told the task to stop.")
