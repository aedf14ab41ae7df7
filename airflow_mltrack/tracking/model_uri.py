"""Model URIs: what they name, and how to get it.

====================================  ===================================================
``models:/<name>/<number>``           that version
``models:/<name>/<stage>``            the newest version in that stage, ``models:/m/Production``
``models:/<name>/latest``             the newest version
``models:/<name>@<alias>``            the version that has the alias
``models:/m-<32 hexadecimal>``        a logged model
``runs:/<run_id>/<model name>``       the newest model that the run logged under that name
====================================  ===================================================

The forms are MLflow's: https://mlflow.org/docs/latest/ml/model-registry/
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.tracking.run_files import fetch_files

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from airflow_mltrack.entities.models import LoggedModel
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

_LOGGED_MODEL = re.compile(r"models:/(?P<id>m-[0-9a-f]{32})")
_ALIAS = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")
_VERSION = re.compile(r"models:/(?P<name>[^/@]+)/(?P<which>[^/@]+)")
_RUN = re.compile(r"runs:/(?P<run_id>[^/]+)/(?P<name>[^/]+)")
_HINT = (
    "Use models:/<name>/<version, stage or latest>, models:/<name>@<alias>, models:/m-<id> or "
    "runs:/<run_id>/<model name>."
)


class ModelUriKind(str, Enum):
    """What a model URI names."""

    VERSION = "version"
    STAGE = "stage"
    LATEST = "latest"
    ALIAS = "alias"
    LOGGED_MODEL = "logged_model"
    RUN_MODEL = "run_model"


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A parsed model URI."""

    kind: ModelUriKind
    name: str
    """Registered name; the id of a logged model; for a run's model the name it was logged under."""
    which: str = ""
    """Version number, stage, alias or run id; empty for the newest and for a logged model."""


def parse_model_uri(uri: str) -> ModelUri:
    """Read a model URI.

    :raises InvalidInput: when it has none of the forms above.
    """
    if found := _LOGGED_MODEL.fullmatch(uri):
        return ModelUri(ModelUriKind.LOGGED_MODEL, found["id"])
    if found := _ALIAS.fullmatch(uri):
        return ModelUri(ModelUriKind.ALIAS, found["name"], found["alias"])
    if found := _RUN.fullmatch(uri):
        return ModelUri(ModelUriKind.RUN_MODEL, found["name"], found["run_id"])
    if found := _VERSION.fullmatch(uri):
        which = found["which"]
        if which.isascii() and which.isdigit():
            return ModelUri(ModelUriKind.VERSION, found["name"], which)
        if which.lower() == "latest":
            return ModelUri(ModelUriKind.LATEST, found["name"])
        return ModelUri(ModelUriKind.STAGE, found["name"], which)
    raise InvalidInput("model URI", uri, "it has an unknown form.", _HINT)


def resolve(client: TrackingClient, uri: str) -> LoggedModel:
    """Find the logged model that a URI names now.

    :raises InvalidInput: when the URI cannot be read.
    :raises NotFound: when there is no such model, version, alias or run.
    :raises Conflict: when the model's package is not complete.
    """
    parsed = parse_model_uri(uri)
    with client.store.transaction() as tx:
        model = _logged_model(tx, parsed, uri)
    if model.status is not LoggedModelStatus.READY:
        raise Conflict(
            "logged model",
            model.model_id,
            f"its package is {model.status.value}, it cannot be read.",
            "Log the model again.",
        )
    return model


def resolve_version(client: TrackingClient, uri: str) -> ModelVersion:
    """Find the model version that a URI names now.

    :raises InvalidInput: when the URI names no version of a registered model.
    :raises NotFound: when there is none.
    """
    parsed = parse_model_uri(uri)
    if parsed.kind in (ModelUriKind.LOGGED_MODEL, ModelUriKind.RUN_MODEL):
        raise InvalidInput("model URI", uri, "it names no registered version.", _HINT)
    with client.store.transaction() as tx:
        return _version(tx, parsed, uri)


