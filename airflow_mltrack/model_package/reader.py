"""Reads a model package. Nothing is built before every check has passed.

The order is: manifest, digests of all files, format, environment, types inside the model file, and
only then the model. A package of ours has a manifest, ``mltrack.json``; its MLmodel file is for
mlflow, and must lead it to the same model. For a package that MLflow wrote the manifest is made
from its MLmodel file (:mod:`.mlmodel_reader`), and from there on both are the same. No module that
a package names is ever imported because of it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    EnvironmentMismatch,
    InvalidInput,
    ModelPackageError,
)
from airflow_mltrack.model_package.bounded_yaml import BYTES
from airflow_mltrack.model_package.environment import differences
from airflow_mltrack.model_package.formats import lightgbm as lightgbm_format
from airflow_mltrack.model_package.formats import pickle as pickle_format
from airflow_mltrack.model_package.formats import skops as skops_format
from airflow_mltrack.model_package.manifest import (
    MANIFEST_FILE,
    MANIFEST_LIMIT,
    PackageManifest,
    check_storable,
    hash_file,
    parse_manifest,
)
from airflow_mltrack.model_package.mlmodel import MLMODEL_FILE
from airflow_mltrack.model_package.mlmodel_reader import check_same_model, read_mlmodel
from airflow_mltrack.model_package.object_graph import type_name
from airflow_mltrack.model_package.package_files import PackageFiles, files_in
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
        :raises InvalidInput: when the rows do not fit the signature, or the model refuses them.
        """
        return self._ask(self.model.predict, self.check(data, constraints=constraints).data)

    def predict_proba(self, data: Any, *, constraints: str = "warn") -> Any:
        """Predict probabilities: one column per class; a binary booster's as two columns.

        :param data: as for :meth:`predict`.
        :raises InvalidInput: as :meth:`predict`, and when the model gives none.
        """
        import numpy

        rows = self.check(data, constraints=constraints).data
        if hasattr(self.model, "predict_proba"):
            return self._ask(self.model.predict_proba, rows)
        if self.manifest.format == "lightgbm" and _gives_probabilities(self.model):
            found = self._ask(self.model.predict, rows)
            return found if found.ndim == 2 else numpy.column_stack([1.0 - found, found])
        raise InvalidInput(
            "model", self.manifest.model_class, "it predicts no probabilities.", "Use predict."
        )

    def _ask(self, method: Callable[[Any], Any], rows: Any) -> Any:
        """Ask the model; that it refuses the rows is the rows' fault."""
        try:
            return method(rows)
        except InvalidInput:
            raise
        except _refusals() as error:
            has_signature = self.manifest.signature is not None
            raise InvalidInput(
                "model input",
                f"{type(rows).__name__} of shape {getattr(rows, 'shape', None)}",
                f"{self.manifest.model_class} refuses it: {error}.",
                "Correct the values."
                if has_signature
                else "The package has no signature, so the rows must be exactly as in training; "
                "log the model with one.",
            ) from error


def read_manifest(directory: Path, *, where: str = "") -> PackageManifest:
    """Read the manifest of a package, or make that of a package that MLflow wrote.

    :param where: what errors call the package; its directory by default.
    :raises ModelPackageError: when there is none, or it cannot be read.
    """
    where = where or str(directory)
    if (directory / MANIFEST_FILE).is_file():
        return parse_manifest((directory / MANIFEST_FILE).read_bytes(), where)
    if (directory / MLMODEL_FILE).is_file():
        return read_mlmodel(files_in(directory, where))
    raise _no_package(where)


def describe_package(package: PackageFiles) -> PackageManifest:
    """Read or make the manifest of a package that lies elsewhere, for example in a store.

    :raises ModelPackageError: when there is none, it cannot be read, or it is not about these
        files.
    """
    if MANIFEST_FILE in package.paths:
        manifest = parse_manifest(package.read(MANIFEST_FILE, MANIFEST_LIMIT), package.where)
        check_storable(manifest, MANIFEST_FILE, package.where)
        if MLMODEL_FILE in package.paths:
            check_same_model(package.read(MLMODEL_FILE, BYTES), manifest, package.where)
    elif MLMODEL_FILE in package.paths:
        manifest = read_mlmodel(package)
    else:
        raise _no_package(package.where)
    if manifest.digest != package.digest:
        raise ModelPackageError(
            f"The {MANIFEST_FILE} of the model package {package.where} does not list the files "
            "that are there. Log the model again, with all of its files and no other."
        )
    return manifest


def verify_files(directory: Path, *, digest: str | None = None, where: str = "") -> PackageManifest:
    """Verify every byte of a package against its manifest.

    :param digest: the digest that the registry recorded. Without it, a package that was changed
        together with its manifest is not noticed, and none that MLflow wrote: it lists no digests.
    :param where: what errors call the package; its directory by default.
    :raises ArtifactCorrupt: for a changed, missing or added file, holding both digests.
    :raises UntrustedPackage: when MLflow would load another model than this module does.
    """
    manifest = read_manifest(directory, where=where)
    if digest is not None and manifest.digest != digest:
        raise ArtifactCorrupt(where or str(directory), digest, manifest.digest)
    if manifest.mlflow is None:
        _compare_files(directory, manifest)
        if (directory / MLMODEL_FILE).is_file():
            data = (directory / MLMODEL_FILE).read_bytes()
            check_same_model(data, manifest, where or str(directory))
    return manifest


def _compare_files(directory: Path, manifest: PackageManifest) -> None:
    """Compare the files of a package with the list that it brings."""
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


def _no_package(where: str) -> ModelPackageError:
    return ModelPackageError(
        f"{where} is no model package: it has neither {MANIFEST_FILE} nor {MLMODEL_FILE}. "
        "Packages are written by log_model (ours or MLflow's) or write_package."
    )


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
    manifest = verify_files(directory, digest=digest, where=where)
    if manifest.mlflow is not None and manifest.mlflow.code:
        log.warning(
            "The model package %s brings code of its own in %s, which is never imported. If the "
            "model needs it, install it as a library.",
            where,
            manifest.mlflow.code,
        )
    if check_environment != "ignore":
        _check_environment(manifest, where, strict=check_environment == "error")
    file = directory / manifest.model_file
    if manifest.format == "pickle":
        model = pickle_format.load(file, allow_pickle=allow_pickle, where=where)
    elif manifest.format == "lightgbm":
        model = lightgbm_format.load(file, where=where)
    else:
        model = skops_format.load(file, trusted_types, where=where)
    return LoadedModel(replace(manifest, model_class=type_name(model)), model)


def _check_environment(manifest: PackageManifest, where: str, *, strict: bool) -> None:
    found = differences(manifest.environment)
    missing = {name: pair for name, pair in found.items() if pair[1] is None}
    if missing or (found and strict):
        raise EnvironmentMismatch(where, found if strict else missing)
    if found:
        log.warning("%s", EnvironmentMismatch(where, found))


def _refusals() -> tuple[type[Exception], ...]:
    """Give the errors with which models refuse rows."""
    lightgbm = sys.modules.get("lightgbm")
    own = () if lightgbm is None else (lightgbm.basic.LightGBMError,)
    return (TypeError, ValueError, KeyError, *own)


def _gives_probabilities(booster: Any) -> bool:
    objective = str(booster.dump_model(num_iteration=1).get("objective", ""))
    return objective.startswith(("binary", "multiclass", "cross_entropy", "multiclassova"))
