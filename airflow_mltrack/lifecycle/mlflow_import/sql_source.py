"""MLflow's database, read directly: one snapshot, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from airflow_mltrack.lifecycle.mlflow_import.source import (
    ModelLink,
    SourceExperiment,
    SourceInput,
    SourcePoint,
    SourceRun,
    unclamped,
)
from airflow_mltrack.lifecycle.mlflow_import.sql_models import read_models, read_registry
from airflow_mltrack.lifecycle.mlflow_import.sql_tables import (
    DEFAULT_WORKSPACE,
    FETCH,
    MlflowTables,
    open_engine,
    read_error,
    safe_address,
    strings,
)

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

    from airflow_mltrack.lifecycle.mlflow_import.source import (
        FileOwner,
        FileSource,
        SourceFile,
        SourceModel,
        SourceRegisteredModel,
    )

_PAGE = 200
"""Runs that are read at a time with their params, tags and inputs."""
_RUN_COLUMNS = (
    "run_uuid",
    "experiment_id",
    "name",
    "user_id",
    "status",
    "start_time",
    "end_time",
    "lifecycle_stage",
    "artifact_uri",
    "source_type",
    "source_name",
    "source_version",
)
_LINKS = {"RUN_INPUT": "input", "RUN_OUTPUT": "output"}
_SOURCE_TYPES = {"1": "NOTEBOOK", "2": "JOB", "3": "PROJECT", "4": "LOCAL"}


class SqlSource:
    """Records of an MLflow database.

    :param address: ``sqlite:///...`` or ``postgresql://...``.
    :param files: where the files of runs and models are read from.
    :raises InvalidInput: when it is no MLflow database.
    :raises DataUnavailable: when it cannot be reached.
    """

    def __init__(self, address: str, files: FileSource) -> None:
        self.address = safe_address(address)
        self._given, self._files = address, files
        self._engine = open_engine(address)
        with self._worded():
            self._connection = self._engine.connect()
            self._tables = MlflowTables(self._connection, self.address)

    def experiments(self) -> Sequence[SourceExperiment]:
        """Return every experiment."""
        tables = self._tables
        tags: dict[str, dict[str, str]] = {}
        if tables.has("experiment_tags"):
            for row in self._rows(tables.rows("experiment_tags", "experiment_id", "key", "value")):
                number, key, value = strings(row)
                tags.setdefault(number, {})[key] = value
        query = tables.rows(
            "experiments", "experiment_id", "name", "creation_time", "lifecycle_stage"
        ).order_by(tables["experiments"].c.experiment_id)
        return [
            SourceExperiment(
                experiment_id=str(row.experiment_id),
                name=row.name,
                created_at=row.creation_time,
                is_deleted=row.lifecycle_stage == "deleted",
                tags=tags.get(str(row.experiment_id), {}),
            )
            for row in self._rows(query)
        ]

    def runs(self, experiment_id: str) -> Iterator[SourceRun]:
        """Go through the runs of an experiment page by page."""
        columns = self._tables["runs"].c
        started = func.coalesce(columns.start_time, 0)
        query = (
            self._select_runs()
            .where(columns.experiment_id == int(experiment_id))
            .order_by(started, columns.run_uuid)
            .limit(_PAGE)
        )
        page = query
        while rows := list(self._rows(page)):
            yield from self._whole(rows)
            last = rows[-1]
            page = query.where(
                or_(
                    started > (last.start_time or 0),
                    and_(started == (last.start_time or 0), columns.run_uuid > last.run_uuid),
                )
            )

    def find_run(self, run_id: str) -> SourceRun | None:
        """Return a run."""
        query = self._select_runs().where(self._tables["runs"].c.run_uuid == run_id)
        return next(iter(self._whole(list(self._rows(query)))), None)

    def points(self, run: SourceRun) -> Iterator[SourcePoint]:
        """Go through every point of a run."""
        tables, columns = self._tables, self._tables["metrics"].c
        step = tables.column("metrics", "step", 0)
        is_nan = tables.column("metrics", "is_nan", False)
        query = select(columns.key, columns.value, columns.timestamp, step, is_nan)
        query = query.where(columns.run_uuid == run.run_id)
        for row in self._rows(query.order_by(columns.key, step, columns.timestamp)):
            value = float("nan") if row.is_nan else unclamped(float(row.value))
            yield SourcePoint(row.key, value, int(row.step or 0), int(row.timestamp or 0))

    def count_points(self, run: SourceRun) -> int:
        """Count the points of a run."""
        return sum(self._counts([run.run_id]).get(run.run_id, {}).values())

    def logged_models(self, experiment_id: str) -> Iterator[SourceModel]:
        """Go through the logged models of an experiment."""
        return read_models(self._tables, self._rows, int(experiment_id))

    def registered_models(self) -> Iterator[SourceRegisteredModel]:
        """Go through the registered models."""
        return read_registry(self._tables, self._rows)

    def left_out(self) -> Sequence[str]:
        """Tell of other workspaces than the default one."""
        found = []
        for table, words in (("experiments", "experiments"), ("registered_models", "models")):
            if self._tables.has(table) and "workspace" in self._tables[table].c:
                other = self._tables[table].c.workspace != DEFAULT_WORKSPACE
                query = select(func.count()).select_from(self._tables[table]).where(other)
                [row] = self._rows(query)
                found += [f"{row[0]} {words} of other workspaces."] if row[0] else []
        return found

    def files(self, owner: FileOwner) -> Sequence[SourceFile]:
        """Return the files of a run or a model."""
        return self._files.files(owner)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Iterator[Row[Any]]:
        """Run a query; its rows travel part by part."""
        with (
            self._worded(),
            self._connection.execute(query, execution_options={"yield_per": FETCH}) as rows,
        ):
            yield from rows

    def _select_runs(self) -> Select[Any]:
        return self._tables.rows("runs", *_RUN_COLUMNS)

    def _whole(self, rows: Sequence[Row[Any]]) -> Iterator[SourceRun]:
        """Add to a page of runs what belongs to them."""
        ids = [row.run_uuid for row in rows]
        params, tags = self._pairs("params", ids), self._pairs("tags", ids)
        counts, inputs, links = self._counts(ids), self._inputs(ids), self._links(ids)
        for row in rows:
            key = row.run_uuid
            found = _source_tags(row) | tags.get(key, {})
            yield SourceRun(
                run_id=key,
                experiment_id=str(row.experiment_id),
                name=found.get("mlflow.runName") or row.name or "",
                user=row.user_id or found.get("mlflow.user", ""),
                status=row.status,
                started_at=row.start_time,
                ended_at=row.end_time,
                is_deleted=row.lifecycle_stage == "deleted",
                location=row.artifact_uri or "",
                params=params.get(key, {}),
                tags=found,
                metrics={name: (count,) for name, count in counts.get(key, {}).items()},
                inputs=inputs.get(key, ()),
                models=links.get(key, ()),
            )

    def _pairs(self, table: str, ids: Sequence[str]) -> Mapping[str, dict[str, str]]:
        columns = self._tables[table].c
        query = select(columns.run_uuid, columns.key, columns.value)
        found: dict[str, dict[str, str]] = {}
        for row in self._rows(query.where(columns.run_uuid.in_(ids))):
            run_id, key, value = strings(row)
            found.setdefault(run_id, {})[key] = value
        return found

    def _counts(self, ids: Sequence[str]) -> Mapping[str, dict[str, int]]:
        columns = self._tables["metrics"].c
        query = select(columns.run_uuid, columns.key, func.count().label("points"))
        query = query.where(columns.run_uuid.in_(ids)).group_by(columns.run_uuid, columns.key)
        found: dict[str, dict[str, int]] = {}
        for row in self._rows(query):
            found.setdefault(row.run_uuid, {})[row.key] = row.points
        return found

    def _inputs(self, ids: Sequence[str]) -> Mapping[str, list[SourceInput]]:
        if not self._tables.has("inputs", "datasets", "input_tags"):
            return {}
        inputs, sets = self._tables["inputs"].c, self._tables["datasets"].c
        pairs = self._tables["input_tags"].c
        query = (
            select(
                inputs.destination_id,
                inputs.input_uuid,
                sets.name,
                sets.digest,
                sets.dataset_source_type,
                sets.dataset_source,
                sets.dataset_schema,
                sets.dataset_profile,
                pairs.name.label("tag"),
                pairs.value,
            )
            .join_from(
                self._tables["inputs"],
                self._tables["datasets"],
                and_(inputs.source_id == sets.dataset_uuid, inputs.source_type == "DATASET"),
            )
            .outerjoin(self._tables["input_tags"], pairs.input_uuid == inputs.input_uuid)
            .where(inputs.destination_type == "RUN", inputs.destination_id.in_(ids))
            .order_by(inputs.destination_id, inputs.input_uuid)
        )
        found: dict[str, list[SourceInput]] = {}
        for (run_id, _), rows in groupby(map(strings, self._rows(query)), lambda row: row[:2]):
            first, *others = rows
            name, digest, kind, address, schema, profile = first[2:8]
            tags = {row[8]: row[9] for row in (first, *others) if row[8]}
            read = SourceInput(name, digest, kind, address, schema, profile, tags)
            found.setdefault(run_id, []).append(read)
        return found

    def _links(self, ids: Sequence[str]) -> Mapping[str, list[ModelLink]]:
        if not self._tables.has("inputs", "logged_models"):
            return {}
        inputs = self._tables["inputs"].c
        step = self._tables.column("inputs", "step", 0)
        query = select(inputs.source_id, inputs.source_type, inputs.destination_id, step)
        query = query.where(inputs.source_type.in_(_LINKS), inputs.source_id.in_(ids))
        found: dict[str, list[ModelLink]] = {}
        for row in self._rows(query.order_by(inputs.destination_id)):
            link = ModelLink(row.destination_id, _LINKS[row.source_type], row.step or 0)
            found.setdefault(row.source_id, []).append(link)
        return found

    @contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise read_error(error, self._given) from None


def _source_tags(row: Row[Any]) -> dict[str, str]:
    """Return as tags what the first versions kept in columns."""
    kind = str(row.source_type or "")
    given = {
        "mlflow.source.name": row.source_name,
        "mlflow.source.type": _SOURCE_TYPES.get(kind, kind) if row.source_name else "",
        "mlflow.source.git.commit": row.source_version,
    }
    return {key: str(value) for key, value in given.items() if value}
