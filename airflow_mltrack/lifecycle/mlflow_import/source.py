"""What a source of MLflow records gives, whatever it reads them from."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan, nan
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow_mltrack.artifacts.digests import Readable

PROMPT_TAG = "mlflow.prompt.is_prompt"
"""Tag of a registered model that is a prompt."""
RUN_NAME, PARENT, USER = "mlflow.runName", "mlflow.parentRunId", "mlflow.user"
"""Tags in which MLflow keeps what has a field of its own here."""
_LARGEST = 1.7976931348623157e308
_NAN_BITS = struct.pack("<d", nan)


@dataclass(frozen=True, slots=True)
class SourceExperiment:
    """A named group of runs."""

    experiment_id: str
    name: str
    created_at: int | None = None
    """Milliseconds since 1970; None where the database is too old to say."""
    is_deleted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceInput:
    """A data set that a run read."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    """JSON, or any other text."""
    profile: str
    """JSON, or any other text."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelLink:
    """That a run read or produced a logged model."""

    model_id: str
    direction: str
    """``input`` or ``output``."""
    step: int = 0


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A run with everything but its points and files."""

    run_id: str
    experiment_id: str
    name: str
    user: str
    status: str
    started_at: int | None
    """Milliseconds since 1970."""
    ended_at: int | None
    is_deleted: bool
    location: str
    """Address of its files."""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """What is cheap to tell of each metric, its value and step or how many points it has: when it
    changes, there are new points."""
    inputs: Sequence[SourceInput] = ()
    models: Sequence[ModelLink] = ()

    def fingerprint(self) -> str:
        """Return a digest that changes when the run does."""
        read = [[item.name, item.digest, *sorted(item.tags.items())] for item in self.inputs]
        facts = [self.name, self.status, self.ended_at, self.is_deleted, sorted(read)]
        parts = [facts, self.params, self.tags, self.metrics]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SourcePoint:
    """One measured value."""

    key: str
    value: float
    step: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class ModelMetric:
    """A number that a run measured about a logged model."""

    key: str
    value: float
    step: int
    timestamp: int
    run_id: str
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True)
class SourceModel:
    """A logged model of MLflow 3."""

    model_id: str
    experiment_id: str
    name: str
    location: str
    """Address of its files."""
    created_at: int | None
    status: str
    """``PENDING``, ``READY`` or ``FAILED``."""
    is_deleted: bool = False
    model_type: str = ""
    run_id: str | None = None
    status_message: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[ModelMetric] = ()


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """One version of a registered model."""

    version: int
    stage: str
    source: str
    created_at: int | None
    updated_at: int
    user: str = ""
    description: str = ""
    storage: str = ""
    """Address of its files, where the source says it apart."""
    run_id: str | None = None
    run_link: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceRegisteredModel:
    """A registered model with all its versions."""

    name: str
    description: str
    created_at: int | None
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    versions: Sequence[SourceVersion] = ()
    """By number."""
    last_version: int = 0
    """Highest number that was ever given, also to a version that was deleted."""

    @property
    def is_prompt(self) -> bool:
        """Whether it is a prompt, which is no model."""
        return self.tags.get(PROMPT_TAG, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class FileOwner:
    """Whose files are asked for."""

    kind: str
    """``run`` or ``model``."""
    name: str
    """Its id."""
    location: str


class SourceFile(Protocol):
    """One file."""

    @property
    def path(self) -> str:
        """Path below its owner's location."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def open(self) -> AbstractContextManager[Readable]:
        """Open it for reading from the beginning."""
        ...


class FileSource(Protocol):
    """Where the files of runs and models are read from."""

    def files(self, owner: FileOwner) -> Sequence[SourceFile]:
        """Return the files of a run or a model, by path; none where it has none.

        :raises ArtifactUnavailable: when the place where they should be cannot be looked at.
        """
        ...


class Source(FileSource, Protocol):
    """MLflow records. What it gives is of one moment where the other side can do that."""

    @property
    def address(self) -> str:
        """Where it is, without credentials."""
        ...

    def experiments(self) -> Sequence[SourceExperiment]:
        """Return every experiment, also deleted ones, in the order of their making."""
        ...

    def runs(self, experiment_id: str) -> Iterator[SourceRun]:
        """Go through the runs of an experiment, also deleted ones, the oldest first."""
        ...

    def find_run(self, run_id: str) -> SourceRun | None:
        """Return a run, None when there is none."""
        ...

    def points(self, run: SourceRun) -> Iterator[SourcePoint]:
        """Go through every point of a run, one metric after the other, in bounded memory."""
        ...

    def count_points(self, run: SourceRun) -> int:
        """Return how many points a run has."""
        ...

    def logged_models(self, experiment_id: str) -> Iterator[SourceModel]:
        """Go through the logged models of an experiment, also deleted ones."""
        ...

    def registered_models(self) -> Iterator[SourceRegisteredModel]:
        """Go through the registered models by name."""
        ...

    def left_out(self) -> Sequence[str]:
        """Return what this source holds and does not give, one sentence each."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class PointsDigest:
    """Count and digest of points, the same in whatever order they come."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, key: str, value: float, step: int, timestamp: int) -> None:
        """Take a point in."""
        number = _NAN_BITS if isnan(value) else struct.pack("<d", value)
        packed = struct.pack("<qq", step, timestamp) + number + key.encode("utf-8", "replace")
        found = int.from_bytes(hashlib.blake2b(packed, digest_size=16).digest(), "little")
        self.count, self._sum = self.count + 1, (self._sum + found) % 2**128

    def hexdigest(self) -> str:
        """Return the digest of what was taken in."""
        return f"{self._sum:032x}"


def files_digest(files: Iterable[SourceFile]) -> str:
    """Return a digest of the names and sizes of files, by path."""
    listed = json.dumps([[file.path, file.size] for file in files])
    return hashlib.sha256(listed.encode()).hexdigest()


def unclamped(value: float) -> float:
    """Give an infinity back: MLflow keeps it as the largest number there is."""
    if value == _LARGEST:
        return inf
    return -inf if value == -_LARGEST else value
