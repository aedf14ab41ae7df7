"""Makes the manifest of a package that MLflow wrote, which has an ``MLmodel`` file and no other.

MLflow need not be installed. What such a package says about itself is believed where it only tells
(metadata, run, environment) and not where it decides: the list of trusted types in it is not read,
code that it brings is never imported, and a model file is looked at before it is loaded, as in a
package of ours. Its digest is over the same bytes as that of ours: every file, by path.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_mltrack.exceptions import ModelPackageError, UntrustedPackage, shorten
from airflow_mltrack.model_package.bounded_yaml import BYTES, read_yaml
from airflow_mltrack.model_package.manifest import MlflowOrigin, PackageManifest, check_storable
from airflow_mltrack.model_package.mlmodel import MLMODEL_FILE
from airflow_mltrack.model_package.mlmodel_environment import read_environment
from airflow_mltrack.model_package.mlmodel_flavors import find_model_file, flavor_words
from airflow_mltrack.model_package.mlmodel_signature import read_signature
from airflow_mltrack.model_package.package_files import PackageFiles


def read_mlmodel(package: PackageFiles) -> PackageManifest:
    """Make the manifest of a package.

    :param package: its files, an MLmodel file among them.
    :raises ModelPackageError: when the MLmodel file cannot be read, or names no flavor that can be.
    """
    try:
        manifest = _manifest(_content(package.read(MLMODEL_FILE, BYTES)), package)
    except (TypeError, ValueError) as error:
        raise _unusable(package.where, str(error)) from error
    check_storable(manifest, MLMODEL_FILE, package.where)
    return manifest


def check_same_model(data: bytes, manifest: PackageManifest, where: str) -> None:
    """Refuse a package of ours whose MLmodel file leads MLflow to another model.

    Whoever uploads a package file by file could put in one model to be judged and another to be
    served.

    :param data: of the MLmodel file.
    :raises UntrustedPackage: when MLflow would load another file, or in another way, or run code
        that the package brings.
    """
    try:
        paths = frozenset(file.path for file in manifest.files)
        flavors = _flavors(_content(data).get("flavors"))
        found, code = find_model_file(flavors, paths), _code(flavors)
    except (TypeError, ValueError) as error:
        reason = f"its MLmodel file cannot be used: {str(error).rstrip('.')}."
        raise UntrustedPackage(where, (), reason=reason) from error
    if (found.path, found.format) != (manifest.model_file, manifest.format):
        raise UntrustedPackage(
            where,
            (),
            reason=f"for MLflow the model is {found.path} ({found.format}), for mltrack.json it "
            f"is {manifest.model_file} ({manifest.format}): what is judged would not be what is "
            "served. Log the model again.",
        )
    if code:
        raise UntrustedPackage(
            where,
            (),
            reason=f"for MLflow it brings code of its own ({shorten(code, 60)}), which packages of "
            "ours never do and nobody judges. Log the model again.",
        )


def _content(data: bytes) -> dict[str, Any]:
    content = read_yaml(data)
    if not isinstance(content, dict):
        raise TypeError("it is no mapping of keys to values")
    return content


def _unusable(where: str, reason: str) -> ModelPackageError:
    return ModelPackageError(
        f"The MLmodel file of the model package {where} cannot be used: {reason}"
        f"{'' if reason.endswith('.') else '. Was it written by MLflow? Log the model again.'}"
    )


def _manifest(content: dict[str, Any], package: PackageFiles) -> PackageManifest:
    flavors = _flavors(content.get("flavors"))
    file = find_model_file(flavors, package.paths)
    model_class = flavors.get("lightgbm", {}).get("model_class")
    serialization = file.serialization or (file.format if file.format == "skops" else "")
    return PackageManifest(
        format=file.format,
        created_at=_moment(content.get("utc_time_created")),
        model_class=model_class if isinstance(model_class, str) else "",
        files=package.files,
        digest=package.digest,
        serialization=file.serialization,
        signature=read_signature(content.get("signature")),
        environment=read_environment(flavors, package, serialization),
        metadata=_metadata(content.get("metadata")),
        mlflow=MlflowOrigin(
            version=_text(content, "mlflow_version"),
            flavors=flavor_words(flavors),
            model_file=file.path,
            run_id=_text(content, "run_id"),
            model_id=_text(content, "model_id"),
            example=_example(content.get("saved_input_example_info"), package),
            code=_code(flavors),
        ),
    )


def _flavors(value: object) -> dict[str, Mapping[str, object]]:
    if not isinstance(value, dict):
        raise TypeError("it has no flavors")
    for name, flavor in value.items():
        if not isinstance(flavor, dict):
            raise TypeError(f"its flavor {name[:60]!r} is no mapping")
    return value


def _code(flavors: Mapping[str, Mapping[str, object]]) -> str:
    """Return the directory with code of the package's own, which MLflow puts first on its path."""
    return next((str(item["code"]) for item in flavors.values() if item.get("code")), "")


def _example(info: object, package: PackageFiles) -> str:
    path = info.get("artifact_path") if isinstance(info, dict) else None
    return path if isinstance(path, str) and path in package.paths else ""


def _moment(value: object) -> str:
    """Return a time of MLflow's, which is in UTC and says no zone; empty when it is none."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).isoformat()


def _text(content: dict[str, Any], key: str) -> str:
    value = content.get(key)
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _metadata(value: object) -> dict[str, object]:
    return dict(_plain(value)) if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    """Give metadata as JSON takes it: NaN and infinities become texts."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
