"""The run of the task instance that is executing: one for each try, shared by all code of the task.

What is open is kept by task instance, because one process may execute several of them
(``dag.test()``, ``airflow dags test``); it is the process's own list of what it has to close.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import (
    AirflowRescheduleException,
    AirflowSkipException,
    AirflowTaskTerminated,
    TaskAwaitingInput,
    TaskDeferred,
)

from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import InvalidInput, MltrackError, NotFound, SchemaOutOfDate
from airflow_mltrack.hooks.identity import (
    actor_of,
    identity_of,
    map_index_of,
    source_tags_of,
)
from airflow_mltrack.hooks.mltrack import MltrackHook
from airflow_mltrack.hooks.run_link import show_run

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.model_package.code_version import CodeVersion
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.tracking.active_run import ActiveRun

log = logging.getLogger(__name__)

RUN_ID_VARIABLE = "MLTRACK_RUN_ID"
"""Environment variable that hands the run over to subprocesses."""


_GOES_ON = (TaskDeferred, TaskAwaitingInput, AirflowRescheduleException)
"""Raised by a task that leaves the worker and comes back as the same try."""


@dataclass(frozen=True, slots=True)
class _OpenRun:
    run: ActiveRun
    hook: MltrackHook
    handed_over_before: str | None


_open_runs: dict[str, _OpenRun] = {}
_handed_over: dict[str, ActiveRun] = {}


def current_run(
    *,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    mltrack_conn_id: str | None = None,
) -> ActiveRun:
    """Return the run of this very task instance, started at the first call.

    Works in any code that an Airflow task executes, and in subprocesses of such a task: they find
    the run through ``MLTRACK_RUN_ID`` and the tracking backend through the environment (see
    :func:`~airflow_mltrack.settings.environment_settings`). The run ends with the task: finished,
    failed or killed as the task is.

    The arguments count at the call that starts the run.

    :param experiment: experiment name; None means the Dag's id.
    :param name: run name; None means the task's id.
    :param tags: tags of the run.
    :param mltrack_conn_id: Airflow connection; None means the configured default.
    :raises InvalidInput: outside a task when no run was handed over, or when this process sees
        another backend than the task that handed it over.
    """
    context = _task_context()
    if context is None:
        return _inherited_run()
    found = _open_runs.get(str(context["ti"].id))
    if found is not None:
        return found.run
    hook = MltrackHook(mltrack_conn_id)
    return begin_task_run(context, hook, experiment=experiment, name=name, tags=tags)


def begin_task_run(
    context: Context,
    hook: MltrackHook,
    *,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> ActiveRun:
    """Start the run of a task instance, or return the one that this process has open for it."""
    ti = context["ti"]
    if str(ti.id) in _open_runs:
        return _open_runs[str(ti.id)].run
    run = hook.get_conn().start_run(
        name or _run_name(context),
        experiment=experiment or ti.dag_id,
        identity=identity_of(context),
        tags={**source_tags_of(context), **(tags or {})},
        user=actor_of(context),
    )
    run.capture_code = partial(_capture_code, context)
    _open_runs[str(ti.id)] = _OpenRun(run, hook, os.environ.get(RUN_ID_VARIABLE))
    os.environ[RUN_ID_VARIABLE] = run.run_id
    show_run(context["task"], ti, run.run_id)
    return run


def end_task_run(ti_id: str, status: RunStatus, *, error: str | None = None) -> bool:
    """End the run that this process has open for a task instance.

    :return: whether there was one.
    """
    found = _open_runs.pop(ti_id, None)
    if found is None:
        return False
    _restore_variable(found)
    try:
        found.run.end(status, error=error)
    finally:
        found.hook.close()
    return True


def end_from_listener(task_instance: Any, status: str, error: object) -> None:
    """End the run that a task of this process has left open; called when the task has ended."""
    found = RunStatus(status)
    if found is RunStatus.FAILED:
        found = status_after(error)
    message = None if found is RunStatus.FINISHED else last_line(error)
    end_task_run(str(task_instance.id), found, error=message)


def leave_task_runs() -> None:
    """Write what open runs have buffered, without ending them: their task goes on elsewhere."""
    while _open_runs:
        _, found = _open_runs.popitem()
        _restore_variable(found)
        try:
            found.run.leave()
        finally:
            found.hook.close()


@contextmanager
def task_run(
    context: Context,
    hook: MltrackHook,
    *,
    experiment: str | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    ends: bool = True,
) -> Iterator[ActiveRun]:
    """Run a block as the run of this task instance; the run ends as the block does.

    :param ends: False leaves the run open after success: a later task ends it.
    """
    run = begin_task_run(context, hook, experiment=experiment, name=name, tags=tags)
    ti_id = str(context["ti"].id)
    try:
        yield run
    except _GOES_ON:
        leave_task_runs()
        raise
    except BaseException as error:
        try:
            end_task_run(ti_id, status_after(error), error=last_line(error))
        except MltrackError:  # what went wrong first must not be hidden
            log.exception("The run of this task could not be closed.")
        raise
    if ends:
        end_task_run(ti_id, RunStatus.FINISHED)
    else:
        leave_task_runs()


def status_after(error: object) -> RunStatus:
    """Tell how a run ended whose task ended with this error."""
    if isinstance(error, AirflowSkipException):
        return RunStatus.FINISHED
    if isinstance(error, (AirflowTaskTerminated, KeyboardInterrupt, SystemExit)):
        return RunStatus.KILLED
    return RunStatus.FAILED


def last_line(error: object) -> str:
    """Say in one line what went wrong, as the last line of a traceback does."""
    if isinstance(error, BaseException):
        error = "".join(traceback.format_exception_only(type(error), error))
    lines = str(error or "").strip().splitlines()
    return lines[-1] if lines else "the task failed"


def _task_context() -> Context | None:
    try:
        return get_current_context()
    except RuntimeError:  # how Airflow says that no task is executing here
        return None


def _run_name(context: Context) -> str:
    ti = context["ti"]
    index = map_index_of(ti)
    return str(ti.task_id) if index < 0 else f"{ti.task_id}[{index}]"


def _capture_code(context: Context) -> CodeVersion:
    """Ask git about the Dag's file, and Airflow about the bundle that it came from."""
    from airflow_mltrack.model_package.code_version import capture_code_version

    bundle = getattr(context["ti"], "bundle_instance", None)
    return capture_code_version(
        getattr(getattr(context["task"], "dag", None), "fileloc", None),
        bundle_name=getattr(bundle, "name", None),
        bundle_version=getattr(bundle, "version", None),
    )


