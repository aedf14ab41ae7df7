"""Reads a model package. Nothing is built before every check has passed.

The order is: manifest, digests of all files, format, environment, types inside the model file, and
only then the model. The MLmodel file is for mlflow and is never read here, so no module that a
package names is ever imported because of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    EnvironmentMismatch,
    InvalidInput,
    ModelPackageError,
)
from airflow_mltrack.model_package.environment import differences
from airflow_mltrack.model_package.formats import lightgbm as lightgbm_format
from airflow_mltrack.model_package.formats import pickle as pickle_format
from airflow_mltrack.model_package.formats import skops as skops_format
from airflow_mltrack.model_package.manifest import (
    MANIFEST_FILE,
    PackageManifest,
    hash_file,
    parse_manifest,
)
from airflow_mltrack.model_package.signature_check import CheckedInput, check_input

log = logging.getLogger(__name__)

_ABSENT = "(no such file)"
_UNLISTED = "(not in the manifest)"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its manifest."""

    manifest: PackageManifest
    model: Any
    """The estimator, booster or object itself."""

    def check(self, data: Any, *, constraints: str = "warn") -> CheckedInput:
        """Check rows against the signature and convert them; see :func:`.check_input`.

        Without a signature the rows are taken as they are.
        """
        if self.manifest.signature is None:
            return CheckedInput(data)
        return check_input(self.manifest.signature, data, constraints=constraints)

    def predict(self, data: Any, *, constraints: str = "warn") -> Any:
        """Predict as the model does: labels for a classifier, probabilities for a booster.

        :param data: rows; columns may come in any order, unknown ones are dropped.
        :param constraints: ``error``, ``warn`` or ``ignore``; see :func:`.check_input`.
        :raises InvalidInput: when the rows do not fit the signature.
        """
        return self.model.predict(self.check(data, constraints=constraints).data)

    def predict_proba(self, data: Any, *, constraints: str = "warn") -> Any:
        """Predict probabilities: one column per class; a binary booster's as two columns.

        :param data: as for :meth:`predict`.
        :raises InvalidInput: when the model gives none.
        """
        import numpy

        rows = self.check(data, constraints=constraints).data
        if hasattr(self.model, "predict_proba"):
            return self.model.predict_proba(rows)
        if self.manifest.format == "lightgbm" and _gives_probabilities(self.model):
            found = self.model.predict(rows)
            return found if found.ndim == 2 else numpy.column_stack([1.0 - found, found])
        raise InvalidInput(
            "model", self.manifest.model_class, "it predicts no probabilities.", "Use predict."
        )


def read_manifest(directory: Path) -> PackageManifest:
    """Read the manifest of a package; looks at no other file.

    :raises ModelPackageError: when there is none, or it cannot be read.
    """
    try:
        data = (directory / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise ModelPackageError(
            f"{directory} is no model package: it has no {MANIFEST_FILE}. "
            "Packages are written by log_model or write_package."
        ) from error
    return parse_manifest(data, str(directory))


def verify_files(directory: Path, *, digest: str | None = None) -> PackageManifest:
    """Verify every byte of a package against its manifest.

    :param digest: the digest that the registry recorded. Without it, a package that was changed
        together with its manifest is not noticed.
    :raises ArtifactCorrupt: for a changed, missing or added file, holding both digests.
    """
    manifest = read_manifest(directory)
    if digest is not None and manifest.digest != digest:
        raise ArtifactCorrupt(str(directory), digest, manifest.digest)
    listed = {file.path: file for file in manifest.files}
    for path, recorded in listed.items():
        if (directory / path).is_symlink() or not (directory / path).is_file():
            raise ArtifactCorrupt(path, recorded.sha256, _ABSENT)
        found = hash_file(directory, path)
        if found.sha256 != recorded.sha256:
            raise ArtifactCorrupt(path, recorded.sha256, found.sha256)
    for entry in sorted(directory.rglob("*")):
        path = entry.relative_to(directory).as_posix()
        if not entry.is_dir() and path not in listed and path != MANIFEST_FILE:
            raise ArtifactCorrupt(path, _UNLISTED, hash_file(directory, path).sha256)
    return manifest


def load_model(
    directory: Path,
    *,
    trusted_types: Iterable[str] = (),
    check_environment: str = "warn",
    allow_pickle: bool = False,
    digest: str | None = None,
    where: str = "",
) -> LoadedModel:
    """Load a package after verifying it.

    :param trusted_types: dotted names trusted in addition to the registry's list.
    :param check_environment: ``error`` refuses libraries that differ from those of the package;
        ``warn`` logs them and refuses only missing ones; ``ignore`` does not look.
    :param allow_pickle: load a package whose format is ``pickle``, which runs its author's code.
    :param digest: the digest that the registry recorded.
    :param where: what errors call the package, for example its URI; its directory by default.
    :raises ArtifactCorrupt: when a byte differs from the manifest, or the manifest from ``digest``.
    :raises UntrustedPackage: when it holds types that are not trusted, or is a pickle; nothing was
        run.
    :raises EnvironmentMismatch: see ``check_environment``.
    """
    if check_environment not in ("error", "warn", "ignore"):
        raise InvalidInput("check_environment", check_environment, "it is error, warn or ignore.")
    where = where or str(directory)
    manifest = verify_files(directory, digest=digest)
    if check_environment != "ignore":
        _check_environment(manifest, where, strict=check_environment == "error")
    file = directory / manifest.model_file
    if manifest.format == "pickle":
        model = pickle_format.load(file, allow_pickle=allow_pickle, where=where)
    elif manifest.format == "lightgbm":
        model = lightgbm_format.load(file, where=where)
    else:
        model = skops_format.load(file, trusted_types, where=where)
    return LoadedModel(manifest, model)


def _check_environment(manifest: PackageManifest, where: str, *, strict: bool) -> None:
    found = differences(manifest.environment)
    missing = {name: pair for name, pair in found.items() if pair[1] is None}
    if missing or (found and strict):
        raise EnvironmentMismatch(where, found if strict else missing)
    if found:
        log.warning("%s", EnvironmentMismatch(where, found))


def _gives_probabilities(booster: Any) -> bool:
    objective = str(booster.dump_model(num_iteration=1).get("objective", ""))
    return objective.startswith(("binary", "multiclass", "cross_entropy", "multiclassova"))
