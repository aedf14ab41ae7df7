"""The thread that brings an attempt's metric points to the database, and its signs of life."""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

from airflow_mltrack.exceptions import Conflict, MltrackError, StoreError, StoreUnavailable
from airflow_mltrack.tracking.metric_buffer import MetricBuffer
from airflow_mltrack.tracking.spool import MAX_BYTES, Spool, SpoolOwner

if TYPE_CHECKING:
    from airflow_mltrack.entities.metrics import MetricBatch
    from airflow_mltrack.store.tracking_store import TrackingStore

logger = logging.getLogger(__name__)

BUFFER_POINTS = 500_000
"""Most points in memory (24 bytes each); a caller who is faster than the database waits then."""
WRITE_EVERY = 0.5
"""Seconds between two writes: at most what was logged in this time dies with a killed process."""
WRITE_POINTS = 50_000
"""Points that are written at once, and that make the writer start before its time."""
HEARTBEAT_EVERY = 15.0
"""Seconds between two signs of life of a running attempt."""
_LONGEST_PAUSE = 5.0
_EXIT_PATIENCE = 10.0


class MetricWriter:
    """Takes points at the speed of memory and writes them behind the caller's back.

    - Points are on disk in the database when :meth:`flush` returns, and at most half a second after
      they were logged otherwise.
    - While the database is away the points go to a spool file at once (so they survive this
      process), and from there to the database when it is back. Only when the spool may not grow
      any more, too, callers wait.
    - A point is never written twice: a batch keeps its number in every place.
    - An error that no retry cures ends the writing: it is raised by every later call.
    - A forked child gets a writer of its own, with nothing of the parent's points.

    :param store: the tracking database.
    :param owner: attempt that the points belong to, and its run.
    :param spool_directory: where points wait while the database is away.
    :param heartbeat: give signs of life from now on.
    """

    def __init__(
        self,
        store: TrackingStore,
        owner: SpoolOwner,
        spool_directory: Path,
        *,
        heartbeat: bool = True,
        buffer_points: int = BUFFER_POINTS,
        max_spool_bytes: int = MAX_BYTES,
    ) -> None:
        self._store, self._owner = store, owner
        self._spool_directory, self._max_spool_bytes = spool_directory, max_spool_bytes
        self._heartbeat = heartbeat
        self._buffer_points = buffer_points
        self._renew()
        if heartbeat:
            self._start()

    def log(
        self,
        key: str,
        value: SupportsFloat,
        step: SupportsIndex = 0,
        timestamp: SupportsIndex | None = None,
    ) -> None:
        """Add one point; see :meth:`airflow_mltrack.tracking.metric_buffer.MetricBuffer.add`."""
        if self._thread is None or self._pid != os.getpid():
            self._start()
        self._buffer.add(key, value, step, timestamp)

    def flush(self, patience: float) -> None:
        """Return when every point logged before this call is committed.

        :param patience: seconds to wait for the database.
        :raises StoreUnavailable: when it took longer; says where the points wait.
        :raises StoreError: when the database refused them.
        """
        if self._pid != os.getpid() or self._thread is None:
            return
        with self._state:
            self._wanted += 1
            ticket = self._wanted
            self._state.notify_all()
            self._state.wait_for(
                lambda: self._flushed >= ticket or self._failure is not None, patience
            )
            if self._failure is not None:
                raise self._failure
            if self._flushed < ticket:
                raise self._late(patience)

    def close(self, patience: float) -> None:
        """Flush, then stop the thread. Points that could not be written stay in the spool."""
        if self._pid != os.getpid():
            self._begin_in_child()
        if self._thread is None:
            self._refuse()
            return
        try:
            self.flush(patience)
        finally:
            self._refuse()
            self._stop()

    def _renew(self) -> None:
        """Begin with nothing; in a forked child, too, where the old locks may be held forever."""
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._exit_watch: Finalize | None = None
        self._state = threading.Condition(threading.Lock())
        self._buffer = MetricBuffer(
            self._owner.attempt_id,
            limit=self._buffer_points,
            hurry_at=min(WRITE_POINTS, self._buffer_points),
            hurry=self._hurry,
        )
        self._hurried = False
        self._stopping = False
        self._wanted = self._flushed = 0
        self._failure: MltrackError | None = None
        self._waiting: list[MetricBatch] = []
        self._spool: Spool | None = None
        self._trouble: StoreUnavailable | None = None
        self._pause = WRITE_EVERY
        self._next_try = self._next_heartbeat = 0.0

    def _start(self) -> None:
        if self._pid != os.getpid():
            self._begin_in_child()
        with self._state:
            if self._thread is None:
                name = f"mltrack-metrics-{self._owner.attempt_id}"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
                self._watch_exit()

    def _watch_exit(self) -> None:
        atexit.register(self._at_exit)
        if multiprocessing.parent_process() is not None:  # those leave without atexit's functions
            self._exit_watch = Finalize(None, self._at_exit, exitpriority=0)

    def _begin_in_child(self) -> None:
        self._leave()  # the parent's spool is open here, too
        self._renew()

    def _refuse(self) -> None:
        self._buffer.close(ended_here(self._owner.run_id))

    def _stop(self) -> None:
        with self._state:
            self._stopping = True
            self._state.notify_all()
        if self._thread is not None:
            self._thread.join()
        atexit.unregister(self._at_exit)
        if self._exit_watch is not None:
            self._exit_watch.cancel()

    def _at_exit(self) -> None:
        """Write the points of a run that nobody ended."""
        try:
            self.close(_EXIT_PATIENCE)
        except MltrackError:
            logger.exception("Metric points of run %s were not written.", self._owner.run_id)

    def _hurry(self) -> None:
        with self._state:
            self._hurried = True
            self._state.notify_all()

    def _run(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(self._is_asked, WRITE_EVERY)
                self._hurried = False
                ticket, stopping = self._wanted, self._stopping
            try:
                self._cycle(ticket)
            except Exception as error:  # noqa: BLE001 - whatever it is, callers must learn of it
                self._fail(error)
            if stopping or self._failure is not None:
                self._leave()
                return

    def _is_asked(self) -> bool:
        flush = self._trouble is None and self._wanted > self._flushed
        return flush or self._hurried or self._stopping

    def _cycle(self, ticket: int) -> None:
        """Write what there is; while the database is away, bring it to safety instead."""
        if time.monotonic() >= self._next_try:
            try:
                self._deliver()
                self._beat()
            except StoreUnavailable as error:
                self._note_trouble(error)
            else:
                self._note_success(ticket)
                return
        self._shelve()

    def _deliver(self) -> None:
        """Write what waits from before, then what has come since."""
        self._write_waiting()
        while self._spool is not None:
            part = list(self._spool.read(WRITE_POINTS))
            if part:
                self._write([batch for batch, _ in part])
                self._spool.mark_delivered(part[-1][1])
            else:
                self._spool.remove()
                self._spool = None
        self._waiting = self._buffer.take()
        self._write_waiting()

    def _write_waiting(self) -> None:
        if self._waiting:
            self._write(self._waiting)
            self._waiting = []

    def _write(self, batches: Sequence[MetricBatch]) -> None:
        with self._store.transaction() as tx:
            tx.metrics.log(batches)

    def _beat(self) -> None:
        if self._heartbeat and time.monotonic() >= self._next_heartbeat:
            with self._store.transaction() as tx:
                tx.runs.heartbeat(self._owner.attempt_id)
            self._next_heartbeat = time.monotonic() + HEARTBEAT_EVERY

    def _note_trouble(self, error: StoreUnavailable) -> None:
        if self._trouble is None:
            logger.warning("Metric points wait, the run goes on. %s", error)
        self._trouble = error
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _note_success(self, ticket: int) -> None:
        if self._trouble is not None:
            logger.info("The tracking database is back; waiting metric points were written.")
        self._trouble, self._pause, self._next_try = None, WRITE_EVERY, 0.0
        with self._state:
            self._flushed = max(self._flushed, ticket)
            self._state.notify_all()

    def _shelve(self) -> None:
        """Bring points into the spool; where that is impossible they wait in memory."""
        self._waiting = self._waiting or self._buffer.take()
        if not self._waiting:
            return
        try:
            if self._spool is None:
                self._spool = Spool.create(
                    self._spool_directory, self._owner, max_bytes=self._max_spool_bytes
                )
            if self._spool.append(self._waiting):
                self._waiting = []
        except OSError as error:
            logger.warning("The metric spool %s: %s", self._spool_directory, error)

    def _fail(self, error: Exception) -> None:
        failure = error
        if not isinstance(failure, MltrackError):
            failure = StoreError(f"Metric points cannot be written: {type(error).__name__}.")
            failure.__cause__ = error
        logger.error("Metric points of run %s: %s", self._owner.run_id, failure)
        self._buffer.close(failure)
        with self._state:
            self._failure = failure
            self._state.notify_all()

    def _leave(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _late(self, patience: float) -> StoreUnavailable:
        reason = self._trouble.reason if self._trouble else "it does not answer in time."
        where = (
            f"waiting metric points are safe in {self._spool.path}, the next client that uses this "
            "spool directory delivers them."
            if self._spool is not None and not self._waiting
            else "metric points wait in memory."
        )
        return StoreUnavailable(self._store.address, f"{reason} After {patience:g} seconds {where}")


def ended_here(run_id: str) -> Conflict:
    """Build the error of logging to a run that this process has ended or left."""
    return Conflict(
        "run",
        run_id,
        "it has ended here, nothing more can be logged.",
        "Log inside the with block, or start another run.",
    )
