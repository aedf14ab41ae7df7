"""The client: one tracking backend, its records and its bytes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from airflow_mltrack.artifacts.opening import open_artifact_store
from airflow_mltrack.exceptions import Conflict, InvalidInput, MltrackError, StoreUnavailable
from airflow_mltrack.store.tracking_store import TrackingStore
from airflow_mltrack.tracking.active_run import ActiveRun
from airflow_mltrack.tracking.source import current_user, source_tags
from airflow_mltrack.tracking.spool_delivery import deliver_spools, left_spools

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.runs import Attempt, Run, RunData, RunIdentity
    from airflow_mltrack.entities.search import RunPage
    from airflow_mltrack.settings import Settings
    from airflow_mltrack.store.tracking_store import Transaction

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds that a run waits for a database that has gone away, before a call fails."""
_LONGEST_PAUSE = 5.0


class TrackingClient:
    """Records and bytes of one :class:`~airflow_mltrack.settings.Settings`.

    Nothing is reached before it is needed. Safe to share between threads, and usable after a fork.

    :param settings: where records and bytes live.
    :param pool_size: database connections to keep open; see
        :class:`~airflow_mltrack.store.tracking_store.TrackingStore`.
    :param patience: seconds that open runs wait for a database that has gone away. Starting a run
        does not wait.
    """

    def __init__(
        self, settings: Settings, *, pool_size: int = 0, patience: float = PATIENCE
    ) -> None:
        self.settings = settings
        self.patience = patience
        self.store = TrackingStore(settings, pool_size=pool_size)
        self._open_runs: set[ActiveRun] = set()
        self._looked_for_spools = False

    @cached_property
    def artifact_store(self) -> ArtifactStore:
        """Where the bytes are."""
        return open_artifact_store(self.settings)

    def start_run(
        self,
        name: str | None = None,
        *,
        experiment: str | int = "Default",
        identity: RunIdentity | None = None,
        parent: str | ActiveRun | None = None,
        tags: Mapping[str, str] | None = None,
        user: str | None = None,
        heartbeat: bool = True,
        patience: float = 0.0,
    ) -> ActiveRun:
        """Start a run, or the next attempt of one.

        Use it in a ``with`` statement, or call :meth:`ActiveRun.end`.

        :param name: None makes one up, such as ``brave-otter-41``.
        :param experiment: name (made when it does not exist) or number.
        :param identity: what makes two starts the same run; see
            :meth:`airflow_mltrack.store.runs.Runs.open`. None always starts a new run.
        :param parent: run, or id of the run, that this one is a child of.
        :param tags: tags beside those about the source; runs with a parent have no source tags.
        :param user: None means the user of this process.
        :param heartbeat: give signs of life in the background, so that the reaper sees it live.
        :param patience: seconds to wait for a database that is away; needs an identity.
        :raises StoreUnavailable: a retry may help.
        :raises InvalidInput: a run without identity cannot be started again and again: the answer
            to a start that succeeded may have been lost, and there would be two.
        :raises Conflict: when the attempt of this identity has ended already.
        """
        who = current_user() if user is None else user
        parent_id = parent.run_id if isinstance(parent, ActiveRun) else parent
        all_tags = ({} if parent_id else source_tags(who)) | dict(tags or {})
        if patience and identity is None:
            raise InvalidInput("patience", patience, "it is 0 for a run without identity.")

        def start(tx: Transaction) -> tuple[Run, Attempt]:
            return tx.runs.open(
                experiment_id=_experiment_id(tx, experiment),
                name=name,
                user=who,
                parent_run_id=parent_id,
                identity=identity,
                tags=all_tags,
            )

        run, attempt = self.transact(start, patience=patience)
        if attempt.status.is_terminal:
            raise _ended(run.run_id, attempt.number, attempt.status.value, attempt.error)
        self._deliver_left_spools()
        return self._opened(ActiveRun(self, run, attempt, heartbeat=heartbeat))

    def resume(self, run_id: str, *, heartbeat: bool = True) -> ActiveRun:
        """Go on logging to a run that is open, for example in another process.

        :raises NotFound: when there is no such run.
        :raises Conflict: when it has ended.
        """
        with self.store.transaction() as tx:
            run = tx.runs.get(run_id)
            attempt = tx.runs.attempt(run.attempt_id)
        if attempt.status.is_terminal:
            raise _ended(run_id, attempt.number, attempt.status.value, attempt.error)
        return self._opened(ActiveRun(self, run, attempt, heartbeat=heartbeat))

    def run(self, run_id: str) -> RunData:
        """Return a run with the params, metrics and tags of its latest attempt.

        :raises NotFound: when there is no such run.
        """
        with self.store.transaction() as tx:
            return tx.runs.data(run_id)

    def search_runs(
        self,
        *,
        experiments: Sequence[str | int] = ("Default",),
        filter: str = "",  # noqa: A002 - the name that MLflow's users look for
        order_by: Sequence[str] = (),
        max_results: int = 50,
        page_token: str | None = None,
        view: str = "active",
        parent_run_id: str | None = None,
    ) -> RunPage:
        """Search runs; see :meth:`airflow_mltrack.store.search.Search.runs`.

        :param experiments: names or numbers.
        :raises NotFound: when an experiment does not exist.
        :raises InvalidFilter: says at which character and what was expected.
        """
        with self.store.transaction() as tx:
            ids = [
                tx.experiments.get_by_name(item).experiment_id if isinstance(item, str) else item
                for item in experiments
            ]
            return tx.search.runs(
                experiment_ids=ids,
                filter=filter,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
                view=view,
                parent_run_id=parent_run_id,
            )

    def transact(self, work: Callable[[Transaction], T], *, patience: float | None = None) -> T:
        """Do ``work`` in a transaction, again and again while the database is away.

        :param work: must be right to do twice: the answer to a commit may be lost.
        :param patience: seconds; None means the client's.
        :raises StoreUnavailable: when the database did not come back in time.
        """
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        pause = 0.2
        while True:
            try:
                with self.store.transaction() as tx:
                    return work(tx)
            except StoreUnavailable as error:  # noqa: PERF203 - the loop is there for the error
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                logger.warning("%s Trying again for %.0f seconds.", error, left)
                time.sleep(min(pause, left))
                pause = min(2 * pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Write what open runs have buffered, and give connections back. Runs are not ended.

        The client can still be used, its open runs cannot.
        """
        with ExitStack() as steps:  # every step is taken, whatever the others raise
            if "artifact_store" in self.__dict__:
                steps.callback(self.artifact_store.close)
            steps.callback(self.store.close)
            steps.callback(self._open_runs.clear)
            for run in list(self._open_runs):
                steps.callback(run.leave)

    def forget(self, run: ActiveRun) -> None:
        """Do not flush ``run`` at :meth:`close` any more; a run says so itself when it ends."""
        self._open_runs.discard(run)

    def __enter__(self) -> TrackingClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self, run: ActiveRun) -> ActiveRun:
        self._open_runs.add(run)
        return run

    def _deliver_left_spools(self) -> None:
        """Once for each client: deliver what dead processes left, behind the caller's back."""
        if self._looked_for_spools:
            return
        self._looked_for_spools = True
        if left_spools(self.settings):
            threading.Thread(
                target=self._deliver_quietly, name="mltrack-spools", daemon=True
            ).start()

    def _deliver_quietly(self) -> None:
        try:
            done = deliver_spools(self.settings, self.store)
        except (MltrackError, OSError):
            logger.exception("Waiting metric points were not delivered. Try: mltrack doctor")
        else:
            if done.points:
                logger.info("Delivered %d metric points of runs that had died.", done.points)


def _experiment_id(tx: Transaction, experiment: str | int) -> int:
    if isinstance(experiment, int):
        return experiment
    return tx.experiments.ensure(experiment).experiment_id


def _ended(run_id: str, number: int, status: str, error: str | None) -> Conflict:
    reason = f"its attempt {number} has ended as {status}" + (f" ({error})" if error else "")
    return Conflict("run", run_id, f"{reason}.", "Start another run, or a new attempt of it.")
