"""Write what is recorded as Parquet or Arrow files, for analysis elsewhere."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mltrack import __version__
from airflow_mltrack.artifacts.artifact_store import local_errors
from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.exports import ExportScope, ExportTable
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.lifecycle.export_files import (
    FORMATS,
    TableFile,
    point_batches,
    row_batch,
    table_file,
)
from airflow_mltrack.model_package.manifest import hash_file
from airflow_mltrack.store.export_rows import METRICS
from airflow_mltrack.store.schema import HEAD

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

MANIFEST = "manifest.json"
"""Lists every other file of an export; it is the last one to appear."""

Progress = Callable[[str, int], None]
"""Hears the name of the table that is being written and how many rows it has so far."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One table of an export."""

    table: str
    path: str
    """Name of the file in the export's directory."""
    rows: int
    size: int
    """Bytes."""
    sha256: str
    columns: dict[str, dict[str, object]]
    """Name to ``type`` (Arrow's) and ``missing`` (how many values)."""


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was written."""

    directory: Path
    created_at: datetime
    """When the database was as the files show it."""
    files: tuple[ExportedFile, ...]


def export_records(
    client: TrackingClient,
    directory: Path | str,
    *,
    experiments: Sequence[str] = (),
    since: datetime | None = None,
    include_deleted: bool = False,
    form: str = "parquet",
    progress: Progress | None = None,
) -> Export:
    """Write runs, metrics and the registry into a directory: one file a table, and a manifest.

    All of it comes from one snapshot of the database, whatever others write meanwhile. Memory is
    bounded, whatever the number of runs and points. Everything is written beside its place and
    moved there at the end.

    :param directory: does not exist, or is empty.
    :param experiments: names; only their runs, with what belongs to them. None means all.
    :param since: only runs that started at this time or later; it has a time zone.
    :param include_deleted: also what was deleted and can be restored.
    :param form: ``parquet`` or ``arrow`` (Arrow's IPC file format).
    :param progress: called after every few thousand rows.
    :raises InvalidInput: when the directory holds something, or a value breaks a rule.
    :raises NotFound: when there is no such experiment.
    :raises ArtifactError: when the files cannot be written; nothing is left behind.
    """
    if form not in FORMATS:
        raise InvalidInput("format", form, f"it is {' or '.join(FORMATS)}.")
    if since is not None and since.tzinfo is None:
        raise InvalidInput("since", since.isoformat(), "it has a time zone.")
    with local_errors(Path(directory).name, str(directory)):
        target = _free_target(Path(directory))
    with local_errors(target.name, str(target)), _staged(target) as staging:
        with client.store.transaction() as tx:
            tx.freeze()
            created_at = tx.now()
            scope = _scope(tx, experiments, since, include_deleted=include_deleted)
            writing = _Writing(tx, scope, staging, form, progress or _silent)
            files = tuple(writing.write(table) for table in _tables(tx))
        asked = {"experiments": list(experiments) or None, "since": since and since.isoformat()}
        facts = {"created_at": created_at.isoformat(), "format": form, **asked}
        _write_manifest(staging, {**facts, "include_deleted": include_deleted}, files)
    return Export(target, created_at, files)


@dataclass(frozen=True, slots=True)
class _Writing:
    """Where an export comes from and goes to."""

    tx: Transaction
    scope: ExportScope
    directory: Path
    form: str
    progress: Progress

    def write(self, table: ExportTable) -> ExportedFile:
        name = f"{table.name}.{self.form}"
        self.progress(table.name, 0)
        with table_file(self.directory / name, table, self.form) as file:
            for batch in self._batches(table, file.schema):
                file.add(batch)
                self.progress(table.name, file.rows)
        return _described(table, hash_file(self.directory, name), file)

    def _batches(self, table: ExportTable, schema: Any) -> Iterator[Any]:
        if table == METRICS:
            yield from point_batches(self.tx.export.series(self.scope), schema)
            return
        for rows in self.tx.export.rows(table.name, self.scope):
            yield row_batch(rows, schema)


def _described(table: ExportTable, measured: Any, file: TableFile) -> ExportedFile:
    columns: dict[str, dict[str, object]] = {
        field.name: {"type": str(field.type), "missing": file.missing[field.name]}
        for field in file.schema
    }
    return ExportedFile(
        table.name, measured.path, file.rows, measured.size, measured.sha256, columns
    )


def _tables(tx: Transaction) -> tuple[ExportTable, ...]:
    return (*tx.export.tables(), METRICS)


def _scope(
    tx: Transaction, names: Sequence[str], since: datetime | None, *, include_deleted: bool
) -> ExportScope:
    found = [tx.experiments.get_by_name(name) for name in names]
    for experiment in found:
        if experiment.lifecycle is Lifecycle.DELETED and not include_deleted:
            raise InvalidInput(
                "experiment", experiment.name, "it was deleted.", "Ask for deleted records as well."
            )
    ids = tuple(experiment.experiment_id for experiment in found) if names else None
    return ExportScope(ids, since, include_deleted)


def _free_target(directory: Path) -> Path:
    """Return where an export goes.

    :raises InvalidInput: when something is there.
    """
    target = directory.expanduser().resolve()
    if target.is_dir():
        if found := sorted(path.name for path in target.iterdir())[:3]:
            raise InvalidInput(
                "directory",
                str(directory),
                f"it is not empty (it holds {', '.join(found)}).",
                "Name one that does not exist or is empty.",
            )
    elif target.exists():
        raise InvalidInput("directory", str(directory), "it is a file.", "Name a directory.")
    return target


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Give a directory to write into; what is in it moves to the target when all went well.

    It lies inside a target that exists, which may be a mount of its own, and else beside it.
    """
    inside = target.is_dir()
    staging = (target if inside else target.parent) / f".mltrack-export-{uuid.uuid4().hex}.part"
    staging.mkdir(parents=True)
    try:
        yield staging
        if inside:
            _move_up(staging, target)
        else:
            staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_up(staging: Path, target: Path) -> None:
    """Move files into place, the manifest last: where it stands, the others do."""
    if taken := [path.name for path in target.iterdir() if path != staging]:
        raise InvalidInput("directory", str(target), f"{taken[0]} appeared in it meanwhile.")
    for path in sorted(staging.iterdir(), key=lambda path: path.name == MANIFEST):
        path.rename(target / path.name)


def _write_manifest(
    directory: Path, facts: dict[str, object], files: Sequence[ExportedFile]
) -> None:
    listed = {
        file.path: {
            "table": file.table,
            "rows": file.rows,
            "size": file.size,
            "sha256": file.sha256,
            "columns": file.columns,
        }
        for file in files
    }
    versions = {"version": 1, "airflow_mltrack": __version__, "schema_revision": HEAD}
    text = json.dumps({**versions, **facts, "files": listed}, indent=1, ensure_ascii=False)
    (directory / MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def _silent(table: str, rows: int) -> None:
    """Tell nobody."""
