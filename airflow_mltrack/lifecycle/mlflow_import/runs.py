"""Bring runs: records first, then every point, then files; each part once."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.entities.metrics import MetricBatch
from airflow_mltrack.entities.models import RunModel
from airflow_mltrack.entities.runs import RunStatus
from airflow_mltrack.exceptions import ArtifactError, Conflict, InvalidInput, NotFound
from airflow_mltrack.lifecycle.mlflow_import.job import (
    FROM_TAG,
    Job,
    bring_files,
    fitting,
    moment,
    read_state,
    write_state,
)
from airflow_mltrack.lifecycle.mlflow_import.source import (
    PARENT,
    RUN_NAME,
    FileOwner,
    ModelLink,
    PointsDigest,
    SourceInput,
    SourceRun,
    files_digest,
)
from airflow_mltrack.store.key_rules import (
    NAME_LIMIT,
    PARAM_VALUE_LIMIT,
    TAG_VALUE_LIMIT,
    check_params,
    check_tags,
)
from airflow_mltrack.tracking import run_artifacts
from airflow_mltrack.tracking.dataset_text import CONTEXT_TAG, object_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_mltrack.entities.runs import Run
    from airflow_mltrack.lifecycle.mlflow_import.source import SourceFile
    from airflow_mltrack.store.tracking_store import Transaction

_POINTS_OF_A_BATCH = 4_096
_POINTS_AT_ONCE = 40_960


def bring_run(job: Job, run: SourceRun) -> None:
    """Bring one run, or what is missing of it; nothing where that was done for a child of it."""
    if run.run_id in job.ahead:
        job.ahead.discard(run.run_id)
        return
    here = job.find_run(run.run_id)
    if here is not None and FROM_TAG not in here.tags:
        job.report.problem(f"run {run.run_id}: a run of this id is here that was not imported.")
        return
    state = read_state(here.tags) if here else {}
    files, listed = _files(job, run)
    records = run.fingerprint()
    if state.get("records") == records and listed is not None and state.get("files") == listed:
        job.report.known["runs"] += 1
        job.progress(job.report)
        return
    try:
        here = here or _open(job, run)
        if state.get("records") != records:
            state = _bring_records(job, run, here, state | {"records": records})
    except (Conflict, InvalidInput) as error:
        job.report.problem(f"run {run.run_id}: {error}")
        return
    owner = run_artifacts.FileOwner(attempt_id=here.attempt_id)
    whose = f"run {run.run_id}"
    if listed is not None and bring_files(job, whose, owner, here.artifact_root, files):
        _note_state(job, run.run_id, state | {"files": listed})
    job.count("runs")


def link_models(job: Job, run: SourceRun) -> None:
    """Note which logged models a run read and produced; those that are not here are left out."""
    here = job.find_run(run.run_id)
    if here is None:
        return

    def work(tx: Transaction) -> None:
        for direction in ("input", "output"):
            links = [link for link in run.models if link.direction == direction]
            known = [RunModel(link.model_id, link.step) for link in links if _is_here(tx, link)]
            tx.run_models.log(here.attempt_id, known, direction=direction)

    job.client.transact(work)


def kept_tags(run: SourceRun) -> dict[str, str]:
    """Return the tags of a run that are tags here: its name is none."""
    return {key: value for key, value in run.tags.items() if key != RUN_NAME}


def read_input(given: SourceInput) -> RunInput:
    """Read a data set that a run has read."""
    tags = dict(given.tags)
    context = tags.pop(CONTEXT_TAG, "")
    record = DatasetRecord(
        given.name,
        given.digest,
        source_type=given.source_type,
        source=given.source,
        schema=object_of(given.schema),
        profile=object_of(given.profile),
    )
    return RunInput(record, context, tags)


def _is_here(tx: Transaction, link: ModelLink) -> bool:
    try:
        tx.models.get(link.model_id)
    except NotFound:
        return False
    return True


def _files(job: Job, run: SourceRun) -> tuple[Sequence[SourceFile], str | None]:
    """List a run's files, with a digest of the list; no digest where they cannot be looked at."""
    try:
        found = job.source.files(FileOwner("run", run.run_id, run.location))
    except ArtifactError as error:
        job.report.problem(str(error))
        return (), None
    return found, files_digest(found)


def _open(job: Job, run: SourceRun) -> Run:
    """Open a run that is not here yet, after its parent."""
    parent = _parent(job, run)
    number = job.experiments[run.experiment_id]
    name = run.name.strip()[:NAME_LIMIT] or None

    def work(tx: Transaction) -> Run:
        # Only while runs are missing: a deleted experiment takes none.
        if run.experiment_id in job.deleted:
            _wake(tx, number)
        opened, _ = tx.runs.open(
            experiment_id=number,
            name=name,
            user=run.user,
            parent_run_id=parent,
            tags={FROM_TAG: job.report.address},
            run_id=run.run_id,
            started_at=moment(run.started_at or 0),
            watched=False,
        )
        return opened

    return job.client.transact(work)


