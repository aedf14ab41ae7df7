"""A version while it is judged: its package, its scores, its decision threshold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import Conflict, InvalidInput, UntrustedPackage
from airflow_mltrack.tracking.model_uri import download_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from airflow_mltrack.entities.registry import ModelVersion
    from airflow_mltrack.lifecycle.held_out import HeldOutRows
    from airflow_mltrack.model_package.reader import LoadedModel
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.tracking.client import TrackingClient

THRESHOLD = "threshold"
"""Key of a package's metadata, and metric of its run, that holds the decision threshold."""


def load_version(
    client: TrackingClient, version: ModelVersion, directory: Path, check_environment: str
) -> LoadedModel:
    """Load a version's package, which must be the registered one.

    :param directory: new directory for the package's files; they stay there, verified.
    :param check_environment: see :func:`~airflow_mltrack.tracking.model_uri.load_model`.
    :raises ArtifactCorrupt: when bytes or digest are not the recorded ones.
    :raises Conflict: when it was registered without a digest, or with that of another package.
    :raises UntrustedPackage: when it brings code of its own: MLflow puts that before everything
        else on the path when it serves, so what is judged would not be what is served.
    """
    from airflow_mltrack.model_package import reader

    uri = f"models:/{version.name}/{version.version}"
    download_model(client, uri, directory)
    manifest = reader.read_manifest(directory, where=uri)
    if manifest.mlflow is not None and manifest.mlflow.code:
        reason = (
            f"it brings code of its own ({manifest.mlflow.code}), which MLflow would run when it "
            "serves and nobody judges. Install the code as a library, and log the model without it."
        )
        raise UntrustedPackage(uri, (), reason=reason)
    found = manifest.digest
    if found != registered_digest(version):
        raise Conflict(
            "model version",
            f"{version.name}/{version.version}",
            f"its package has digest {found}, registered was {version.digest}.",
            "Register the package that you mean as a new version.",
        )
    return reader.load_model(
        directory,
        trusted_types=client.settings.trusted_types,
        check_environment=check_environment,
        digest=found,
        where=uri,
    )


def registered_digest(version: ModelVersion) -> str:
    """Return the digest of a version's package.

    :raises Conflict: when it was registered without one.
    """
    if version.digest is None:
        raise Conflict(
            "model version",
            f"{version.name}/{version.version}",
            "it was registered without a package digest, so no verdict can be bound to it.",
            "Log the model with this package and register it again.",
        )
    return version.digest


def event_scores(loaded: LoadedModel, rows: HeldOutRows) -> NDArray[np.float64]:
    """Return the probability of the event for every row.

    :raises InvalidInput: when the rows do not fit the model, or it does not tell two classes apart.
    """
    import numpy as np

    # Gates judge the scores; rows outside the learned ranges are part of what is judged.
    found = np.asarray(loaded.predict_proba(rows.features, constraints="ignore"), dtype=float)
    if found.shape != (rows.target.size, 2):
        raise InvalidInput(
            "model",
            loaded.manifest.model_class,
            f"it gives probabilities of shape {found.shape}, gates need two classes for "
            f"{rows.target.size} rows.",
        )
    return found[:, 1]


def stored_threshold(
    client: TrackingClient, version: ModelVersion, metadata: Mapping[str, object]
) -> float | None:
    """Return the decision threshold that was chosen when a version was trained.

    :param metadata: of the package, where ``threshold`` comes first; then the metric ``threshold``
        of the attempt that logged the package.
    :return: None when neither says.
    """
    told = metadata.get(THRESHOLD)
    if isinstance(told, (int, float)) and not isinstance(told, bool) and math.isfinite(told):
        return float(told)
    if version.model_id is None:
        return None
    model_id = version.model_id

    def logged(tx: Transaction) -> float | None:
        model = tx.models.get(model_id)
        if model.run_id is None or model.attempt_id is None:
            return None
        number = tx.runs.attempt(model.attempt_id).number
        return tx.runs.data(model.run_id, attempt=number).metrics.get(THRESHOLD)

    found = client.transact(logged)
    return found if found is not None and math.isfinite(found) else None


def size_of(directory: Path) -> int:
    """Return how many bytes the files of a package have."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
