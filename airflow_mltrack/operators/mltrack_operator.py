"""What every operator of this package does the same way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mltrack.hooks.kill_signal import Stoppable
from airflow_mltrack.hooks.task_errors import task_errors
from airflow_mltrack.hooks.xcom import plain

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mltrack.hooks.mltrack import MltrackHook


class MltrackOperator(Stoppable, BaseOperator):
    """Runs one verb of the life cycle with the client of an Airflow connection.

    Errors end the task or let Airflow retry it as :mod:`airflow_mltrack.hooks.task_errors` says.
    What :meth:`perform` returns goes to XCom as plain data.

    :param mltrack_conn_id: Airflow connection of type ``mltrack`` (templated); None means the one
        that ``[mltrack] conn_id`` names.
    """

    template_fields: Sequence[str] = ("mltrack_conn_id",)
    ui_color: str = "#e8f1f2"
    pool_size: int = 0
    """Database connections that the task keeps open; 0 opens one for each transaction."""

    def __init__(self, *, mltrack_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mltrack_conn_id = mltrack_conn_id

    def execute(self, context: Context) -> Any:
        """Do the work; Airflow calls this in the worker."""
        return self.with_hook(lambda hook: self.perform(hook, context))

    def with_hook(self, work: Callable[[MltrackHook], object]) -> Any:
        """Do work with a hook of its own; what it returns becomes plain data."""
        from airflow_mltrack.hooks.mltrack import MltrackHook

        hook = MltrackHook(self.mltrack_conn_id, pool_size=self.pool_size)
        with self.stoppable(), task_errors(), hook:
            return plain(work(hook))

    @abstractmethod
    def perform(self, hook: MltrackHook, context: Context) -> object:
        """Do the verb and return what downstream tasks need: ids, URIs, numbers."""
