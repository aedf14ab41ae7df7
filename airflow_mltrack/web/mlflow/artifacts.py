"""Files of runs and of logged models: up, down, listed; bytes stream through in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response

from airflow_mltrack.tracking.run_artifacts import Upload, new_root, remove_bytes, store_uploads
from airflow_mltrack.web.files import send_file
from airflow_mltrack.web.mlflow.artifact_owners import (
    find_file,
    find_open_owner,
    find_owner,
    path_errors,
)
from airflow_mltrack.web.mlflow.bodies import BodyReader, transfer_slots
from airflow_mltrack.web.mlflow.calls import Call, get, open_call
from airflow_mltrack.web.mlflow.errors import NOT_IMPLEMENTED, MlflowError, invalid
from airflow_mltrack.web.mlflow.fields import text
from airflow_mltrack.web.mlflow.locations import (
    Location,
    checked_path,
    model_location,
    parse_location,
    run_location,
)

if TYPE_CHECKING:
    from airflow_mltrack.artifacts.digests import Readable
    from airflow_mltrack.entities.artifacts import Artifact, ArtifactEntry

PRESIGNED_SECONDS = 300
FILE_BODY = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
}
"""How the OpenAPI document describes a body that is a file."""
FILE_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
}
"""The same of an answer."""
READING, WRITING = APIRouter(), APIRouter()
"""Endpoints below ``/api/2.0`` and ``/ajax-api/2.0`` whose bodies are files."""


@READING.get("/mlflow-artifacts/artifacts")
def list_served(request: Request, path: Annotated[str, Query()] = "") -> dict[str, Any]:
    """List the files directly below a location, by their last names."""
    found = _list(open_call(request), parse_location(path))
    return {"files": [_entry(entry, entry.path.rpartition("/")[2]) for entry in found]}


@READING.get(
    "/mlflow-artifacts/artifacts/{path:path}", response_class=Response, responses=FILE_ANSWER
)
def download(path: str, request: Request) -> Response:
    """Send a file whose digest is verified on the way."""
    call = open_call(request)
    return send_whole(call, find_file(call, _served(path, request)))


@READING.get("/mlflow-artifacts/presigned/{path:path}")
def presigned(path: str, request: Request) -> dict[str, Any]:
    """Give an address at which the file can be read directly, for a while."""
    call = open_call(request)
    return presign(call, find_file(call, _served(path, request)))


@WRITING.put("/mlflow-artifacts/artifacts/{path:path}", openapi_extra={"requestBody": FILE_BODY})
async def upload(path: str, request: Request) -> dict[str, Any]:
    """Take a file: bytes first, then the row that names them."""
    call, place, body = open_call(request), _served(path, request), BodyReader(request)
    is_small = await body.read_ahead()
    work = partial(store_file, call, place, body, size=body.size_hint)
    await run_sync(work, limiter=None if is_small else transfer_slots())
    return {}


@WRITING.delete("/mlflow-artifacts/artifacts/{path:path}")
def remove(path: str, request: Request) -> dict[str, Any]:
    """Remove a file, or everything below a directory; what is not there is no error."""
    call, place = open_call(request), _served(path, request)
    with call.client.store.transaction() as tx:
        files = find_open_owner(call, tx, place).files
        gone = tx.artifacts.remove(
            attempt_id=files.attempt_id, model_id=files.model_id, path=place.path
        )
    remove_bytes(call.client, [record.key for record in gone])
    return {}


def store_file(call: Call, place: Location, body: Readable, *, size: int | None = None) -> None:
    """Store what ``body`` gives; nothing is left of a body that breaks off.

    :param size: bytes to expect.
    :raises MlflowError: when the place names no file, or no file may be added there.
    """
    if not place.path:
        raise invalid("Invalid path: it names no file.")
    with call.client.store.transaction() as tx:
        owner = find_open_owner(call, tx, place)
    put = Upload(place.path, lambda store, key: store.put_stream(key, body, size_hint=size), 0)
    with path_errors():
        store_uploads(
            call.client,
            [put],
            root=new_root(owner.root),
            owner=owner.files,
            check=lambda tx: find_open_owner(call, tx, place),
        )


def send_whole(call: Call, record: Artifact) -> Response:
    """Send a file as it is, without compression on the way.

    Airflow compresses what names no encoding: for models and archives that costs far more time
    than it saves, and clients no longer learn the size.
    """
    answer = send_file(call.client.artifact_store, record)
    answer.headers["Content-Encoding"] = "identity"
    return answer


def presign(call: Call, record: Artifact, *, seconds: int = PRESIGNED_SECONDS) -> dict[str, Any]:
    """Give an address at which the store itself sends a file, for a while.

    :raises MlflowError: when the store has no such addresses.
    """
    url = call.client.artifact_store.presign(
        record.key, expires=seconds, download_name=record.path.rpartition("/")[2]
    )
    if url is None:
        raise MlflowError(
            NOT_IMPLEMENTED, "Presigned URLs are not supported for the current artifact repository"
        )
    return {"url": url, "headers": {}, "file_size": record.size}


def _served(path: str, request: Request) -> Location:
    """Read the address of a file.

    Clients send a ? in a file's name as it is, so what stands behind it is part of the name.
    """
    query = request.url.query
    return parse_location(f"{path}?{unquote(query)}" if query else path)


def _list(call: Call, place: Location) -> Sequence[ArtifactEntry]:
    with call.client.store.transaction() as tx:
        files = find_owner(call, tx, place).files
        entries = tx.artifacts.list(
            attempt_id=files.attempt_id, model_id=files.model_id, under=place.path
        )
    # A file lists itself; clients want to hear nothing then.
    return [entry for entry in entries if entry.path != place.path]


def _entry(entry: ArtifactEntry, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"path": name, "is_dir": entry.is_dir}
    return found if entry.is_dir else found | {"file_size": entry.size}


def _list_of_run(call: Call) -> dict[str, Any]:
    """List files of a run by their whole paths, for R, Java and the user interface."""
    with call.client.store.transaction() as tx:
        run = call.visible_run(tx, call.run_id)
    place = Location(run.experiment_id, run_id=run.run_id, path=checked_path(call.get("path", "")))
    return {
        "root_uri": run_location(run.experiment_id, run.run_id),
        "files": [_entry(entry, entry.path) for entry in _list(call, place)],
    }


def _list_of_model(call: Call) -> dict[str, Any]:
    path = checked_path(call.get("artifact_directory_path", ""))
    with call.client.store.transaction() as tx:
        model = tx.models.get(call["model_id"])
    place = Location(model.experiment_id, model_id=model.model_id, path=path)
    return {
        "root_uri": model_location(model.experiment_id, model.model_id),
        "files": [_entry(entry, entry.path) for entry in _list(call, place)],
    }


ROUTES = (
    get(
        "/mlflow/artifacts/list",
        _list_of_run,
        {"run_id": text(), "run_uuid": text(), "path": text(), "page_token": text()},
    ),
    get(
        "/mlflow/logged-models/{model_id}/artifacts/directories",
        _list_of_model,
        {"model_id": text(required=True), "artifact_directory_path": text()},
    ),
)
