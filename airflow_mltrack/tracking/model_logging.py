"""From a fitted model to a logged model: package, bytes, rows, READY."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.entities.lineage import LineageEdge, LineageNode
from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import (
    ArtifactCorrupt,
    MltrackError,
    ModelPackageError,
    NotFound,
    StoreUnavailable,
)
from airflow_mltrack.store.models import check_model_name
from airflow_mltrack.tracking.run_artifacts import (
    FileOwner,
    directory_uploads,
    remove_bytes,
    store_uploads,
)

if TYPE_CHECKING:
    import pandas as pd

    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.entities.models import LoggedModel
    from airflow_mltrack.model_package.code_version import CodeVersion
    from airflow_mltrack.model_package.manifest import PackageManifest
    from airflow_mltrack.model_package.signature import Signature
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.active_run import ActiveRun
    from airflow_mltrack.tracking.client import TrackingClient

logger = logging.getLogger(__name__)


def log_model(
    run: ActiveRun,
    model: object,
    name: str,
    *,
    example: pd.DataFrame | None,
    training_data: pd.DataFrame | None,
    format: str | None,  # noqa: A002 - the package's word for it
    signature: Signature | None,
    code: CodeVersion | None,
    seeds: Mapping[str, object] | None,
    metadata: Mapping[str, object] | None,
    trusted_types: Sequence[str],
) -> LoggedModel:
    """Package a model and store it; see :meth:`ActiveRun.log_model`."""
    from airflow_mltrack.model_package.writer import write_package

    check_model_name(name)
    with tempfile.TemporaryDirectory(prefix="mltrack-package-") as directory:
        manifest = write_package(
            model,
            Path(directory),
            example=example,
            training_data=training_data,
            format=format,
            signature=signature,
            code=code or run.capture_code(),
            seeds=seeds,
            metadata=metadata,
            trusted_types=(*run.client.settings.trusted_types, *trusted_types),
        )
        return store_package(run, Path(directory), manifest, name)


def store_package(
    run: ActiveRun, directory: Path, manifest: PackageManifest, name: str
) -> LoggedModel:
    """Store a package directory as a logged model of a run.

    :return: the model, READY.
    :raises MltrackError: the model is FAILED, and its bytes are removed.
    """
    client = run.client
    pending = client.transact(
        lambda tx: tx.models.create(
            experiment_id=run.experiment_id,
            name=name,
            run_id=run.run_id,
            attempt_id=run.attempt_id,
            model_type=manifest.format,
        )
    )
    try:
        return _fill(client, pending, directory, manifest)
    except BaseException as error:
        _give_up(client, pending, error)
        raise


def _fill(
    client: TrackingClient, pending: LoggedModel, directory: Path, manifest: PackageManifest
) -> LoggedModel:
    owner = FileOwner(model_id=pending.model_id)
    stored = store_uploads(
        client, directory_uploads(directory), root=pending.artifact_root, owner=owner
    )
    size = sum(item.size for item in stored)

    def finalize(tx: Transaction) -> LoggedModel:
        edge = LineageEdge(
            LineageNode("run", pending.run_id or ""),
            LineageNode("model", pending.model_id),
            "produced",
        )
        tx.lineage.add([edge])
        return tx.models.finalize(
            pending.model_id, digest=manifest.digest, size=size, manifest=manifest.to_json()
        )

    return client.transact(finalize)


def complete_model(client: TrackingClient, model_id: str) -> LoggedModel:
    """Close a model whose files were uploaded one by one, as MLflow's clients do.

    Its digest is that of :func:`~airflow_mltrack.model_package.manifest.digest_of_files` over what
    is there now; what its manifest or MLmodel file tells is recorded, where it can be read. Closing
    it again changes nothing.

    :raises NotFound: when there is no such model.
    :raises Conflict: when it has failed, or is ready with other files.
    :raises ArtifactUnavailable: when the artifact store does not answer; a retry may help.
    """
    from airflow_mltrack.model_package.manifest import digest_of_files

    described = _describe(client, model_id)

    def work(tx: Transaction) -> LoggedModel:
        tx.models.hold(model_id)  # a file that is being added is there now, or never
        files = tx.artifacts.walk(model_id=model_id)
        digest = digest_of_files({file.path: file.sha256 for file in files})
        is_of_these = described is not None and described.digest == digest
        model = tx.models.finalize(
            model_id,
            digest=digest,
            size=sum(file.size for file in files),
            manifest=described.to_json() if described and is_of_these else {},
        )
        if model.run_id is not None:
            edge = LineageEdge(
                LineageNode("run", model.run_id), LineageNode("model", model_id), "produced"
            )
            tx.lineage.add([edge])
        return model

    return client.transact(work)


def _describe(client: TrackingClient, model_id: str) -> PackageManifest | None:
    """Read what the small files of an open model tell; its model file is not looked at.

    :return: None when they tell nothing that can be read: any file may be logged as a model.
    """
    from airflow_mltrack.model_package.manifest import PackageFile
    from airflow_mltrack.model_package.package_files import PackageFiles
    from airflow_mltrack.model_package.reader import describe_package

    def look(tx: Transaction) -> list[Artifact]:
        is_open = tx.models.get(model_id).status is LoggedModelStatus.PENDING
        return list(tx.artifacts.walk(model_id=model_id)) if is_open else []

    files = {file.path: file for file in client.transact(look)}

    def read(path: str) -> bytes:
        file = files[path]
        return client.artifact_store.read_bytes(file.key, sha256=file.sha256, limit=file.size)

    listed = (PackageFile(path, files[path].size, files[path].sha256) for path in sorted(files))
    try:
        return describe_package(PackageFiles(f"models:/{model_id}", tuple(listed), read))
    except (ModelPackageError, ArtifactCorrupt, NotFound) as error:
        logger.info("What is in logged model %s is not on record: %s", model_id, error)
        return None


def _give_up(client: TrackingClient, pending: LoggedModel, error: BaseException) -> None:
    """Mark the model as failed, then remove rows and bytes: never a row without bytes."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

    def fail(tx: Transaction) -> list[str]:
        tx.models.fail(pending.model_id, reason)
        return [old.key for old in tx.artifacts.remove(model_id=pending.model_id)]

    # A database that is away was waited for already.
    patience = 0.0 if isinstance(error, StoreUnavailable) else None
    try:
        remove_bytes(client, client.transact(fail, patience=patience))
    except MltrackError:
        logger.exception("Logged model %s could not be marked as failed.", pending.model_id)
