"""Files that MLflow keeps in a directory or in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from airflow_mltrack.exceptions import ArtifactUnavailable, InvalidInput
from airflow_mltrack.lifecycle.mlflow_import.kept_files import KeptFiles
from airflow_mltrack.lifecycle.mlflow_import.source import FileOwner

RUN = "c" * 32


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a bucket with a run's files, on a server of the test's own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("MLFLOW_S3_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket="models")
    for path in ("a.txt", "deep/b.txt"):
        client.put_object(Bucket="models", Key=f"1/{RUN}/artifacts/{path}", Body=path.encode())
    client.put_object(Bucket="models", Key=f"1/{RUN}/artifacts-of-others/c.txt", Body=b"no")
    yield "models"
    server.stop()


def test_files_in_a_bucket_are_listed_and_read(bucket: str) -> None:
    owner = FileOwner("run", RUN, f"s3://{bucket}/1/{RUN}/artifacts")
    found = KeptFiles().files(owner)
    assert [(file.path, file.size) for file in found] == [("a.txt", 5), ("deep/b.txt", 10)]
    with found[1].open() as stream:
        assert stream.read() == b"deep/b.txt"
    with pytest.raises(ArtifactUnavailable, match="does not answer"):
        KeptFiles().files(FileOwner("run", RUN, f"s3://missing/1/{RUN}/artifacts"))


@pytest.mark.parametrize(
    "location",
    ["s3://models/1", "file:///etc", "/etc/passwd", f"/x/../{RUN}/artifacts", "s3://models"],
)
def test_what_mlflow_did_not_make_is_not_read(location: str) -> None:
    with pytest.raises(ArtifactUnavailable, match="is not read"):
        KeptFiles().files(FileOwner("run", RUN, location))


def test_a_copy_of_the_root_stands_in_for_every_location(tmp_path: Path) -> None:
    place = tmp_path / "7" / "models" / "m-1" / "artifacts"
    place.mkdir(parents=True)
    (place / "MLmodel").write_text("flavors: {}")
    kept = KeptFiles(tmp_path)
    for location in (
        "mlflow-artifacts:/7/models/m-1/artifacts",
        "s3://bucket/some/where/7/models/m-1/artifacts",
        "file:///old/mlruns/7/models/m-1/artifacts",
    ):
        [file] = kept.files(FileOwner("model", "m-1", location))
        assert file.path == "MLmodel"
    assert kept.files(FileOwner("run", RUN, f"mlflow-artifacts:/7/{RUN}/artifacts")) == []


def test_files_of_a_server_are_asked_for_by_name() -> None:
    with pytest.raises(ArtifactUnavailable, match="--artifacts-from"):
        KeptFiles().files(FileOwner("run", RUN, f"mlflow-artifacts:/1/{RUN}/artifacts"))


def test_a_directory_that_is_no_artifact_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InvalidInput, match="no directory of an experiment"):
        KeptFiles(tmp_path)
    with pytest.raises(InvalidInput, match="no such directory"):
        KeptFiles(tmp_path / "missing")