def _restore_variable(found: _OpenRun) -> None:
    if found.handed_over_before is None:
        os.environ.pop(RUN_ID_VARIABLE, None)
    else:
        os.environ[RUN_ID_VARIABLE] = found.handed_over_before


def _inherited_run() -> ActiveRun:
    run_id = os.environ.get(RUN_ID_VARIABLE)
    if not run_id:
        raise InvalidInput(
            "current_run()",
            "outside a task",
            f"no Airflow task is executing here and {RUN_ID_VARIABLE} is not set.",
            "Use TrackingClient(environment_settings()).start_run() outside Airflow.",
        )
    if run_id not in _handed_over:
        _handed_over[run_id] = _resume(run_id)
    return _handed_over[run_id]


def _resume(run_id: str) -> ActiveRun:
    import atexit

    from airflow_mltrack.settings import environment_settings
    from airflow_mltrack.tracking.client import TrackingClient

    settings = environment_settings()
    if settings.is_embedded and not settings.embedded_directory.exists():
        raise _other_backend(run_id, settings)  # looking would make a new, empty server
    client = TrackingClient(settings)
    try:
        run = client.resume(run_id)
    except (NotFound, SchemaOutOfDate) as error:
        client.close()
        raise _other_backend(run_id, settings) from error
    except BaseException:
        client.close()
        raise
    # The task that handed the run over ends it; this process only owes what it has buffered.
    atexit.register(client.close)
    atexit.register(run.flush)
    return run


def _other_backend(run_id: str, settings: Settings) -> InvalidInput:
    return InvalidInput(
        RUN_ID_VARIABLE,
        run_id,
        f"the task that handed this run over logs to another backend than this process, which sees "
        f"{settings.safe_database_url} and finds no such run there.",
        "Subprocesses do not see Airflow's connections: give them AIRFLOW_CONN_MLTRACK_DEFAULT, or "
        "MLTRACK_DATABASE_URL and MLTRACK_ARTIFACT_URI, in their environment.",
    )
