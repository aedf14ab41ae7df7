"""One request of MLflow's protocol: who is calling, and what was sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.web.mlflow.errors import DENIED, MISSING, MlflowError, invalid

if TYPE_CHECKING:
    from fastapi import Request, Response

    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient
    from airflow_mltrack.web.access import Reader
    from airflow_mltrack.web.announcing import Announce
    from airflow_mltrack.web.mlflow.fields import Fields, Shape

DETAILS = {"door": "mlflow"}
"""Goes into the history: through which door a decision came."""


class Needs(str, Enum):
    """What a caller must be allowed to do."""

    READ = "read"
    WRITE = "write"
    """Log: runs, metrics, files, models."""
    PROMOTE = "promote"
    """Change what is live, and the rules for it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, past its guard."""

    client: TrackingClient
    reader: Reader
    announce: Announce
    fields: Fields
    """What was sent, by name; what was not sent is missing."""
    connection: str = ""
    """Host and port that the request came from; empty where that is not known."""

    @property
    def actor(self) -> str:
        """Who is calling."""
        return self.reader.name

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default where it was not sent."""
        return self.fields.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    @property
    def run_id(self) -> str:
        """The run that the request names; clients send one id under two names.

        :raises MlflowError: when it names none.
        """
        found = self.get("run_id") or self.get("run_uuid")
        if not found:
            raise invalid("Missing value for required parameter 'run_id'.")
        return str(found)

    @property
    def digest(self) -> str:
        """What tells equal requests of one caller for one thing apart from all others."""
        told = json.dumps([self.actor, self.fields], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def active_run(self, tx: Transaction) -> Run:
        """Return the run that the request wants to log to.

        :raises MlflowError: when there is none, it was deleted, or it may not be written.
        """
        run = self.writable_run(tx, self.run_id)
        if run.lifecycle is Lifecycle.DELETED:
            raise invalid(
                f"The run {run.run_id} must be in the 'active' state. Current state is deleted."
            )
        return run

    def visible_run(self, tx: Transaction, run_id: str) -> Run:
        """Return a run that the caller may see.

        :raises MlflowError: when there is none; one that may not be seen is not told apart.
        """
        run = _known(tx, run_id)
        if run is None or not self.may_see(run):
            raise MlflowError(MISSING, f"Run with id={run_id} not found.")
        return run

    def may_see(self, run: Run) -> bool:
        """Say whether the caller may see a run."""
        return run.dag_id is None or bool(self.reader.readable_dags([run.dag_id]))

    def writable_run(self, tx: Transaction, run_id: str) -> Run:
        """Return a run that the caller may log to.

        One that was set aside, because the request that made it came again, is brought back.

        :raises MlflowError: when there is none that may be seen, or it may only be read.
        """
        run = self.visible_run(tx, run_id)
        if run.dag_id is not None and not self.reader.writable_dags([run.dag_id]):
            raise MlflowError(
                DENIED, f"Run {run_id} is of Dag {run.dag_id}, which you may not edit."
            )
        if run.lifecycle is Lifecycle.DELETED and tx.create_requests.bring_back(run_id):
            return tx.runs.get(run_id)
        return run

    def readable_dags(self, tx: Transaction) -> set[str]:
        """Return the Dags whose runs the caller may see."""
        return self.reader.readable_dags(tx.runs.dag_ids())


Answer: TypeAlias = "Mapping[str, Any] | Response"
Handler: TypeAlias = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: where it is, what it reads, who may call it, and what does the work."""

    method: str
    path: str
    """Below ``/api/2.0``, for example ``/mlflow/runs/create``; fields in braces are read, too."""
    handler: Handler
    shape: Shape
    needs: Needs = Needs.READ
    by_query: bool = False
    """Whether fields come in the query string, as with GET."""
    undo: Callable[[Call, Answer], None] | None = None
    """Takes back what was made, when the caller was gone before the answer: he will ask again."""
    slow: bool = False
    """Whether it reads or writes large files; it then waits for a thread among the transfers."""


def open_call(request: Request, fields: Fields | None = None) -> Call:
    """Collect what the guard has left; without a guard there is no reader and no call."""
    state = request.app.state
    sender = request.client
    return Call(
        client=state.get_client(),
        reader=request.state.reader,
        announce=state.announce,
        fields=fields or {},
        connection=f"{sender.host}:{sender.port}" if sender else "",
    )


def get(path: str, handler: Handler, shape: Shape, needs: Needs = Needs.READ) -> Route:
    """Return a route that reads its query string."""
    return Route("GET", path, handler, shape, needs, by_query=True)


def post(
    path: str,
    handler: Handler,
    shape: Shape,
    needs: Needs = Needs.WRITE,
    *,
    undo: Callable[[Call, Answer], None] | None = None,
) -> Route:
    """Return a route that reads a body."""
    return Route("POST", path, handler, shape, needs, undo=undo)


def _known(tx: Transaction, run_id: str) -> Run | None:
    try:
        return tx.runs.get(run_id)
    except NotFound:
        return None
