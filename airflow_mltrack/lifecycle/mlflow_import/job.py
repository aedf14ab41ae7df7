"""One import on its way: where it reads, where it writes, and what both sides call the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_mltrack.artifacts.artifact_key import safe_path
from airflow_mltrack.exceptions import (
    ArtifactError,
    ArtifactUnavailable,
    Conflict,
    InvalidInput,
    NotFound,
)
from airflow_mltrack.tracking.run_artifacts import (
    FileOwner,
    Upload,
    new_root,
    store_uploads,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import Artifact, StoredObject
    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.lifecycle.mlflow_import.report import ImportReport, Progress
    from airflow_mltrack.lifecycle.mlflow_import.source import Source, SourceExperiment, SourceFile
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

FROM_TAG = "mltrack.imported.from"
"""Where a record was imported from; what lacks it was made here, and is left alone."""
NUMBER_TAG = "mltrack.imported.experiment_id"
"""The number that an experiment had there, where it has another one here."""
STATE_TAG = "mltrack.imported.state"
"""How much of a record is here."""
OWN_TAGS = (FROM_TAG, NUMBER_TAG, STATE_TAG)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FILES_AT_ONCE = 64
_BYTES_AT_ONCE = 256 * 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(slots=True)
class Job:
    """What every part of an import needs."""

    client: TrackingClient
    source: Source
    actor: str
    report: ImportReport
    progress: Progress
    experiments: dict[str, int] = field(default_factory=dict)
    """Number there to number here."""
    deleted: dict[str, SourceExperiment] = field(default_factory=dict)
    """Experiments that are deleted there, by their number there."""
    on_the_way: set[str] = field(default_factory=set)
    """Runs whose parents are being brought."""
    ahead: set[str] = field(default_factory=set)
    """Runs that were brought before their turn, as somebody's parents."""

    def find_run(self, run_id: str) -> Run | None:
        """Return a run that is here, None when it is not."""

        def find(tx: Transaction) -> Run | None:
            try:
                return tx.runs.get(run_id)
            except NotFound:
                return None

        return self.client.transact(find)

    def count(self, kind: str, number: int = 1) -> None:
        """Count what was written."""
        self.report.done[kind] += number
        self.progress(self.report)


def moment(milliseconds: int | None) -> datetime | None:
    """Read a point of time; None stays None."""
    if milliseconds is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def read_state(tags: Mapping[str, str]) -> dict[str, object]:
    """Return how much of a record is here."""
    try:
        found = json.loads(tags.get(STATE_TAG, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def write_state(state: Mapping[str, object]) -> dict[str, str]:
    """Return the tag that says how much of a record is here."""
    return {STATE_TAG: json.dumps(state, sort_keys=True)}


def fitting(
    job: Job,
    whose: str,
    given: Mapping[str, str],
    limit: int,
    check: Callable[[Mapping[str, str]], object],
) -> dict[str, str]:
    """Return the pairs that may be kept; longer values are cut, and the rest is reported.

    :param whose: for the report, for example ``run 4eac``.
    :param check: raises when a pair breaks a rule.
    """
    kept = {}
    for key, value in given.items():
        if len(value) > limit:
            job.report.note(f"{whose}: {key} was cut to {limit:,} of {len(value):,} characters.")
        try:
            check({key: value[:limit]})
        except InvalidInput as error:
            job.report.problem(f"{whose}: {error}")
        else:
            kept[key] = value[:limit]
    return kept


def bring_files(
    job: Job, whose: str, owner: FileOwner, artifact_root: str, files: Sequence[SourceFile]
) -> bool:
    """Copy what is not here yet; return whether all of it is here then."""
    known = job.client.transact(
        lambda tx: {
            file.path: file
            for file in tx.artifacts.walk(attempt_id=owner.attempt_id, model_id=owner.model_id)
        }
    )
    brought = [
        _bring_group(job, whose, owner, artifact_root, group, known) for group in _groups(files)
    ]
    return all(brought)


def _bring_group(
    job: Job,
    whose: str,
    owner: FileOwner,
    artifact_root: str,
    group: Sequence[SourceFile],
    known: Mapping[str, Artifact],
) -> bool:
    try:
        wanted = [file for file in group if not _is_here(file, known.get(file.path))]
        uploads = [_upload(file) for file in wanted]
        store_uploads(job.client, uploads, root=new_root(artifact_root), owner=owner)
    except (ArtifactError, Conflict, InvalidInput) as error:
        if len(group) > 1 and not isinstance(error, ArtifactUnavailable):
            # One of them cannot be kept here; the others are brought.
            alone = [[file] for file in group]
            brought = [_bring_group(job, whose, owner, artifact_root, one, known) for one in alone]
            return all(brought)
        which = f"{whose}, file {group[0].path}" if len(group) == 1 else whose
        job.report.problem(f"{which}: {error}")
        return False
    job.count("files", len(wanted))
    job.count("bytes", sum(file.size for file in wanted))
    return True


def _groups(files: Sequence[SourceFile]) -> Iterator[list[SourceFile]]:
    """Cut files into groups that are recorded together."""
    group: list[SourceFile] = []
    for file in files:
        full = len(group) >= _FILES_AT_ONCE or sum(item.size for item in group) >= _BYTES_AT_ONCE
        if full:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _is_here(file: SourceFile, known: Artifact | None) -> bool:
    """Tell whether a file is here with the same bytes; it is read for that."""
    if known is None or known.size != file.size:
        return False
    found = hashlib.sha256()
    with file.open() as stream:
        while part := stream.read(_CHUNK):
            found.update(part)
    return found.hexdigest() == known.sha256


def _upload(file: SourceFile) -> Upload:
    def put(store: ArtifactStore, key: str) -> StoredObject:
        with file.open() as stream:
            return store.put_stream(key, stream, size_hint=file.size)

    return Upload(safe_path(file.path), put, file.size)
