"""Opening tables outside a task."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mltrack.cli.backend import resolve_settings
from airflow_mltrack.cli.data_opener import make_opener
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.settings import Settings


def test_files_are_opened_without_airflow(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n")
    open_uri = make_opener(None, settings)
    with open_uri(str(tmp_path / "t.csv")) as stream:
        assert stream.read() == b"a,b\n"


@pytest.mark.parametrize("uri", ["gs://bucket/t.csv", "s3://conn@bucket/t.csv"])
def test_what_needs_airflow_says_so(settings: Settings, uri: str) -> None:
    with pytest.raises(InvalidInput, match="nothing here opens"):
        make_opener(None, settings)(uri)


@pytest.mark.airflow
def test_with_a_connection_airflows_object_storage_opens_them(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {
        "conn_type": "mltrack",
        "extra": {"database_url": settings.database_url, "artifact_uri": settings.artifact_uri},
    }
    monkeypatch.setenv("AIRFLOW_CONN_RISK", json.dumps(connection))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")  # variables only, no database
    (tmp_path / "t.csv").write_bytes(b"a,b\n")
    open_uri = make_opener("risk", resolve_settings("risk"))
    with open_uri(f"file://{tmp_path}/t.csv") as stream:
        assert stream.read() == b"a,b\n"
    with pytest.raises(InvalidInput, match="object storage"):
        open_uri("nosuchscheme://bucket/t.csv")
