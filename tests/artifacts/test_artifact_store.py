"""What every artifact store promises, held for each of them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_mltrack.artifacts.artifact_store import MAX_PRESIGN_SECONDS, ArtifactStore
from airflow_mltrack.artifacts.s3 import PART_BYTES
from airflow_mltrack.exceptions import ArtifactCorrupt, ArtifactError, InvalidInput, NotFound
from tests.artifacts.test_artifact_key import BAD_KEYS

WRONG = "0" * 64


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def keys(store: ArtifactStore, prefix: str = "", start_after: str | None = None) -> list[str]:
    return [stored.key for stored in store.list(prefix, start_after=start_after)]


class Dribble:
    """A stream that gives fewer bytes than it was asked for, and may break."""

    def __init__(self, data: bytes, *, step: int = 70_001, break_at: int | None = None) -> None:
        self._source = io.BytesIO(data)
        self._step, self._break_at = step, break_at

    def read(self, size: int = -1, /) -> bytes:
        if self._break_at is not None and self._source.tell() >= self._break_at:
            raise RuntimeError("the source broke")
        return self._source.read(self._step if size < 0 else min(size, self._step))


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 12_345])
def test_bytes_come_back_as_they_were_stored(
    artifact_store: ArtifactStore, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    stored = artifact_store.put_stream("a/b/data.json", Dribble(data))
    assert (stored.key, stored.size) == ("a/b/data.json", size)
    assert stored.sha256 == sha256(data)
    assert stored.content_type == "application/json"
    assert artifact_store.stat("a/b/data.json") == size
    assert artifact_store.read_bytes("a/b/data.json", sha256=stored.sha256) == data
    path = artifact_store.download("a/b/data.json", tmp_path / "new" / "x", sha256=stored.sha256)
    assert path.read_bytes() == data
    assert [file.name for file in path.parent.iterdir()] == ["x"]


def test_a_file_is_stored_with_the_content_type_it_is_given(
    artifact_store: ArtifactStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    stored = artifact_store.put_file("x.bin", source, content_type="text/plain")
    assert stored.content_type == "text/plain"
    assert artifact_store.read_bytes("x.bin") == b"hello"


def test_a_file_that_cannot_be_read_is_refused(
    artifact_store: ArtifactStore, tmp_path: Path
) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(InvalidInput, match="local file"):
            artifact_store.put_file("x", path)
    assert keys(artifact_store) == []


def test_text_where_bytes_belong_is_refused(artifact_store: ArtifactStore) -> None:
    with pytest.raises(InvalidInput, match="Open the file with 'rb'"):
        artifact_store.put_stream("x", io.StringIO("text"))  # type: ignore[arg-type]
    assert keys(artifact_store) == []


def test_writing_a_key_again_replaces_it(artifact_store: ArtifactStore) -> None:
    artifact_store.put_bytes("x", b"old and longer")
    artifact_store.put_bytes("x", b"new")
    assert artifact_store.read_bytes("x") == b"new"


@pytest.mark.parametrize("break_at", [100_000, 2 * PART_BYTES])
def test_a_write_that_breaks_leaves_what_was_there(
    artifact_store: ArtifactStore, break_at: int
) -> None:
    artifact_store.put_bytes("x", b"old")
    data = bytes(3 * PART_BYTES)
    for key in ("x", "y"):
        with pytest.raises(RuntimeError, match="the source broke"):
            artifact_store.put_stream(key, Dribble(data, break_at=break_at))
    assert artifact_store.read_bytes("x") == b"old"
    assert keys(artifact_store) == ["x"]


def test_damaged_bytes_are_never_handed_out_whole(
    artifact_store: ArtifactStore, tmp_path: Path
) -> None:
    data = os.urandom(3_000_000)
    artifact_store.put_bytes("x", data)
    with pytest.raises(ArtifactCorrupt) as caught:
        artifact_store.read_bytes("x", sha256=WRONG)
    assert (caught.value.expected, caught.value.found) == (WRONG, sha256(data))
    assert WRONG in str(caught.value)
    assert sha256(data) in str(caught.value)
    target = tmp_path / "x"
    with pytest.raises(ArtifactCorrupt):
        artifact_store.download("x", target, sha256=WRONG)
    assert list(tmp_path.glob("*x*")) == []


def test_who_reads_exactly_the_size_learns_of_damage_too(artifact_store: ArtifactStore) -> None:
    artifact_store.put_bytes("x", bytes(2_500_000))
    with artifact_store.open("x", sha256=WRONG) as source:
        assert source.read(1_000_000) == bytes(1_000_000)
        with pytest.raises(ArtifactCorrupt):
            source.read(1_500_000)


def test_a_failed_download_leaves_the_old_file(
    artifact_store: ArtifactStore, tmp_path: Path
) -> None:
    artifact_store.put_bytes("x", b"new")
    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(ArtifactCorrupt):
        artifact_store.download("x", target, sha256=WRONG)
    assert target.read_bytes() == b"old"


def test_reading_streams_and_the_digest_may_be_written_in_capitals(
    artifact_store: ArtifactStore,
) -> None:
    data = os.urandom(2_000_000)
    stored = artifact_store.put_bytes("x", data)
    with artifact_store.open("x", sha256=stored.sha256.upper()) as source:
        assert source.read(10) == data[:10]
        assert source.read() == data[10:]
        assert source.read() == b""


def test_a_limit_keeps_large_files_out_of_memory(artifact_store: ArtifactStore) -> None:
    artifact_store.put_bytes("x", bytes(1001))
    with pytest.raises(ArtifactError, match="limit of 1,000 bytes"):
        artifact_store.read_bytes("x", limit=1000)
    assert len(artifact_store.read_bytes("x", limit=1001)) == 1001


def test_a_missing_key_is_not_found(artifact_store: ArtifactStore, tmp_path: Path) -> None:
    artifact_store.put_bytes("dir/x", b"1")
    for key in ("missing", "dir", "dir/x/y"):
        with pytest.raises(NotFound):
            artifact_store.stat(key)
        with pytest.raises(NotFound):
            artifact_store.open(key)
        with pytest.raises(NotFound):
            artifact_store.download(key, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_dangerous_key_reaches_no_method(
    artifact_store: ArtifactStore, tmp_path: Path, key: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: artifact_store.put_bytes(key, b"x"),
        lambda: artifact_store.open(key),
        lambda: artifact_store.stat(key),
        lambda: artifact_store.download(key, tmp_path / "x"),
        lambda: artifact_store.delete(key),
        lambda: artifact_store.presign(key, expires=60),
    ]
    for call in calls:
        with pytest.raises(InvalidInput):
            call()
    if not key.endswith("/"):
        with pytest.raises(InvalidInput):
            artifact_store.delete_prefix(key)


def test_names_in_any_script_work(artifact_store: ArtifactStore) -> None:
    names = ["a b+c.txt", "日本/語 #1?.csv", "%2e%2e/x", "~tilde'quote\".bin", "ä"]
    for name in names:
        artifact_store.put_bytes(name, name.encode())
    assert keys(artifact_store) == sorted(names, key=str.encode)
    assert all(artifact_store.read_bytes(name) == name.encode() for name in names)


NAMES = ["a.txt", "a/b", "a/b-c/x", "a/b.txt", "a0", "b/c/d/e", "b/c/f", "bc", "z"]


@pytest.fixture
def filled(artifact_store: ArtifactStore) -> ArtifactStore:
    names = [name for name in NAMES if name != "a/b"] + ["a/b/c"]
    for name in names:
        artifact_store.put_bytes(name, name.encode())
    return artifact_store


ALL = ["a.txt", "a/b-c/x", "a/b.txt", "a/b/c", "a0", "b/c/d/e", "b/c/f", "bc", "z"]


def test_listing_goes_in_the_order_of_bytes_with_sizes(filled: ArtifactStore) -> None:
    assert keys(filled) == ALL
    assert [stored.size for stored in filled.list()] == [len(name) for name in ALL]


def test_a_prefix_is_a_directory(filled: ArtifactStore) -> None:
    assert keys(filled, "a") == ["a/b-c/x", "a/b.txt", "a/b/c"]
    assert keys(filled, "a/b") == keys(filled, "a/b/") == ["a/b/c"]
    assert keys(filled, "b") == ["b/c/d/e", "b/c/f"]
    assert keys(filled, "nothing") == keys(filled, "a.txt") == []


@pytest.mark.parametrize("after", [*ALL, "a", "a/b", "a/b/", "b/c/", "zz"])
def test_a_listing_resumes_after_any_key(filled: ArtifactStore, after: str) -> None:
    assert keys(filled, start_after=after) == [name for name in ALL if name > after]


def test_deleting_is_exact_and_may_be_repeated(filled: ArtifactStore) -> None:
    filled.delete("a/b")
    filled.delete("missing/x")
    filled.delete("a/b/c")
    filled.delete("a/b/c")
    assert keys(filled) == [name for name in ALL if name != "a/b/c"]


def test_deleting_a_directory_spares_its_neighbours(filled: ArtifactStore) -> None:
    assert filled.delete_prefix("b") == 2
    assert filled.delete_prefix("a/b/") == 1
    assert filled.delete_prefix("nothing") == 0
    assert keys(filled) == ["a.txt", "a/b-c/x", "a/b.txt", "a0", "bc", "z"]


@pytest.mark.parametrize("expires", [0, -1, MAX_PRESIGN_SECONDS + 1, True, 60.5])
def test_a_link_lives_for_a_bounded_time(artifact_store: ArtifactStore, expires: int) -> None:
    with pytest.raises(InvalidInput, match="expires"):
        artifact_store.presign("x", expires=expires)


def test_the_check_leaves_nothing_behind(artifact_store: ArtifactStore) -> None:
    artifact_store.check()
    assert keys(artifact_store) == []


def test_threads_share_a_store(artifact_store: ArtifactStore) -> None:
    def work(number: int) -> bytes:
        key = f"dir{number % 3}/{number}"
        artifact_store.put_bytes(key, str(number).encode())
        data = artifact_store.read_bytes(key)
        if number % 2:
            artifact_store.delete(key)
        return data

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(60))) == [str(number).encode() for number in range(60)]
    assert len(keys(artifact_store)) == 30


def test_a_closed_store_opens_again(artifact_store: ArtifactStore) -> None:
    artifact_store.put_bytes("x", b"1")
    artifact_store.close()
    artifact_store.close()
    assert artifact_store.read_bytes("x") == b"1"


def test_a_download_into_a_place_that_is_no_directory_says_so(
    artifact_store: ArtifactStore, tmp_path: Path
) -> None:
    artifact_store.put_bytes("x", b"1")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtifactError, match=r"Not a directory|File exists"):
        artifact_store.download("x", tmp_path / "file" / "x")
