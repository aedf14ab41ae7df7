"""What the server can do, which version of the protocol it speaks, and that it is there."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from fastapi.responses import PlainTextResponse

from airflow_mltrack.web.mlflow.calls import Call, get
from airflow_mltrack.web.rendering import PRIVATE

MLFLOW_VERSION = "3.17.2"
"""The MLflow whose protocol this is; clients that ask compare it with what they need."""


def _server_info(call: Call) -> dict[str, Any]:
    """Say what clients may make use of; those before 3.17 never ask."""
    return {
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "artifact_serving_enabled": True,
        "artifacts_presigned_only": False,
        "multipart_uploads_enabled": call.client.artifact_store.takes_parts,
        # Whoever reads from the store directly compares no digest. Who wants to all the same sets
        # MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD.
        "multipart_downloads_enabled": False,
        "presigned_upload_run_id_supported": False,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
        "tracking_auth": "",
    }


def _version(call: Call) -> Response:
    del call
    return PlainTextResponse(MLFLOW_VERSION, headers=PRIVATE)


def _health(call: Call) -> Response:
    """Say that requests are answered. It asks nobody else: a database away is no reason to stop."""
    del call
    return PlainTextResponse("OK", headers=PRIVATE)


ROUTES = (get("/mlflow/server-info", _server_info, {}),)
"""Below ``/api/3.0`` and ``/ajax-api/3.0``."""

ROOT_ROUTES = (get("/version", _version, {}), get("/health", _health, {}))
"""At the root of the mounted app."""
