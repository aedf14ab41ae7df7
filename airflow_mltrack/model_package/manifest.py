"""The manifest of a model package: what is inside, byte for byte, and where it came from.

A package of ours brings it; for one that MLflow wrote it is made, by :mod:`.mlmodel_reader`.

``mltrack.json`` lists every other file of the package with size and sha256. The *digest* of a
package is the sha256 over the canonical JSON of ``{path: sha256}`` of all files, the manifest among
them, so it covers every byte that any loader reads: the model, the MLmodel file, the requirements,
the constraints. It cannot stand in the manifest itself; the registry keeps it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mltrack.exceptions import ModelPackageError
from airflow_mltrack.model_package.bounded_yaml import is_shallow, texts_in
from airflow_mltrack.model_package.signature import Signature

MANIFEST_FILE = "mltrack.json"
FORMAT_VERSION = 1
MODEL_FILES = {"skops": "model.skops", "lightgbm": "model.lgb", "pickle": "model.pkl"}
"""Format to the one file that holds the model."""

MANIFEST_LIMIT = 64 * 1024 * 1024
"""A larger manifest is not read."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package."""

    path: str
    """Relative to the package's directory, with forward slashes."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MlflowOrigin:
    """What the MLmodel file of a package says that MLflow wrote; nobody vouches for it."""

    version: str
    """Of MLflow; empty when it does not say."""
    flavors: tuple[str, ...]
    model_file: str
    run_id: str = ""
    model_id: str = ""
    example: str = ""
    """File with the input example; empty when there is none."""
    code: str = ""
    """Directory with code of the package's own, which is never imported; mostly empty."""

    def to_json(self) -> dict[str, object]:
        """Give it as JSON-able data."""
        return {
            "version": self.version,
            "flavors": list(self.flavors),
            "model_file": self.model_file,
            "run_id": self.run_id,
            "model_id": self.model_id,
            "example": self.example,
            "code": self.code,
        }


@dataclass(frozen=True, slots=True)
class PackageManifest:
    """Everything that is known about a package."""

    format: str
    """``skops``, ``lightgbm`` or ``pickle``."""
    created_at: str
    """ISO 8601 in UTC."""
    model_class: str
    """Dotted name of the packaged object's class; of a package of MLflow's it may not be known
    before it is loaded, and is empty then."""
    files: tuple[PackageFile, ...]
    """Every file but ``mltrack.json``, by path."""
    digest: str = ""
    """sha256 of the whole package; see the module."""
    serialization: str = ""
    """For a pickle: ``pickle`` or ``cloudpickle``."""
    signature: Signature | None = None
    types: tuple[str, ...] = ()
    """Dotted names of the types inside, for people; an audit reads the model file itself."""
    environment: Mapping[str, object] = field(default_factory=dict)
    """Python, platform, and the version of every library that the model needs."""
    code: Mapping[str, object] = field(default_factory=dict)
    """Commit, branch, dirty flag, repository, bundle; the diff is the file ``code.diff``."""
    seeds: Mapping[str, object] = field(default_factory=dict)
    stripped_steps: tuple[str, ...] = ()
    """Training-only steps that are not in the package."""
    proof: Mapping[str, object] = field(default_factory=dict)
    """How the packaged model was compared with the original: rows, methods, largest difference."""
    holds_training_rows: tuple[str, ...] = ()
    """Parts that keep training rows because they need them to predict, one sentence each."""
    metadata: Mapping[str, object] = field(default_factory=dict)
    mlflow: MlflowOrigin | None = None
    """For a package that MLflow wrote, where this manifest is made from its MLmodel file."""
    format_version: int = FORMAT_VERSION

    @property
    def model_file(self) -> str:
        """Name of the file that holds the model."""
        return self.mlflow.model_file if self.mlflow else MODEL_FILES[self.format]

    @property
    def size(self) -> int:
        """Bytes of all files, without the manifest."""
        return sum(file.size for file in self.files)

    def to_json(self) -> dict[str, object]:
        """Give the manifest as JSON-able data, without the digest."""
        found: dict[str, object] = {
            "format_version": self.format_version,
            "format": self.format,
            "serialization": self.serialization,
            "created_at": self.created_at,
            "model_class": self.model_class,
            "files": {file.path: {"size": file.size, "sha256": file.sha256} for file in self.files},
            "signature": self.signature.to_json() if self.signature else None,
            "types": list(self.types),
            "environment": dict(self.environment),
            "code": dict(self.code),
            "seeds": dict(self.seeds),
            "stripped_steps": list(self.stripped_steps),
            "proof": dict(self.proof),
            "holds_training_rows": list(self.holds_training_rows),
            "metadata": dict(self.metadata),
        }
        return found if self.mlflow is None else {**found, "mlflow": self.mlflow.to_json()}


