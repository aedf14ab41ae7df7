"""Objects whose parts somebody else sends: what every store promises, and what S3 does."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import httpx
import pytest

from airflow_mltrack.artifacts import s3
from airflow_mltrack.artifacts.artifact_store import MAX_PARTS, ArtifactStore
from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.artifacts.s3 import PART_BYTES, S3ArtifactStore
from airflow_mltrack.exceptions import (
    ArtifactError,
    ArtifactUnavailable,
    InvalidInput,
    NotFound,
)
from tests.artifacts.conftest import Answer, Answering
from tests.artifacts.test_artifact_key import BAD_KEYS


def send(url: str, data: bytes) -> str:
    answer = httpx.put(url, content=data, timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["ETag"])


def send_all(store: ArtifactStore, key: str, data: bytes) -> tuple[str, list[tuple[int, str]]]:
    pieces = [data[at : at + PART_BYTES] for at in range(0, len(data), PART_BYTES)] or [b""]
    begun = store.create_multipart(key, parts=len(pieces), expires=60)
    assert begun is not None
    sent = [send(url, piece) for url, piece in zip(begun.urls, pieces, strict=True)]
    return begun.upload_id, list(enumerate(sent, start=1))


@pytest.mark.parametrize("size", [0, 1, 2 * PART_BYTES + 7])
def test_parts_become_one_object(s3_store: S3ArtifactStore, size: int) -> None:
    data = os.urandom(size)
    upload_id, parts = send_all(s3_store, "dir/a ü.json", data)
    assert list(s3_store.list()) == []
    s3_store.complete_multipart("dir/a ü.json", upload_id, parts[::-1])
    assert s3_store.read_bytes("dir/a ü.json") == data
    measured = s3_store.measure("dir/a ü.json")
    assert (measured.size, measured.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert measured.content_type == "application/json"
    url = s3_store.presign("dir/a ü.json", expires=60)
    assert httpx.get(url or "").headers["Content-Type"] == "application/json"


def test_an_upload_ends_once(s3_store: S3ArtifactStore) -> None:
    aborted, parts = send_all(s3_store, "a", b"1")
    s3_store.abort_multipart("a", aborted)
    completed, its_parts = send_all(s3_store, "b", b"1")
    s3_store.complete_multipart("b", completed, its_parts)
    for key, upload_id in (("a", aborted), ("b", completed), ("a", "nobody")):
        with pytest.raises(NotFound, match="multipart upload"):
            s3_store.complete_multipart(key, upload_id, parts)
        with pytest.raises(NotFound, match="multipart upload"):
            s3_store.abort_multipart(key, upload_id)
    assert [stored.key for stored in s3_store.list()] == ["b"]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(1, "wrong")], "not sent"),
        ([(2, "wrong")], "not sent"),
        ([], "at least one"),
    ],
)
def test_wrong_parts_are_explained(
    s3_store: S3ArtifactStore, parts: list[tuple[int, str]], words: str
) -> None:
    upload_id, _ = send_all(s3_store, "a", b"1")
    with pytest.raises(InvalidInput, match=words):
        s3_store.complete_multipart("a", upload_id, parts)
    assert list(s3_store.list()) == []
    s3_store.abort_multipart("a", upload_id)


def test_a_store_without_parts_says_so(local_store: LocalArtifactStore) -> None:
    assert not local_store.takes_parts
    assert local_store.create_multipart("a", parts=1, expires=60) is None
    with pytest.raises(NotFound):
        local_store.complete_multipart("a", "u", [(1, "e")])
    with pytest.raises(NotFound):
        local_store.abort_multipart("a", "u")


def test_a_key_is_measured_once_as_a_stream(artifact_store: ArtifactStore) -> None:
    stored = artifact_store.put_bytes("a/b.csv", os.urandom(3_000_000))
    assert artifact_store.measure("a/b.csv") == stored
    with pytest.raises(NotFound):
        artifact_store.measure("a/c.csv")


def test_bad_keys_numbers_and_times_are_refused(artifact_store: ArtifactStore) -> None:
    for key in BAD_KEYS:
        with pytest.raises(InvalidInput):
            artifact_store.create_multipart(key, parts=1, expires=60)
        with pytest.raises(InvalidInput):
            artifact_store.complete_multipart(key, "u", [(1, "e")])
    for parts in (0, -1, MAX_PARTS + 1):
        with pytest.raises(InvalidInput, match="number of parts"):
            artifact_store.create_multipart("a", parts=parts, expires=60)
    for expires in (0, 604_801):
        with pytest.raises(InvalidInput, match="expires"):
            artifact_store.create_multipart("a", parts=1, expires=expires)


def test_a_server_that_shows_no_parts_may_still_put_them_together(answering: Answering) -> None:
    """Looking takes a permission of its own, which a policy may leave out."""
    seen: list[str] = []

    def answer(method: str, _path: str) -> Answer:
        seen.append(method)
        if method == "GET":
            return 403, "AccessDenied"
        kind = "CompleteMultipartUploadResult"
        return 200, f"<{kind}><ETag>e</ETag></{kind}>"

    store = S3ArtifactStore("s3://a-bucket", answering(answer))
    store.complete_multipart("a", "u", [(1, "e")])
    assert seen == ["GET", "POST"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "InvalidAccessKeyId", ArtifactError), (503, "SlowDown", ArtifactUnavailable)],
)
def test_a_server_that_refuses_or_is_in_trouble_is_told_apart(
    answering: Answering,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    kind: type[ArtifactError],
) -> None:
    monkeypatch.setattr(s3, "RETRIES", 1)
    store = S3ArtifactStore("s3://a-bucket", answering(lambda _method, _path: (status, code)))
    calls: list[Callable[[], object]] = [
        lambda: store.create_multipart("a", parts=1, expires=60),
        lambda: store.complete_multipart("a", "u", [(1, "e")]),
        lambda: store.abort_multipart("a", "u"),
    ]
    for call in calls:
        with pytest.raises(kind) as caught:
            call()
        assert type(caught.value) is kind
        assert "a-secret-key" not in str(caught.value)
