"""Logged models: the packages that runs produce."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Row, Select, func, insert, or_, select, update
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.models import (
    LoggedModel,
    LoggedModelData,
    LoggedModelMetric,
    LoggedModelPage,
    LoggedModelStatus,
)
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store import logged_model_data
from airflow_mltrack.store.attempts import storable_error
from airflow_mltrack.store.model_search import (
    MAX_RESULTS,
    Datasets,
    metric_rows,
    model_kind,
)
from airflow_mltrack.store.record_search import find_page
from airflow_mltrack.store.registry_tables import model_versions, registered_models
from airflow_mltrack.store.run_rows import among
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
        created_at: datetime | None = None,
    ) -> LoggedModel:
        """Announce a package whose bytes are still to come (PENDING).

        :param name: 1 to 500 characters without ``/ : . % " '``; not unique.
        :param run_id: the run that logs it.
        :param attempt_id: the attempt of that run.
        :param model_type: format of the package, for example ``skops``.
        :param model_id: None makes one, ``m-`` and 32 hexadecimal characters.
        :param created_at: when an imported one was made; None means now.
        :raises NotFound: when the experiment, the run or the attempt does not exist.
        :raises Conflict: when the ``model_id`` is taken.
        """
        check_model_name(name)
        model_id = model_id or f"m-{uuid.uuid4().hex}"
        root = self._experiment_root(experiment_id)
        run, attempt = self._owner(run_id, attempt_id)
        if self._find(model_id) is not None:
            raise Conflict("logged model", model_id, "the id is taken.")
        made = {} if created_at is None else {"created_at": created_at, "updated_at": created_at}
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
                **made,
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

    def get(self, model_id: str, *, allow_deleted: bool = True) -> LoggedModel:
        """Return a logged model.

        :param allow_deleted: return one that was deleted, too: versions and runs still name it.
        :raises NotFound: when there is none.
        """
        found = self._find(model_id)
        if found is None or (found.deleted_at is not None and not allow_deleted):
            raise NotFound(
                "logged model", model_id, "A run names its models: mltrack runs show RUN_ID"
            )
        return found

    def hold(self, model_id: str) -> LoggedModel:
        """Return a logged model that nobody else finishes or fills before the transaction ends.

        :raises NotFound: when there is none.
        """
        return self._locked(model_id)

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

    def data(self, model_ids: Sequence[str]) -> builtins.list[LoggedModelData]:
        """Return logged models with params, tags and metrics, in the order of their ids.

        :raises NotFound: names the first that does not exist.
        """
        query = _query().where(among(logged_models.c.model_id, model_ids))
        found = {row.model_id: (row.id, _entity(row)) for row in self._connection.execute(query)}
        for model_id in model_ids:
            if model_id not in found:
                raise NotFound("logged model", model_id)
        return logged_model_data.read_data(self._connection, [found[key] for key in model_ids])

    def search(
        self,
        *,
        experiment_ids: Sequence[int],
        filter: str = "",  # noqa: A002 - MLflow's name
        order_by: Sequence[str] = (),
        max_results: int = 100,
        page_token: str | None = None,
        datasets: Datasets = (),
        order_datasets: Mapping[int, Datasets] | None = None,
        dag_ids: Collection[str] | None = None,
    ) -> LoggedModelPage:
        """Return a page of logged models, the latest first; deleted ones are left out.

        :param filter: over attributes, ``metrics``, ``params`` and ``tags``; see
            :mod:`airflow_mltrack.store.search_filter`.
        :param max_results: 1 to 1,000.
        :param datasets: only metrics on these (name, digest; None for any) count; without a metric
            in the filter: only models that have one.
        :param order_datasets: place in ``order_by`` to the data sets of the metric that is named
            there; where there are none, those of ``datasets``.
        :param dag_ids: only models of runs of these Dags, and of runs outside of Airflow; None
            means all.
        :raises InvalidInput: as :func:`airflow_mltrack.store.record_search.find_page`.
        """
        order_on = order_datasets or {}
        query = _query().where(
            among(logged_models.c.experiment_id, sorted(set(experiment_ids))),
            logged_models.c.deleted_at.is_(None),
        )
        if dag_ids is not None:
            query = query.where(or_(runs.c.dag_id.is_(None), among(runs.c.dag_id, dag_ids)))
        if datasets:
            on_one = metric_rows(None, datasets)[0]
            query = query.where(on_one.exists())
        page = find_page(
            self._connection,
            model_kind(datasets, order_on),
            query,
            filter=filter,
            order_by=order_by,
            max_results=max_results,
            most=MAX_RESULTS,
            page_token=page_token,
            facts=(
                sorted(set(experiment_ids)),
                [list(item) for item in datasets],
                [[place, *map(list, on)] for place, on in sorted(order_on.items())],
            ),
        )
        rows = [(row.id, _entity(row)) for row in page.rows]
        found = logged_model_data.read_data(self._connection, rows)
        return LoggedModelPage(tuple(found), page.next_page_token)

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Add or replace tags.

        :raises NotFound: when there is no such model.
        """
        logged_model_data.set_tags(self._connection, self._number(model_id), tags)

    def delete_tag(self, model_id: str, key: str) -> None:
        """Remove a tag.

        :raises NotFound: when there is no such model or tag.
        """
        if not logged_model_data.delete_tag(self._connection, self._number(model_id), key):
            raise NotFound("tag", key, f"Logged model {model_id} has no such tag.")

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None:
        """Write params once; the same value again is fine.

        :raises NotFound: when there is no such model.
        :raises Conflict: when a param has another value.
        """
        logged_model_data.log_params(self._connection, self._number(model_id), params)

    def log_metrics(self, metrics: Sequence[tuple[str, LoggedModelMetric]]) -> None:
        """Write metrics, each with the id of its model; a point that is known is ignored.

        :raises NotFound: when a model or a run does not exist.
        """
        logged_model_data.log_metrics(self._connection, metrics)

    def delete(self, model_id: str) -> None:
        """Delete a logged model; its bytes stay. Deleting it again changes nothing.

        :raises NotFound: when there is none.
        :raises Conflict: when a model version points to it.
        """
        number = self._number(model_id)
        query = (
            select(registered_models.c.name, model_versions.c.version)
            .join_from(
                model_versions, registered_models, model_versions.c.model == registered_models.c.id
            )
            .where(model_versions.c.logged_model == number, ~model_versions.c.deleted)
            .limit(1)
        )
        used = self._connection.execute(query).first()
        if used is not None:
            raise Conflict(
                "logged model",
                model_id,
                f"version {used.version} of registered model {used.name} is this package.",
                "Delete that version first.",
            )
        self._connection.execute(
            update(logged_models)
            .where(logged_models.c.id == number, logged_models.c.deleted_at.is_(None))
            .values(deleted_at=func.clock_timestamp())
        )

    def _number(self, model_id: str) -> int:
        query = select(logged_models.c.id).where(logged_models.c.model_id == model_id)
        number: int | None = self._connection.scalar(query)
        if number is None:
            raise NotFound("logged model", model_id)
        return number

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
        deleted_at=row.deleted_at,
    )