def canonical_json(value: object) -> str:
    """Give the one JSON text of a value: sorted keys, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def package_digest(files: tuple[PackageFile, ...], manifest_bytes: bytes) -> str:
    """Digest a package.

    :param files: every file but the manifest.
    :param manifest_bytes: the manifest as it is stored.
    """
    digests = {file.path: file.sha256 for file in files}
    digests[MANIFEST_FILE] = hashlib.sha256(manifest_bytes).hexdigest()
    return digest_of_files(digests)


def digest_of_files(digests: Mapping[str, str]) -> str:
    """Digest a package of which the sha256 of every file is known.

    :param digests: path in the package to sha256, the manifest among them.
    """
    return hashlib.sha256(canonical_json(dict(digests)).encode()).hexdigest()


def hash_file(root: Path, path: str) -> PackageFile:
    """Measure one file of a package in bounded memory."""
    found = hashlib.sha256()
    size = 0
    with (root / path).open("rb") as stream:
        while chunk := stream.read(1024 * 1024):
            found.update(chunk)
            size += len(chunk)
    return PackageFile(path, size, found.hexdigest())


def parse_manifest(data: bytes, where: str) -> PackageManifest:
    """Read a manifest's bytes.

    :param where: package directory or URI, for the error.
    :raises ModelPackageError: when it is no manifest that this code reads.
    """
    if len(data) > MANIFEST_LIMIT:
        raise _unreadable(where, f"it is larger than {MANIFEST_LIMIT} bytes")
    try:
        found = json.loads(data)
        version = found["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(where, str(error)) from error
    if version != FORMAT_VERSION:
        raise ModelPackageError(
            f"The model package {where} has format version {version!r}, this version of "
            f"airflow-mltrack reads {FORMAT_VERSION}. Upgrade airflow-mltrack to load it."
        )
    try:
        return _from_json(found, data)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _unreadable(where, f"{type(error).__name__}: {error}") from error


def check_storable(manifest: PackageManifest, file: str, where: str) -> None:
    """Refuse what no database keeps.

    :param file: which one tells it, for the error.
    :param where: package directory or URI, for the error.
    :raises ModelPackageError: for NUL characters, lone surrogates, infinite numbers and NaN, and
        for what is nested too deep to be written as JSON.
    """
    facts = manifest.to_json()
    if any(_UNSTORABLE.search(text) for text in texts_in(facts)):
        reason = "NUL characters or lone surrogates"
    elif not is_shallow(facts):
        reason = "lists and mappings that are nested too deep"
    elif not _is_finite(facts):
        reason = "NaN or infinite numbers"
    else:
        return
    raise ModelPackageError(
        f"The {file} file of the model package {where} holds {reason}, which cannot be kept. "
        "Log the model again without them."
    )


def _is_finite(facts: Mapping[str, object]) -> bool:
    try:
        canonical_json(facts)
    except ValueError:
        return False
    return True


def _from_json(found: dict[str, object], data: bytes) -> PackageManifest:
    listed = found["files"]
    if not isinstance(listed, dict) or found["format"] not in MODEL_FILES:
        raise ValueError("files and format are not what they should be")
    files = tuple(
        PackageFile(_checked_path(path), int(entry["size"]), str(entry["sha256"]))
        for path, entry in sorted(listed.items())
    )
    signature = found.get("signature")
    return PackageManifest(
        format=str(found["format"]),
        created_at=str(found["created_at"]),
        model_class=str(found["model_class"]),
        files=files,
        digest=package_digest(files, data),
        serialization=str(found.get("serialization", "")),
        signature=Signature.from_json(signature) if isinstance(signature, dict) else None,
        types=_strings(found.get("types")),
        environment=_mapping(found.get("environment")),
        code=_mapping(found.get("code")),
        seeds=_mapping(found.get("seeds")),
        stripped_steps=_strings(found.get("stripped_steps")),
        proof=_mapping(found.get("proof")),
        holds_training_rows=_strings(found.get("holds_training_rows")),
        metadata=_mapping(found.get("metadata")),
    )


def _checked_path(path: str) -> str:
    parts = path.split("/")
    if "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{path!r} is not a relative path inside the package")
    return path


def _strings(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _unreadable(where: str, reason: str) -> ModelPackageError:
    told = reason.encode("utf-8", "backslashreplace").decode()  # keys may hold lone surrogates
    return ModelPackageError(
        f"The model package {where} has no readable {MANIFEST_FILE}: {told}. "
        "Was it written by airflow-mltrack? Package the model again."
    )