def download_model(
    client: TrackingClient, uri: str, directory: str | os.PathLike[str] | None = None
) -> Path:
    """Copy a model package to this machine and verify every byte of it.

    :param directory: made when it does not exist, empty otherwise. None makes a temporary one that
        the caller deletes.
    :return: the directory, which holds an MLmodel file, whether we or MLflow wrote it.
    :raises InvalidInput: when the directory is not empty.
    :raises ArtifactCorrupt: when bytes or digest are not the recorded ones.
    """
    from airflow_mltrack.model_package.reader import verify_files

    model = resolve(client, uri)
    target = Path(directory or tempfile.mkdtemp(prefix="mltrack-model-"))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput("model directory", str(target), "it is a new or empty directory.")
    target.mkdir(parents=True, exist_ok=True)
    try:
        _fetch(client, model, target)
        verify_files(target, digest=model.digest, where=uri)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def load_model(
    client: TrackingClient,
    uri: str,
    *,
    trusted_types: Sequence[str] = (),
    check_environment: str = "warn",
    allow_pickle: bool = False,
) -> LoadedModel:
    """Load the model that a URI names, after verifying its bytes and auditing its types.

    Packages that MLflow wrote are loaded, too, where a scikit-learn or LightGBM model is in them.

    :param trusted_types: types that the package may hold, beside the settings' own.
    :param check_environment: what to do where libraries differ from the package's: ``error``,
        ``warn`` (a missing library is still refused) or ``ignore``.
    :param allow_pickle: load a package whose format is ``pickle``, which runs its author's code.
    :raises ArtifactCorrupt: when bytes or digest are not the recorded ones.
    :raises UntrustedPackage: when it holds other types, or is a pickle; nothing was run.
    :raises EnvironmentMismatch: see ``check_environment``.
    """
    from airflow_mltrack.model_package import reader

    model = resolve(client, uri)
    with tempfile.TemporaryDirectory(prefix="mltrack-model-") as directory:
        _fetch(client, model, Path(directory))
        return reader.load_model(
            Path(directory),
            trusted_types=(*client.settings.trusted_types, *trusted_types),
            check_environment=check_environment,
            allow_pickle=allow_pickle,
            digest=model.digest,
            where=uri,
        )


def _fetch(client: TrackingClient, model: LoggedModel, directory: Path) -> None:
    with client.store.transaction() as tx:
        files = tx.artifacts.walk(model_id=model.model_id)
    fetch_files(client, files, directory)


def _logged_model(tx: Transaction, parsed: ModelUri, uri: str) -> LoggedModel:
    if parsed.kind is ModelUriKind.LOGGED_MODEL:
        return tx.models.get(parsed.name)
    if parsed.kind is ModelUriKind.RUN_MODEL:
        tx.runs.get(parsed.which)
        for model in tx.models.list(run_id=parsed.which, name=parsed.name):
            if model.status is LoggedModelStatus.READY:
                return model
        raise NotFound("model", uri, "The run logged no complete model under that name.")
    version = _version(tx, parsed, uri)
    if version.model_id is None:
        raise NotFound("package of model version", uri, f"Its source is {version.source}.")
    return tx.models.get(version.model_id)


def _version(tx: Transaction, parsed: ModelUri, uri: str) -> ModelVersion:
    if parsed.kind is ModelUriKind.VERSION:
        return tx.registry.get_version(parsed.name, int(parsed.which))
    if parsed.kind is ModelUriKind.ALIAS:
        return tx.registry.get_by_alias(parsed.name, parsed.which)
    if parsed.kind is ModelUriKind.LATEST:
        found = tx.registry.latest_version(parsed.name)
    else:
        versions = tx.registry.list_versions(parsed.name, stage=parsed.which)
        found = max(versions, key=lambda version: version.version, default=None)
    if found is None:
        raise NotFound(
            "model version", uri, f"List the versions: mltrack models show {parsed.name}"
        )
    return found
