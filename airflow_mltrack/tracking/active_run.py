"""A run that is being recorded."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat, SupportsIndex

from airflow_mltrack.artifacts.artifact_key import join
from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import InvalidInput, MltrackError, StoreUnavailable
from airflow_mltrack.model_package.code_version import capture_code_version
from airflow_mltrack.tracking import rendering
from airflow_mltrack.tracking.metric_writer import MetricWriter, ended_here
from airflow_mltrack.tracking.run_artifacts import (
    FileOwner,
    Upload,
    bytes_upload,
    directory_uploads,
    file_upload,
    find_file,
    new_root,
    store_uploads,
)
from airflow_mltrack.tracking.spool import SpoolOwner, spool_directory

if TYPE_CHECKING:
    import os
    from types import TracebackType

    import pandas as pd

    from airflow_mltrack.entities.models import LoggedModel
    from airflow_mltrack.entities.runs import Attempt, Run, RunIdentity
    from airflow_mltrack.model_package.code_version import CodeVersion
    from airflow_mltrack.model_package.signature import Signature
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

logger = logging.getLogger(__name__)


class HasRecord(Protocol):
    """Something that describes itself as a data set, for example a loaded one."""

    @property
    def record(self) -> DatasetRecord:
        """The description."""
        ...


class ActiveRun:
    """One attempt of a run, open for logging. Made by :meth:`TrackingClient.start_run`.

    As a context manager it ends with its block: FINISHED; FAILED with the error's last line after
    an exception; KILLED after KeyboardInterrupt and SystemExit. The exception goes on.

    Safe to share between threads. Metrics are buffered (see
    :class:`~airflow_mltrack.tracking.metric_writer.MetricWriter`), everything else is in the
    database when the call returns. While the database is away calls wait for it, as long as the
    client's ``patience``.
    """

    def __init__(
        self, client: TrackingClient, run: Run, attempt: Attempt, *, heartbeat: bool = True
    ) -> None:
        self.client = client
        self.info = run
        """The run as it was when it was opened."""
        self.attempt_id = attempt.attempt_id
        self.attempt_number = attempt.number
        self.capture_code: Callable[[], CodeVersion] = capture_code_version
        """Finds the code of a logged model; whoever knows its place better replaces it."""
        self._files = FileOwner(attempt_id=attempt.attempt_id)
        self._ended: RunStatus | None = None
        self._table_lock = threading.Lock()
        self._metrics = MetricWriter(
            client.store,
            SpoolOwner(run.run_id, attempt.attempt_id),
            spool_directory(client.settings),
            heartbeat=heartbeat,
        )

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.info.run_id

    @property
    def name(self) -> str:
        """The run's name."""
        return self.info.name

    @property
    def experiment_id(self) -> int:
        """The experiment's number."""
        return self.info.experiment_id

    @property
    def artifact_root(self) -> str:
        """Key prefix of this attempt's artifacts."""
        return self.info.artifact_root

    def __repr__(self) -> str:
        return f"ActiveRun({self.run_id!r}, name={self.name!r}, attempt={self.attempt_number})"

    def log_param(self, key: str, value: object) -> None:
        """Log one param; see :meth:`log_params`."""
        self.log_params({key: value})

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log params. Inside one attempt a param never changes.

        :param params: values are stored as their ``str()``: ``True``, ``None``, ``0.1``.
        :raises Conflict: when a param has another value already; nothing is written.
        :raises InvalidInput: when a key or value breaks a rule; nothing is written.
        """
        texts = {key: str(value) for key, value in params.items()}
        self._transact(lambda tx: tx.runs.log_params(self.attempt_id, texts))

    def log_metric(
        self,
        key: str,
        value: SupportsFloat,
        step: SupportsIndex = 0,
        timestamp: SupportsIndex | None = None,
    ) -> None:
        """Log one point of a metric; returns after microseconds, :meth:`flush` makes it durable.

        :param value: a number: int, float (also NaN and the infinities), bool, numpy scalar.
        :param step: 64-bit integer.
        :param timestamp: milliseconds since 1970-01-01 UTC; None means now.
        :raises InvalidInput: when key, value, step or timestamp cannot be stored.
        :raises Conflict: when the run has ended.
        :raises StoreError: when the database refused earlier points.
        """
        self._metrics.log(key, value, step, timestamp)

    def log_metrics(
        self,
        metrics: Mapping[str, SupportsFloat],
        step: SupportsIndex = 0,
        timestamp: SupportsIndex | None = None,
    ) -> None:
        """Log one point of several metrics at the same step; see :meth:`log_metric`."""
        for key, value in metrics.items():
            self._metrics.log(key, value, step, timestamp)

    def set_tag(self, key: str, value: object) -> None:
        """Set one tag of the run; see :meth:`set_tags`."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags of the run; a tag that exists gets the new value.

        :param tags: values are stored as their ``str()``.
        """
        texts = {key: str(value) for key, value in tags.items()}
        self._transact(lambda tx: tx.runs.set_tags(self.run_id, texts))

    def log_input(
        self,
        dataset: DatasetRecord | HasRecord,
        context: str = "",
        *,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Note that this attempt read a data set.

        :param dataset: a record, or anything with one as ``record``.
        :param context: what it was for, for example ``training``.
        """
        record = dataset if isinstance(dataset, DatasetRecord) else dataset.record
        source = LineageNode("dataset", f"{record.name}@{record.digest}")
        edge = LineageEdge(source, LineageNode("run", self.run_id), "read")

        def work(tx: Transaction) -> None:
            tx.inputs.log(self.attempt_id, [RunInput(record, context, dict(tags or {}))])
            tx.lineage.add([edge])

        self._transact(work)

    def log_artifact(
        self, local_path: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Store a file, or a directory with everything in it, under its own name.

        :param artifact_path: directory of the run to put it in.
        """
        local = Path(local_path)
        under = join(artifact_path or "", local.name)
        if local.is_dir():
            self._store(directory_uploads(local, under))
        else:
            self._store([file_upload(under, local)])

    def log_artifacts(
        self, local_dir: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Store every file below a directory; the rows appear all at once.

        :param artifact_path: directory of the run to put them in.
        """
        self._store(directory_uploads(local_dir, artifact_path))

    def log_bytes(
        self, data: bytes, artifact_file: str, *, content_type: str | None = None
    ) -> None:
        """Store bytes.

        :param artifact_file: path in the run.
        :param content_type: None guesses from the extension.
        """
        self._store([bytes_upload(artifact_file, data, content_type=content_type)])

    def log_text(self, text: str, artifact_file: str) -> None:
        """Store text in UTF-8."""
        self.log_bytes(text.encode(), artifact_file)

    def log_dict(self, dictionary: Mapping[str, Any] | Sequence[Any], artifact_file: str) -> None:
        """Store data as JSON, or as YAML when the path ends in ``.yaml`` or ``.yml``."""
        self.log_bytes(rendering.render_dict(dictionary, artifact_file), artifact_file)

    def log_figure(self, figure: object, artifact_file: str) -> None:
        """Store a matplotlib figure as ``.png``, ``.svg``, ``.pdf``, ``.jpg`` or ``.webp``."""
        self.log_bytes(rendering.render_figure(figure, artifact_file), artifact_file)

    def log_table(self, data: Mapping[str, Any] | pd.DataFrame, artifact_file: str) -> None:
        """Append rows to a table; the first call makes it.

        The file is read and written whole: it is for hundreds of rows, not for millions.
        Processes that append to one table of one run at the same time overwrite each other.

        :param data: a data frame, or a mapping of column to values.
        :param artifact_file: ends in ``.json`` (MLflow's form) or ``.parquet``.
        """
        rendering.check_table_path(artifact_file)
        frame = rendering.table_frame(data)
        with self._table_lock:
            old = find_file(self.client, artifact_file, self._files)
            if old is not None:
                before = self.client.artifact_store.read_bytes(old.key, sha256=old.sha256)
                frame = rendering.append_rows(rendering.read_table(before, artifact_file), frame)
            self.log_bytes(rendering.render_table(frame, artifact_file), artifact_file)

    def log_model(
        self,
        model: object,
        name: str,
        *,
        example: pd.DataFrame | None = None,
        training_data: pd.DataFrame | None = None,
        format: str | None = None,  # noqa: A002 - the package's word for it
        signature: Signature | None = None,
        code: CodeVersion | None = None,
        seeds: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
        trusted_types: Sequence[str] = (),
    ) -> LoggedModel:
        """Package a model and store it as a logged model of this run.

        The arguments are those of :func:`airflow_mltrack.model_package.writer.write_package`.

        :param name: name of the logged model, without ``/ : . % " '``; need not be unique.
        :param code: None captures commit and uncommitted diff of the working directory.
        :param trusted_types: types that may be in the package, beside the settings' own.
        :return: the model, READY; its URI is ``models:/<model_id>``.
        :raises ModelPackageError: when the model cannot be packaged.
        """
        from airflow_mltrack.tracking.model_logging import log_model

        self._check_open()
        return log_model(
            self,
            model,
            name,
            example=example,
            training_data=training_data,
            format=format,
            signature=signature,
            code=code,
            seeds=seeds,
            metadata=metadata,
            trusted_types=trusted_types,
        )

    def child(
        self,
        name: str | None = None,
        *,
        identity: RunIdentity | None = None,
        tags: Mapping[str, str] | None = None,
        heartbeat: bool = True,
    ) -> ActiveRun:
        """Start a run below this one, in the same experiment."""
        self._check_open()
        return self.client.start_run(
            name,
            experiment=self.experiment_id,
            identity=identity,
            parent=self,
            tags=tags,
            user=self.info.user,
            heartbeat=heartbeat,
        )

    def flush(self, patience: float | None = None) -> None:
        """Return when every metric point logged before is in the database.

        :param patience: seconds to wait for the database; None means the client's.
        :raises StoreUnavailable: when it took longer; the points are safe in the spool it names.
        :raises StoreError: when the database refused them.
        """
        self._metrics.flush(self.client.patience if patience is None else patience)

    def end(self, status: RunStatus = RunStatus.FINISHED, *, error: str | None = None) -> None:
        """Flush, and close the attempt; a second call does nothing.

        When points were refused by the database the attempt is closed as FAILED.

        :param status: FINISHED, FAILED or KILLED.
        :param error: what went wrong, one line.
        :raises StoreUnavailable: when the database did not come back in time. The points are in the
            spool, the attempt stays RUNNING until the reaper finds it silent.
        :raises StoreError: when the database refused points.
        :raises Conflict: when somebody else has closed the attempt with another status.
        """
        if not status.is_terminal:
            raise InvalidInput("status", status.value, "it is FINISHED, FAILED or KILLED.")
        if self._ended is not None:
            return
        self._ended = status
        self.client.forget(self)
        try:
            self._metrics.close(self.client.patience)
        except StoreUnavailable:
            raise
        except MltrackError as refused:
            self._close(RunStatus.FAILED, error or f"{type(refused).__name__}: {refused}")
            raise
        self._close(status, error)

    def leave(self) -> None:
        """Flush and stop logging here, without ending the run: another process goes on with it."""
        if self._ended is None:
            self._ended = RunStatus.RUNNING
            self.client.forget(self)
            self._metrics.close(self.client.patience)

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.end()
            return
        killed = isinstance(error, (KeyboardInterrupt, SystemExit))
        status = RunStatus.KILLED if killed else RunStatus.FAILED
        try:
            self.end(status, error=_last_line(error))
        except MltrackError:
            # The block's own exception is what went wrong first; this one must not hide it.
            logger.exception("Run %s could not be closed.", self.run_id)

    def _close(self, status: RunStatus, error: str | None) -> None:
        self.client.transact(lambda tx: tx.runs.set_status(self.attempt_id, status, error=error))

    def _store(self, uploads: Sequence[Upload]) -> None:
        self._check_open()
        root = new_root(self.artifact_root)
        store_uploads(self.client, uploads, root=root, owner=self._files)

    def _transact(self, work: Callable[[Transaction], None]) -> None:
        self._check_open()
        self.client.transact(work)

    def _check_open(self) -> None:
        if self._ended is not None:
            raise ended_here(self.run_id)


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(type(error), error)[-1].strip()
