"""Addresses at which a store itself sends and takes files, for plugins such as SageMaker's."""

from __future__ import annotations

from typing import Any, NoReturn

from airflow_mltrack.artifacts.artifact_store import MAX_PRESIGN_SECONDS
from airflow_mltrack.web.mlflow.artifact_owners import find_file
from airflow_mltrack.web.mlflow.artifacts import PRESIGNED_SECONDS, presign
from airflow_mltrack.web.mlflow.calls import Call, Needs, post
from airflow_mltrack.web.mlflow.errors import invalid
from airflow_mltrack.web.mlflow.fields import int64, text
from airflow_mltrack.web.mlflow.locations import Location, checked_path


def _download(call: Call) -> dict[str, Any]:
    """Give an address at which a file of a run can be read directly, for a while."""
    seconds, path = call.get("expiration", PRESIGNED_SECONDS), checked_path(call["path"])
    if not 1 <= seconds <= MAX_PRESIGN_SECONDS:
        raise invalid(
            f"expiration must be between 1 and {MAX_PRESIGN_SECONDS} seconds (got {seconds})."
        )
    with call.client.store.transaction() as tx:
        run = call.visible_run(tx, call["run_id"])
    place = Location(run.experiment_id, run_id=run.run_id, path=path)
    found = presign(call, find_file(call, place), seconds=seconds)
    return {"presigned_url": found["url"], **{key: found[key] for key in ("headers", "file_size")}}


def _upload(call: Call) -> NoReturn:
    """Refuse: of bytes that never pass through here nobody would record a digest."""
    del call
    raise invalid(
        "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: "
        "mlflow-artifacts). Send the file to mlflow-artifacts/artifacts/..., or a large one in "
        "parts: mlflow-artifacts/mpu/create/..."
    )


_FILE = {"path": text(required=True), "expiration": int64()}

ROUTES = (
    post(
        "/mlflow/artifacts/presigned-download-url",
        _download,
        {"run_id": text(required=True), **_FILE},
        Needs.READ,
    ),
    post(
        "/mlflow/artifacts/presigned-upload-url",
        _upload,
        {"run_id": text(), "model_id": text(), **_FILE},
    ),
)
