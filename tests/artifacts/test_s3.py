"""What holds for S3 only: servers that refuse, uploads that are aborted, links for others."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_mltrack.artifacts import s3
from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.exceptions import (
    ArtifactError,
    ArtifactUnavailable,
    InvalidInput,
    NotFound,
)
from airflow_mltrack.settings import S3Settings
from tests.artifacts.conftest import BUCKET, Answer, Answering
from tests.artifacts.test_artifact_store import Dribble

SECRETS = ("an-access-key", "a-secret-key")


def every_call(store: S3ArtifactStore, target: Path) -> list[ArtifactError]:
    """Make every call and return what each raised."""
    raised = []
    for call in (
        lambda: store.put_bytes("k/x", b"1"),
        lambda: store.put_bytes("k/x", bytes(s3.PART_BYTES + 1)),
        lambda: store.read_bytes("k/x"),
        lambda: store.download("k/x", target),
        lambda: list(store.list("k")),
        lambda: store.delete("k/x"),
        lambda: store.stat("k/x"),
    ):
        with pytest.raises(ArtifactError) as caught:
            call()
        assert not any(secret in str(caught.value) for secret in SECRETS)
        assert store.bucket in str(caught.value)
        raised.append(caught.value)
    assert not target.exists()
    return raised


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "AccessDenied", "access denied"),
        (403, "InvalidAccessKeyId", "access key is unknown"),
        (403, "SignatureDoesNotMatch", "secret key does not fit"),
        (418, "Teapot", "refused with"),
    ],
)
def test_a_refusal_that_no_retry_cures_is_an_artifact_error(
    answering: Answering, tmp_path: Path, status: int, code: str, words: str
) -> None:
    store = S3ArtifactStore("s3://a-bucket/p", answering(lambda _method, _path: (status, code)))
    errors = every_call(store, tmp_path / "x")
    assert not any(isinstance(error, ArtifactUnavailable) for error in errors)
    assert words in str(errors[0])


def test_a_server_in_trouble_is_unavailable(
    answering: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RETRIES", 1)
    store = S3ArtifactStore("s3://a-bucket", answering(lambda _method, _path: (503, "SlowDown")))
    assert all(
        isinstance(error, ArtifactUnavailable) for error in every_call(store, tmp_path / "x")
    )


def test_a_server_that_is_not_there_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RETRIES", 1)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings = S3Settings(
        endpoint_url=f"http://an-access-key:a-secret-key@127.0.0.1:{port}",
        region="us-east-1",
        access_key_id="an-access-key",
        secret_access_key="a-secret-key",
        path_style=True,
    )
    errors = every_call(S3ArtifactStore("s3://a-bucket", settings), tmp_path / "x")
    assert all(isinstance(error, ArtifactUnavailable) for error in errors)
    assert f"127.0.0.1:{port}" in str(errors[0])


def test_a_missing_bucket_is_named(s3_settings: S3Settings) -> None:
    store = S3ArtifactStore("s3://no-such-bucket-here", s3_settings)
    for call in (store.check, lambda: list(store.list()), lambda: store.read_bytes("x")):
        with pytest.raises(ArtifactError, match="no-such-bucket-here: the bucket does not exist"):
            call()


def test_missing_credentials_are_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, s3_settings: S3Settings
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    bare = replace(s3_settings, access_key_id=None, secret_access_key=None)
    with pytest.raises(ArtifactError, match="MLTRACK_S3_ACCESS_KEY_ID"):
        S3ArtifactStore(f"s3://{BUCKET}", bare).put_bytes("x", b"1")


def test_a_broken_upload_leaves_no_parts_on_the_server(s3_store: S3ArtifactStore) -> None:
    data = bytes(4 * s3.PART_BYTES)
    with pytest.raises(RuntimeError, match="the source broke"):
        s3_store.put_stream("x", Dribble(data, break_at=3 * s3.PART_BYTES))
    left = s3_store._client.list_multipart_uploads(Bucket=BUCKET)
    assert not [item for item in left.get("Uploads", ()) if s3_store._name("x") == item["Key"]]


def test_a_server_that_dies_in_the_middle_of_an_upload_is_told_to_abort(
    answering: Answering,
) -> None:
    seen: list[str] = []

    def answer(method: str, path: str) -> Answer:
        seen.append(method)
        if method == "POST":
            kind = "InitiateMultipartUploadResult"
            return 200, f"<{kind}><UploadId>u</UploadId></{kind}>"
        return (204, "") if method == "DELETE" else (403, "AccessDenied")

    store = S3ArtifactStore("s3://a-bucket", answering(answer))
    with pytest.raises(ArtifactError, match="access denied"):
        store.put_bytes("x", bytes(2 * s3.PART_BYTES))
    assert seen[-1] == "DELETE"


def test_a_presigned_link_reads_and_names_the_file(s3_store: S3ArtifactStore) -> None:
    s3_store.put_bytes("dir/a.txt", b"hello")
    url = s3_store.presign("dir/a.txt", expires=60, download_name='my "file"\r\nX: 1.txt')
    assert url is not None
    assert "a-secret-key" not in url
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
        assert answer.read() == b"hello"
        assert answer.headers["Content-Type"] == "text/plain"
        disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename*=UTF-8''my%20%22file%22%0D%0AX%3A%201.txt"
    assert "X-Amz-Expires=60" in url


def test_listing_and_deleting_go_in_pages(
    s3_store: S3ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_LIST_PAGE", 3)
    monkeypatch.setattr(s3, "_DELETE_BATCH", 4)
    names = [f"dir/{number:02}" for number in range(10)]
    for name in names:
        s3_store.put_bytes(name, b"1")
    assert [stored.key for stored in s3_store.list()] == names
    assert [stored.key for stored in s3_store.list(start_after="dir/04")] == names[5:]
    assert s3_store.delete_prefix("dir") == 10
    assert list(s3_store.list()) == []


def test_folders_that_consoles_make_are_not_listed(s3_store: S3ArtifactStore) -> None:
    s3_store._client.put_object(Bucket=BUCKET, Key=s3_store._prefix + "folder/", Body=b"")
    s3_store.put_bytes("folder/x", b"1")
    assert [stored.key for stored in s3_store.list()] == ["folder/x"]
    s3_store._client.delete_object(Bucket=BUCKET, Key=s3_store._prefix + "folder/")


def test_a_server_without_batch_deletes_is_served_one_by_one(answering: Answering) -> None:
    deleted: list[str] = []

    def answer(method: str, path: str) -> Answer:
        if method == "POST":
            return 501, "NotImplemented"
        if method == "DELETE":
            deleted.append(path)
            return 204, ""
        listing = "".join(f"<Contents><Key>d/{n}</Key><Size>1</Size></Contents>" for n in range(2))
        return 200, f"<ListBucketResult>{listing}</ListBucketResult>"

    store = S3ArtifactStore("s3://a-bucket", answering(answer))
    assert store.delete_prefix("d") == 2
    assert deleted == ["/a-bucket/d/0", "/a-bucket/d/1"]


def test_a_key_that_is_not_deleted_is_reported(answering: Answering) -> None:
    def answer(method: str, path: str) -> Answer:
        if method == "POST":
            error = "<Error><Key>d/0</Key><Code>AccessDenied</Code></Error>"
            return 200, f"<DeleteResult>{error}</DeleteResult>"
        listing = "<Contents><Key>d/0</Key><Size>1</Size></Contents>"
        return 200, f"<ListBucketResult>{listing}</ListBucketResult>"

    store = S3ArtifactStore("s3://a-bucket", answering(answer))
    with pytest.raises(ArtifactError, match="not deleted \\(AccessDenied\\)"):
        store.delete_prefix("d")


@pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
def test_both_checksum_settings_work(
    s3_settings: S3Settings, s3_store: S3ArtifactStore, tmp_path: Path, checksums: str
) -> None:
    store = S3ArtifactStore(s3_store.uri, replace(s3_settings, checksums=checksums))
    for size in (10, s3.PART_BYTES + 10):
        stored = store.put_bytes("x", bytes(size))
        store.download("x", tmp_path / "x", sha256=stored.sha256)
        assert store.read_bytes("x", sha256=stored.sha256) == bytes(size)
    store.close()


@pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
def test_the_checksum_setting_reaches_boto3(s3_settings: S3Settings, checksums: str) -> None:
    store = S3ArtifactStore("s3://a-bucket", replace(s3_settings, checksums=checksums))
    options = vars(store._client.meta.config)["_user_provided_options"]
    assert options["request_checksum_calculation"] == checksums
    assert options["response_checksum_validation"] == checksums


@pytest.mark.parametrize(
    ("size", "part", "parallel"),
    [
        (0, s3.PART_BYTES, s3.PARALLEL_PARTS),
        (49 * 2**30, s3.PART_BYTES * 1.1, s3.PARALLEL_PARTS - 1),
        (5 * 2**40, 550_000_000, 1),
    ],
)
def test_ten_thousand_parts_hold_a_file_of_any_size(size: int, part: float, parallel: int) -> None:
    config = s3._transfer_config(size)
    assert config.multipart_chunksize * 10_000 >= size
    assert config.multipart_chunksize <= part
    assert config.max_in_memory_upload_chunks >= parallel


def test_a_child_process_gets_connections_of_its_own(
    s3_store: S3ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = s3_store._client
    assert s3_store._client is before
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert s3_store._client is not before


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///x", "http://b/x", "s3://b/../x", "s3://b/a//b", "s3://b/x?a=1"]
)
def test_a_uri_that_names_no_place_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput):
        S3ArtifactStore(uri, S3Settings())


def test_prefix_and_key_together_keep_the_limit_of_s3(s3_settings: S3Settings) -> None:
    prefix = "/".join(["p" * 200] * 4)
    store = S3ArtifactStore(f"s3://{BUCKET}/{prefix}", s3_settings)
    with pytest.raises(InvalidInput, match="with its prefix"):
        store.put_bytes("/".join(["k" * 100] * 4), b"1")


def test_two_prefixes_of_a_bucket_do_not_see_each_other(
    s3_settings: S3Settings, s3_store: S3ArtifactStore
) -> None:
    s3_store.put_bytes("x", b"1")
    other = S3ArtifactStore(f"{s3_store.uri}x", s3_settings)
    assert list(other.list()) == []
    with pytest.raises(NotFound):
        other.read_bytes("x")


def test_a_link_to_nothing_reads_nothing(s3_store: S3ArtifactStore) -> None:
    url = s3_store.presign("missing", expires=60)
    assert url is not None
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(url, timeout=10)  # noqa: S310 - our own server
