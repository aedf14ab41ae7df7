"""Large files whose parts clients send straight to S3; we sign, put together and record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_mltrack.tracking.multipart_uploads import (
    PartsPlace,
    abort_upload,
    begin_upload,
    complete_upload,
)
from airflow_mltrack.web.mlflow.artifact_owners import find_open_owner, find_owner
from airflow_mltrack.web.mlflow.calls import Call, Needs, Route, post
from airflow_mltrack.web.mlflow.errors import NOT_IMPLEMENTED, MlflowError, invalid
from airflow_mltrack.web.mlflow.fields import int64, message, text
from airflow_mltrack.web.mlflow.locations import Location, checked_path, parse_location

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.web.mlflow.artifact_owners import Owner

_SEPARATOR = re.compile(r"[/\\]")


def _create(call: Call) -> dict[str, Any]:
    """Begin an upload: where to send each part, for some hours."""
    place = _place(call)
    with call.client.store.transaction() as tx:
        owner = find_open_owner(call, tx, place)
    begun = begin_upload(call.client, _parts_place(owner, place), call.get("num_parts", 1))
    if begun is None:
        # In these words: clients send the file whole then.
        raise MlflowError(
            NOT_IMPLEMENTED,
            "Multipart upload is not supported for the current artifact repository",
        )
    return {
        "upload_id": begun.ticket,
        "credentials": [
            {"url": url, "part_number": number, "headers": {}}
            for number, url in enumerate(begun.urls, start=1)
        ],
    }


def _complete(call: Call) -> dict[str, Any]:
    """Put the parts together. The file is read once more for its digest, then it can be seen."""
    place = _place(call)
    parts = {}
    for part in call["parts"]:
        if part["part_number"] in parts:
            raise invalid(f"Part {part['part_number']} is given twice.")
        parts[part["part_number"]] = part["etag"]

    def check(tx: Transaction) -> object:
        return find_open_owner(call, tx, place)

    complete_upload(
        call.client, _known_place(call, place), call["upload_id"], tuple(parts.items()), check
    )
    return {}


def _abort(call: Call) -> dict[str, Any]:
    """Throw the parts away."""
    abort_upload(call.client, _known_place(call, _place(call)), call["upload_id"])
    return {}


def _known_place(call: Call, place: Location) -> PartsPlace:
    """Find where a file goes, also when it is there already and nothing may be added any more."""
    with call.client.store.transaction() as tx:
        owner = find_owner(call, tx, place)
        run_id = place.run_id or tx.models.get(place.model_id or "").run_id
        if run_id is not None:
            call.writable_run(tx, run_id)
    return _parts_place(owner, place)


def _parts_place(owner: Owner, place: Location) -> PartsPlace:
    return PartsPlace(place.path, owner.root, owner.files)


def _place(call: Call) -> Location:
    """Put directory and name together; clients send the path that the file has on their disk."""
    name = _SEPARATOR.split(call["path"])[-1]
    if not name:
        raise invalid(f"Invalid path {call['path'][:200]!r}: it names no file.")
    return parse_location(f"{call['location'].rstrip('/')}/{checked_path(name)}")


_UPLOAD = {
    "location": text(required=True),
    "path": text(required=True),
    "upload_id": text(required=True),
}
_PART = {"part_number": int64(required=True), "etag": text(required=True)}

ROUTES = (
    post(
        "/mlflow-artifacts/mpu/create/{location:path}",
        _create,
        {"location": text(required=True), "path": text(required=True), "num_parts": int64()},
    ),
    Route(
        "POST",
        "/mlflow-artifacts/mpu/complete/{location:path}",
        _complete,
        {**_UPLOAD, "parts": message(_PART, required=True, repeated=True)},
        Needs.WRITE,
        slow=True,
    ),
    post("/mlflow-artifacts/mpu/abort/{location:path}", _abort, _UPLOAD),
)
