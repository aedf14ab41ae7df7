"""Check that a version's package still is what was registered, to the last byte, and loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import ArtifactCorrupt, NotFound
from airflow_mltrack.model_package.manifest import digest_of_files

if TYPE_CHECKING:
    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.tracking.client import TrackingClient

_CHUNK = 1024 * 1024


def check_package(client: TrackingClient, found: ModelVersion) -> list[str]:
    """Read every byte of a version's package; say what is not as it was registered.

    :return: one sentence for each thing, with both digests; nothing when all is well, or when the
        version has no package of ours.
    :raises ArtifactUnavailable: when the artifact store does not answer.
    """
    if found.model_id is None:
        return []
    model_id = found.model_id
    files = client.transact(lambda tx: tx.artifacts.walk(model_id=model_id))
    digests, reasons = {}, []
    for file in files:
        try:
            with client.artifact_store.open(file.key, sha256=file.sha256) as stream:
                while stream.read(_CHUNK):
                    pass
        except ArtifactCorrupt as error:
            reasons.append(
                f"file {file.path} of its package has sha256 {error.found}, "
                f"{error.expected} was recorded"
            )
        except NotFound:
            reasons.append(f"file {file.path} of its package is gone from the artifact store")
        digests[file.path] = file.sha256
    if not reasons and (digest := digest_of_files(digests)) != found.digest:
        reasons.append(f"its package has digest {digest}, {found.digest} was registered")
    return reasons


def check_loads(
    client: TrackingClient,
    found: ModelVersion,
    *,
    check_environment: str = "warn",
    allow_pickle: bool = False,
) -> None:
    """Load a version's package, which verifies its bytes and audits its types.

    :param check_environment: what to do where libraries differ: ``error``, ``warn``, ``ignore``.
    :param allow_pickle: load a pickle, which runs its author's code.
    :raises NotFound: when the version has no package, or bytes of it are gone.
    :raises ArtifactCorrupt: when bytes are not the registered ones; holds both digests.
    :raises ModelPackageError: when it cannot be loaded here.
    """
    from airflow_mltrack.tracking.model_uri import load_model

    loaded = load_model(
        client,
        f"models:/{found.name}/{found.version}",
        check_environment=check_environment,
        allow_pickle=allow_pickle,
    )
    if found.digest is not None and loaded.manifest.digest != found.digest:
        raise ArtifactCorrupt(
            f"models:/{found.name}/{found.version}", found.digest, loaded.manifest.digest
        )
