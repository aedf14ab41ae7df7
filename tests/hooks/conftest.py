"""A real backend behind an Airflow connection, and the context of a task that never ran."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_mltrack.settings import Settings

DefineConnection = Callable[..., str]


@pytest.fixture
def define_connection(monkeypatch: pytest.MonkeyPatch) -> DefineConnection:
    """Define an Airflow connection the way deployments do: in the environment."""

    def define(conn_id: str = "mltrack_default", conn_type: str = "mltrack", **fields: Any) -> str:
        text = json.dumps({"conn_type": conn_type, **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)
        return conn_id

    return define


@pytest.fixture
def backend_connection(settings: Settings, define_connection: DefineConnection) -> str:
    """Define ``mltrack_default`` for the test's own database and artifact directory."""
    parts = urlsplit(settings.database_url)
    socket = parse_qs(parts.query)["host"][0]
    return define_connection(
        host=socket,
        login=parts.username,
        schema=parts.path.lstrip("/"),
        extra={"artifact_uri": settings.artifact_uri, "spool_dir": settings.spool_dir},
    )


def make_context(**ti_fields: Any) -> dict[str, Any]:
    """Build what a task's context holds, as far as this package reads it."""
    pushed: dict[str, object] = {}

    def push(key: str, value: object) -> None:
        pushed[key] = value

    ti = SimpleNamespace(
        **{
            "id": uuid.uuid4(),
            "dag_id": "credit",
            "run_id": "manual__1",
            "task_id": "train",
            "map_index": -1,
            "try_number": 1,
            "dag_version_id": uuid.UUID(int=7),
            "hostname": "worker-1",
            "log_url": "http://localhost/log",
            "bundle_instance": SimpleNamespace(name="dags-folder", version=None),
            **ti_fields,
        },
        pushed=pushed,
        xcom_push=push,
    )
    return {"ti": ti, "task": SimpleNamespace(), "dag_run": SimpleNamespace(), "params": {}}


@pytest.fixture
def context() -> dict[str, Any]:
    """Give the context of one task instance."""
    return make_context()
