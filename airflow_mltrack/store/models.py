"""Logged models: the packages that runs produce."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.models import LoggedModel, LoggedModelStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.attempts import storable_error
from airflow_mltrack.store.tables import attempts, experiments, logged_models, runs

_NAME_LIMIT = 500
_FORBIDDEN = "/:.%\"'"


class Models:
    """Logged models. A package that is READY never changes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        *,
        experiment_id: int,
        name: str,
        run_id: str | None = None,
        attempt_id: int | None = None,
        model_type: str = "",
        model_id: str | None = None,
    ) -> LoggedModel:
        """Announce a package whose bytes are still to come (PENDING).

        :param name: 1 to 500 characters without ``/ : . % " '``; not unique.
        :param run_id: the run that logs it.
        :param attempt_id: the attempt of that run.
        :param model_type: format of the package, for example ``skops``.
        :param model_id: None makes one, ``m-`` and 32 hexadecimal characters.
        :raises NotFound: when the experiment, the run or the attempt does not exist.
        :raises Conflict: when the ``model_id`` is taken.
        """
        check_model_name(name)
        model_id = model_id or f"m-{uuid.uuid4().hex}"
        root = self._experiment_root(experiment_id)
        run, attempt = self._owner(run_id, attempt_id)
        if self._find(model_id) is not None:
            raise Conflict("logged model", model_id, "the id is taken.")
        self._connection.execute(
            insert(logged_models).values(
                model_id=model_id,
                experiment_id=experiment_id,
                name=name,
                status=LoggedModelStatus.PENDING.value,
                run=run,
                attempt=attempt,
                artifact_root=f"{root}/models/{model_id}/artifacts",
                model_type=model_type,
            )
        )
        return self.get(model_id)

    def finalize(
        self, model_id: str, *, digest: str, size: int, manifest: Mapping[str, object]
    ) -> LoggedModel:
        """Declare that all bytes are there (READY). Repeating it with the same digest is a no-op.

        :param digest: sha256 of the package.
        :param size: bytes of all files.
        :raises Conflict: when the model failed, or is ready with another digest.
        """
        found = self._locked(model_id)
        if found.status is LoggedModelStatus.READY and found.digest == digest:
            return found
        if found.status is not LoggedModelStatus.PENDING:
            raise Conflict(
                "logged model",
                model_id,
                f"it is {found.status.value} with digest {found.digest} and cannot become READY "
                f"with digest {digest}.",
                "A package never changes; log a new model.",
            )
        self._update(
            model_id,
            status=LoggedModelStatus.READY.value,
            digest=digest,
            size=size,
            manifest=dict(manifest),
        )
        return self.get(model_id)

    def fail(self, model_id: str, reason: str) -> LoggedModel:
        """Declare that the package will never be complete.

        :raises Conflict: when it is ready.
        """
        found = self._locked(model_id)
        if found.status is LoggedModelStatus.READY:
            raise Conflict("logged model", model_id, "it is READY and cannot fail any more.")
        if found.status is LoggedModelStatus.PENDING:
            self._update(
                model_id,
                status=LoggedModelStatus.FAILED.value,
                status_message=storable_error(reason),
            )
        return self.get(model_id)

    def get(self, model_id: str) -> LoggedModel:
        """Return a logged model.

        :raises NotFound: when there is none.
        """
        found = self._find(model_id)
        if found is None:
            raise NotFound(
                "logged model", model_id, "A run names its models: mltrack runs show RUN_ID"
            )
        return found

    def list(
        self,
        *,
        run_id: str | None = None,
        experiment_id: int | None = None,
        name: str | None = None,
        status: LoggedModelStatus | None = None,
    ) -> list[LoggedModel]:
        """Return the logged models of a run or of an experiment, newest first."""
        if run_id is None and experiment_id is None:
            raise InvalidInput("logged model list", None, "give a run_id or an experiment_id.")
        query = _query().order_by(logged_models.c.id.desc())
        if run_id is not None:
            query = query.where(runs.c.run_id == run_id)
        if experiment_id is not None:
            query = query.where(logged_models.c.experiment_id == experiment_id)
        if name is not None:
            query = query.where(logged_models.c.name == name)
        if status is not None:
            query = query.where(logged_models.c.status == status.value)
        return [_entity(row) for row in self._connection.execute(query)]

    def _experiment_root(self, experiment_id: int) -> str:
        query = select(experiments.c.artifact_root).where(experiments.c.id == experiment_id)
        root: str | None = self._connection.scalar(query)
        if root is None:
            raise NotFound("experiment", experiment_id)
        return root

    def _owner(self, run_id: str | None, attempt_id: int | None) -> tuple[int | None, int | None]:
        """Return the numbers of the run and of its attempt."""
        if run_id is None:
            if attempt_id is not None:
                raise InvalidInput("attempt_id", attempt_id, "it needs the run_id of its run.")
            return None, None
        run = self._connection.scalar(select(runs.c.id).where(runs.c.run_id == run_id))
        if run is None:
            raise NotFound("run", run_id)
        if attempt_id is not None:
            of_run = select(attempts.c.id).where(attempts.c.id == attempt_id, attempts.c.run == run)
            if self._connection.scalar(of_run) is None:
                raise NotFound("attempt", attempt_id, f"Run {run_id} has no such attempt.")
        return run, attempt_id

    def _find(self, model_id: str) -> LoggedModel | None:
        row = self._connection.execute(_query().where(logged_models.c.model_id == model_id)).first()
        return None if row is None else _entity(row)

    def _locked(self, model_id: str) -> LoggedModel:
        """Return the model after locking its row: two writers finish it one after the other."""
        key = logged_models.c.model_id == model_id
        self._connection.execute(select(logged_models.c.id).where(key).with_for_update())
        return self.get(model_id)

    def _update(self, model_id: str, **values: object) -> None:
        self._connection.execute(
            update(logged_models)
            .where(logged_models.c.model_id == model_id)
            .values(**values, updated_at=func.clock_timestamp())
        )


def check_model_name(name: str) -> None:
    """Refuse a logged model's name that could not stand in a URI.

    :raises InvalidInput: when it is empty, too long, or holds a forbidden character.
    """
    if (
        not 1 <= len(name) <= _NAME_LIMIT
        or not name.isprintable()
        or any(mark in name for mark in _FORBIDDEN)
    ):
        raise InvalidInput(
            "logged model name",
            name,
            f"it has 1 to {_NAME_LIMIT} printable characters and none of / : . % \" '",
        )


def _query() -> Select[tuple[object, ...]]:
    return select(logged_models, runs.c.run_id).select_from(
        logged_models.outerjoin(runs, logged_models.c.run == runs.c.id)
    )


def _entity(row: Row[tuple[object, ...]]) -> LoggedModel:
    return LoggedModel(
        model_id=row.model_id,
        experiment_id=row.experiment_id,
        name=row.name,
        status=LoggedModelStatus(row.status),
        artifact_root=row.artifact_root,
        created_at=row.created_at,
        updated_at=row.updated_at,
        run_id=row.run_id,
        attempt_id=row.attempt,
        status_message=row.status_message,
        digest=row.digest,
        model_type=row.model_type,
        size=row.size,
        manifest=row.manifest,
    )
