"""The evidence pack of a version: one archive for auditors."""

from __future__ import annotations

import base64
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from airflow_mltrack.lifecycle.evidence.pack import write_evidence
from airflow_mltrack.web.api.calls import CallDep, Name, Version
from airflow_mltrack.web.rendering import PRIVATE
from airflow_mltrack.web.run_table import check_readable

reading = APIRouter(tags=["evidence"])
_ZIP = "application/zip"


@reading.get(
    "/models/{name}/versions/{version}/evidence",
    response_class=FileResponse,
    responses={200: {"content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_evidence(name: Name, version: Version, call: CallDep) -> FileResponse:
    """Send everything that is recorded of a version in one archive.

    It holds the version's run: whoever may not see the run's Dag does not get it.
    """
    with call.client.store.transaction() as tx:
        found = tx.registry.get_version(name, version)
        runs = tx.runs.get_many([found.run_id] if found.run_id else [])
    for run in runs:
        check_readable(call.reader, run)
    directory = Path(tempfile.mkdtemp(prefix="mltrack-evidence-"))
    try:
        pack = write_evidence(
            call.client, name, version, directory / "evidence.zip", actor=call.actor
        )
    except BaseException:
        _remove(directory)
        raise
    return FileResponse(
        pack.path,
        media_type=_ZIP,
        headers={
            **PRIVATE,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"
            f"-v{version}-evidence.zip",
            "Repr-Digest": f"sha-256=:{_base64(pack.sha256)}:",
        },
        background=BackgroundTask(_remove, directory),
    )


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode("ascii")
