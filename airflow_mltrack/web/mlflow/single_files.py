"""Files by run, model or version, for the user interface, R and Java."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request

from airflow_mltrack.web.mlflow.artifact_owners import file_of, find_file, owner_of_model
from airflow_mltrack.web.mlflow.artifacts import FILE_BODY, presign, send_whole, store_file
from airflow_mltrack.web.mlflow.bodies import read_body
from airflow_mltrack.web.mlflow.calls import Answer, Call, get, open_call
from airflow_mltrack.web.mlflow.errors import MISSING, MlflowError, invalid
from airflow_mltrack.web.mlflow.fields import flag, text
from airflow_mltrack.web.mlflow.locations import Location, checked_path
from airflow_mltrack.web.mlflow.model_versions import find_version, version_number

if TYPE_CHECKING:
    from airflow_mltrack.entities.artifacts import Artifact

UPLOAD_LIMIT = 10 * 1024 * 1024
"""Bytes; larger files go the way of :mod:`~airflow_mltrack.web.mlflow.artifacts`."""
WRITING = APIRouter()
"""Endpoints below ``/api/2.0`` and ``/ajax-api/2.0`` whose bodies are files."""


@WRITING.post("/mlflow/upload-artifact", openapi_extra={"requestBody": FILE_BODY})
async def upload(
    request: Request,
    run_id: Annotated[str, Query()] = "",
    run_uuid: Annotated[str, Query()] = "",
    path: Annotated[str, Query()] = "",
) -> dict[str, Any]:
    """Take a small file of a run."""
    call = open_call(request, {"run_id": run_id, "run_uuid": run_uuid})
    place = partial(_place_of_run, call, call.run_id, _checked(path))
    data = await read_body(request, UPLOAD_LIMIT)
    if not data:
        raise invalid("Request must specify data.")
    await run_sync(lambda: store_file(call, place(), io.BytesIO(data), size=len(data)))
    return {}


def _of_run(call: Call) -> Answer:
    place = _place_of_run(call, call.run_id, _checked(call["path"]))
    return _answer(call, find_file(call, place))


def _of_model(call: Call) -> Answer:
    path = _checked(call["artifact_file_path"])
    with call.client.store.transaction() as tx:
        record = file_of(tx, owner_of_model(call, tx, call["model_id"]), path)
    return _answer(call, record)


def _of_version(call: Call) -> Answer:
    path, number = _checked(call["path"]), version_number(call["version"])
    with call.client.store.transaction() as tx:
        version = find_version(tx, call["name"], number)
        if version.model_id is None:
            raise MlflowError(
                MISSING, f"Version {number} is a package that is kept elsewhere: {version.source}"
            )
        record = file_of(tx, owner_of_model(call, tx, version.model_id), path)
    return _answer(call, record)


def _answer(call: Call, record: Artifact) -> Answer:
    if call.get("presigned", False):
        return presign(call, record)
    return send_whole(call, record)


def _place_of_run(call: Call, run_id: str, path: str) -> Location:
    with call.client.store.transaction() as tx:
        run = call.visible_run(tx, run_id)
    return Location(run.experiment_id, run_id=run.run_id, path=path)


def _checked(path: str) -> str:
    found = checked_path(path)
    if not found:
        raise invalid("Missing value for required parameter 'path'.")
    return found


_PRESIGNED = {"presigned": flag()}

ROUTES = (
    get(
        "/mlflow/logged-models/{model_id}/artifacts/files",
        _of_model,
        {
            "model_id": text(required=True),
            "artifact_file_path": text(required=True),
            **_PRESIGNED,
        },
    ),
)

ROOT_ROUTES = (
    get(
        "/get-artifact",
        _of_run,
        {"run_id": text(), "run_uuid": text(), "path": text(required=True), **_PRESIGNED},
    ),
    get(
        "/model-versions/get-artifact",
        _of_version,
        {
            "name": text(required=True),
            "version": text(required=True),
            "path": text(required=True),
            **_PRESIGNED,
        },
    ),
)
"""At the root of the mounted app."""
