"""A run, its attempts, and who they are in Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from airflow_mltrack.entities.experiments import Lifecycle


class RunStatus(str, Enum):
    """State of an attempt; a run has the state of its latest attempt. MLflow's five names."""

    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more is expected from the attempt."""
        return self in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What makes two starts the same run (``logical_key``) or attempt (``attempt_key``)."""

    logical_key: str
    """Same for every try of the same piece of work; see :func:`task_identity`."""
    attempt_key: str
    """Same only within one try, for example Airflow's ``ti.id``."""
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    """Airflow's: -1 for a task that is not mapped."""
    try_number: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    """JSON-able facts of this try: dag version, bundle, partition key, host, triggering events."""

    def trial(self, sweep_run_id: str, number: int, *, attempt: int | str = 1) -> RunIdentity:
        """Identify trial ``number`` of a sweep that is run by this task.

        :param attempt: something else for each start of the trial; one task may run it more than
            once.
        """
        return RunIdentity(
            logical_key=f"trial:{sweep_run_id}:{number}",
            attempt_key=f"{self.attempt_key}:{sweep_run_id}:{number}:{attempt}",
            dag_id=self.dag_id,
            dag_run_id=self.dag_run_id,
            task_id=self.task_id,
            map_index=self.map_index,
            try_number=self.try_number,
            details=self.details,
        )


def task_identity(
    *,
    ti_id: str,
    dag_id: str,
    dag_run_id: str,
    task_id: str,
    map_index: int = -1,
    try_number: int | None = None,
    details: Mapping[str, object] | None = None,
) -> RunIdentity:
    """Identify the run of an Airflow task instance.

    :param ti_id: the task instance's uuid, new for every try.
    """
    return RunIdentity(
        logical_key="task:" + "\x1f".join((dag_id, dag_run_id, task_id, str(map_index))),
        attempt_key=f"ti:{ti_id}",
        dag_id=dag_id,
        dag_run_id=dag_run_id,
        task_id=task_id,
        map_index=map_index,
        try_number=try_number,
        details=dict(details or {}),
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a run. Params, metrics, inputs and artifacts belong to an attempt."""

    attempt_id: int
    """Number given by the store."""
    run_id: str
    number: int
    """1 for the first try of the run."""
    attempt_key: str | None
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None = None
    heartbeat_at: datetime | None = None
    """Last sign of life; the reaper closes attempts that have been silent."""
    try_number: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    error: str | None = None
    """Last line of the traceback, or why the reaper closed it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One piece of work: a training, a trial, a sweep. Tags belong to the run."""

    run_id: str
    """32 hexadecimal characters, or the id it had where it was imported from."""
    experiment_id: int
    name: str
    status: RunStatus
    lifecycle: Lifecycle
    started_at: datetime
    ended_at: datetime | None
    user: str
    attempt_id: int
    """The latest attempt."""
    attempt_number: int
    parent_run_id: str | None = None
    dag_id: str | None = None
    dag_run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    artifact_root: str = ""
    """Key prefix of the latest attempt's artifacts (relative to the artifact store), or a URI."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunData:
    """A run with everything of one attempt that is small enough to list."""

    run: Run
    attempt: Attempt
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Latest value of every metric; NaN and infinities as they were logged."""
