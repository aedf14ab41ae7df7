"""Which stored files go into the archive, and under which name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    ArtifactError,
    ArtifactUnavailable,
    NotFound,
)
from airflow_mltrack.lifecycle.evidence.facts import Missing
from airflow_mltrack.lifecycle.evidence.values import mapping
from airflow_mltrack.model_package.manifest import MANIFEST_FILE, MODEL_FILES
from airflow_mltrack.model_package.mlmodel import MLMODEL_FILE
from airflow_mltrack.model_package.writer import DIFF_FILE

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.artifact_store import ArtifactStore
    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.lifecycle.evidence.archive import ArchiveFolder, StagedFile
    from airflow_mltrack.lifecycle.evidence.facts import (
        EvidenceFacts,
        TrainingFacts,
        VerdictFacts,
    )

_DESCRIBES = (MLMODEL_FILE, MANIFEST_FILE)
"""Files of a package that tell what it is; the others go into the archive only when asked for."""
ENVIRONMENT_FILES = ("requirements.txt", "conda.yaml", "python_env.yaml")
PLOT_FOLDERS = ("plots/", "evaluation/")
"""Where trainings keep pictures and the numbers behind them."""
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A stored file and its place in the archive."""

    path: str
    record: Artifact
    owner: str
    """Whose file it is, in words."""
    is_copied: bool = True
    """False for a file whose bytes are only verified."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What came into the archive from the artifact store, and what did not."""

    files: Mapping[tuple[str, str], StagedFile]
    """By the wanted path and the key of the record."""
    missing: tuple[Missing, ...]
    damaged: frozenset[str]
    """Keys of records whose bytes are not there as they were recorded."""

    def find(self, wanted: WantedFile) -> StagedFile | None:
        """Return what a wanted file became, None when it is missing."""
        return self.files.get((wanted.path, wanted.record.key))


def collect_files(
    store: ArtifactStore, facts: EvidenceFacts, folder: ArchiveFolder, *, include_package: bool
) -> Collected:
    """Copy the stored files of a version into an archive; every digest is verified.

    Files of the package that stay outside are read too, so that damage to them is found.

    :raises ArtifactUnavailable: when the artifact store does not answer: a retry may help, so the
        files are not called missing.
    """
    files: dict[tuple[str, str], StagedFile] = {}
    missing: list[Missing] = []
    damaged: set[str] = set()
    for wanted in wanted_files(facts, include_package=include_package):
        key = (wanted.path, wanted.record.key)
        try:
            if wanted.is_copied:
                source = f"{wanted.owner}: {wanted.record.path}"
                files[key] = folder.add_artifact(wanted.path, wanted.record, store, source=source)
            else:
                _read_through(store, wanted.record)
        except ArtifactUnavailable:
            raise
        except (ArtifactError, NotFound) as error:
            if wanted.record.key not in damaged:
                missing.append(_missing(wanted, error))
            damaged.add(wanted.record.key)
    return Collected(files, tuple(missing), frozenset(damaged))


def wanted_files(facts: EvidenceFacts, *, include_package: bool) -> Iterator[WantedFile]:
    """Name every stored file that belongs into the archive, or that it speaks of."""
    yield from package_files(facts, include_package=include_package)
    yield from environment_files(facts)
    yield from diff_files(facts)
    yield from plot_files(facts.training)
    for judged in facts.verdicts:
        for name in judged.evidence:
            yield evidence_file(judged, name)


def package_files(facts: EvidenceFacts, *, include_package: bool) -> Iterator[WantedFile]:
    """Name all files of the package; those that only tell what it is are always copied."""
    for record in facts.package_files:
        is_copied = include_package or record.path in _DESCRIBES
        yield WantedFile(f"package/{record.path}", record, _package_name(facts), is_copied)


def environment_files(facts: EvidenceFacts) -> Iterator[WantedFile]:
    """Name the files with which the model's environment is made again."""
    for record in facts.package_files:
        if record.path in ENVIRONMENT_FILES:
            yield WantedFile(f"environment/{record.path}", record, _package_name(facts))


def diff_files(facts: EvidenceFacts) -> Iterator[WantedFile]:
    """Name the file with the uncommitted changes of the code, where there is one."""
    for record in facts.package_files:
        if record.path == DIFF_FILE:
            yield WantedFile("code/diff.patch", record, _package_name(facts))


def plot_files(training: TrainingFacts | None) -> Iterator[WantedFile]:
    """Name the pictures of the training run, and the numbers behind them."""
    if training is None:
        return
    owner = f"run {training.data.run.run_id}, attempt {training.data.attempt.number}"
    for record in training.files:
        is_picture = record.content_type.startswith("image/")
        if is_picture or record.path.startswith(PLOT_FOLDERS):
            yield WantedFile(f"plots/{record.path.removeprefix('plots/')}", record, owner)


def evidence_file(judged: VerdictFacts, check: str) -> WantedFile:
    """Name the file that stands behind one check of a verdict."""
    record = judged.evidence[check]
    path = f"verdicts/{judged.verdict.verdict_id}/{record.path.rpartition('/')[2]}"
    return WantedFile(path, record, f"run {judged.verdict.run_id}")


def doubtful_evidence(facts: EvidenceFacts) -> Iterator[Missing]:
    """Name evidence whose recorded digest is not the one that its verdict recorded."""
    for judged in facts.verdicts:
        for check in judged.verdict.checks:
            record = judged.evidence.get(check.name)
            if record and check.evidence_sha256 and record.sha256 != check.evidence_sha256:
                yield Missing(
                    f"evidence {check.evidence} of verdict {judged.verdict.verdict_id}",
                    "its run has another file under this name",
                    check.evidence_sha256,
                    record.sha256,
                )


def expected_files(facts: EvidenceFacts) -> Iterator[Missing]:
    """Name what a package or a training run has and these do not."""
    if facts.package is not None:
        there = {record.path for record in facts.package_files}
        by_mlflow = mapping(facts.package.manifest.get("mlflow"))
        wanted = {MLMODEL_FILE, *ENVIRONMENT_FILES, *(() if by_mlflow else (MANIFEST_FILE,))}
        for path in sorted(wanted - there):
            yield Missing(f"package file {path}", "the package was logged without it")
        if not there & {*MODEL_FILES.values(), by_mlflow.get("model_file")}:
            yield Missing("model file", "the package was logged without one of a known name")
    if facts.training is not None and not list(plot_files(facts.training)):
        yield Missing("plots", "the training run logged none")


def _read_through(store: ArtifactStore, record: Artifact) -> None:
    """Verify bytes that are not copied."""
    with store.open(record.key, sha256=record.sha256) as stream:
        while stream.read(_CHUNK):
            pass


def _missing(wanted: WantedFile, error: ArtifactError | NotFound) -> Missing:
    what = f"file {wanted.record.path} of {wanted.owner}"
    if isinstance(error, ArtifactCorrupt):
        reason = "its bytes were changed or damaged after they were recorded"
        return Missing(what, reason, error.expected, error.found)
    verb = "are gone from" if isinstance(error, NotFound) else "cannot be read from"
    return Missing(what, f"its bytes {verb} the artifact store", wanted.record.sha256)


def _package_name(facts: EvidenceFacts) -> str:
    return f"package {facts.version.model_id}"
