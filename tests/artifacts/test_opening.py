"""The artifact URI decides which store it is, and a wrong one is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.artifacts.opening import open_artifact_store
from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.exceptions import InvalidInput
from airflow_mltrack.settings import Settings


def settings(uri: str) -> Settings:
    return Settings(database_url="postgresql://nowhere/x", artifact_uri=uri)


def test_paths_and_file_uris_are_directories(tmp_path: Path) -> None:
    with_space = tmp_path / "a b"
    for uri in (str(with_space), with_space.as_uri(), f"file://localhost{tmp_path}/a%20b"):
        store = open_artifact_store(settings(uri))
        assert isinstance(store, LocalArtifactStore)
        assert store.uri == with_space.as_uri()


def test_an_s3_uri_is_a_bucket() -> None:
    store = open_artifact_store(settings("s3://bucket/some/prefix/"))
    assert isinstance(store, S3ArtifactStore)
    assert store.uri == "s3://bucket/some/prefix"


@pytest.mark.parametrize(
    "uri", ["gs://bucket/x", "http://host/x", "relative/path", "file://h/x", ""]
)
def test_anything_else_is_refused_with_what_would_do(uri: str) -> None:
    with pytest.raises(InvalidInput, match="Use s3://bucket/prefix"):
        open_artifact_store(settings(uri))


def test_opening_loads_no_boto3() -> None:
    code = (
        "import sys; from airflow_mltrack.artifacts import opening; "
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