def _wake(tx: Transaction, number: int) -> None:
    if tx.experiments.get(number).lifecycle is Lifecycle.DELETED:
        tx.experiments.restore(number)


def _parent(job: Job, run: SourceRun) -> str | None:
    """Return the parent's id, after bringing it; None for one that does not come along."""
    wanted = run.tags.get(PARENT)
    if not wanted or wanted in job.on_the_way:
        return None
    if job.find_run(wanted) is None:
        found = job.source.find_run(wanted)
        if found is None or found.experiment_id not in job.experiments:
            return None
        job.on_the_way.add(run.run_id)
        try:
            bring_run(job, found)
            job.ahead.add(wanted)
        finally:
            job.on_the_way.discard(run.run_id)
    return wanted if job.find_run(wanted) else None


def _bring_records(
    job: Job, run: SourceRun, here: Run, state: Mapping[str, object]
) -> dict[str, object]:
    """Write params, tags, points and inputs; what was written before stays as it is."""
    whose = f"run {run.run_id}"
    params = fitting(job, whose, run.params, PARAM_VALUE_LIMIT, check_params)
    tags = fitting(job, whose, kept_tags(run), TAG_VALUE_LIMIT, check_tags)
    inputs = [read_input(item) for item in run.inputs]

    def small(tx: Transaction) -> None:
        tx.runs.log_params(here.attempt_id, params)
        tx.runs.set_tags(run.run_id, tags)
        tx.inputs.log(here.attempt_id, inputs)

    job.client.transact(small)
    job.count("params", len(params))
    job.count("tags", len(tags))
    job.count("inputs", len(inputs))
    digest = _bring_points(job, run, here.attempt_id)
    done = {**state, "points": digest.count, "points_digest": digest.hexdigest()}

    def end(tx: Transaction) -> None:
        status = RunStatus(run.status) if run.status in RunStatus.__members__ else RunStatus.KILLED
        ended = run.ended_at if run.ended_at is not None else run.started_at or 0
        tx.runs.overwrite_status(here.attempt_id, status, ended_at=moment(ended))
        if run.is_deleted and run.experiment_id not in job.deleted:
            tx.runs.delete(run.run_id)
        tx.runs.set_tags(run.run_id, write_state(done))

    job.client.transact(end)
    return done


def _bring_points(job: Job, run: SourceRun, attempt_id: int) -> PointsDigest:
    digest = PointsDigest()
    waiting: list[MetricBatch] = []
    for batch in _batches(job, run, attempt_id, digest):
        waiting.append(batch)
        if sum(map(len, waiting)) >= _POINTS_AT_ONCE:
            _write(job, run, waiting)
            waiting = []
    if waiting:
        _write(job, run, waiting)
    return digest


def _batches(
    job: Job, run: SourceRun, attempt_id: int, digest: PointsDigest
) -> Iterator[MetricBatch]:
    """Pack points; a batch's number comes from what is in it, so that a replay adds nothing."""
    steps, timestamps, values = array("q"), array("q"), array("d")
    key: str | None = None
    for point in job.source.points(run):
        if key is not None and (point.key != key or len(steps) == _POINTS_OF_A_BATCH):
            yield _batch(attempt_id, key, steps, timestamps, values)
            steps, timestamps, values = array("q"), array("q"), array("d")
        key = point.key
        steps.append(point.step)
        timestamps.append(point.timestamp)
        values.append(point.value)
        digest.add(key, point.value, point.step, point.timestamp)
    if key is not None:
        yield _batch(attempt_id, key, steps, timestamps, values)


def _batch(
    attempt_id: int, key: str, steps: array[int], timestamps: array[int], values: array[float]
) -> MetricBatch:
    found = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8)
    for part in (steps, timestamps, values):
        found.update(part.tobytes())
    number = int.from_bytes(found.digest(), "little") >> 1
    return MetricBatch(attempt_id, key, number, steps, timestamps, values)


def _write(job: Job, run: SourceRun, batches: Sequence[MetricBatch]) -> None:
    """Write batches; one that breaks a rule is reported and keeps no other back."""
    try:
        job.client.transact(lambda tx: tx.metrics.log(batches))
    except InvalidInput as error:
        if len(batches) == 1:
            job.report.problem(f"run {run.run_id}: {error}")
            return
        for batch in batches:
            _write(job, run, [batch])
    else:
        job.count("points", sum(map(len, batches)))


def _note_state(job: Job, run_id: str, state: Mapping[str, object]) -> None:
    job.client.transact(lambda tx: tx.runs.set_tags(run_id, write_state(state)))
