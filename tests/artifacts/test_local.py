"""What holds for a directory only: links, disks that are full, files that grow."""

from __future__ import annotations

import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.exceptions import ArtifactError, ArtifactUnavailable, InvalidInput, NotFound


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``size``, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(store: LocalArtifactStore) -> list[str]:
    root = Path(store.uri.removeprefix("file://"))
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_full_disk_is_reported_and_leaves_nothing(
    local_store: LocalArtifactStore, tmp_path: Path
) -> None:
    local_store.put_bytes("old", b"old")
    with largest_file(1_000_000), pytest.raises(ArtifactUnavailable, match="no space left"):
        local_store.put_stream("big", io.BytesIO(bytes(3_000_000)))
    assert files(local_store) == ["old"]
    local_store.put_stream("big", io.BytesIO(bytes(3_000_000)))
    with largest_file(1_000_000), pytest.raises(ArtifactUnavailable, match="no space left"):
        local_store.download("big", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_link_that_leaves_the_directory_is_never_followed(
    local_store: LocalArtifactStore, tmp_path: Path
) -> None:
    local_store.put_bytes("inside", b"1")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    root = tmp_path / "store"
    (root / "dir").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for call in (
        lambda: local_store.open("dir/secret"),
        lambda: local_store.open("file"),
        lambda: local_store.stat("file"),
        lambda: local_store.delete("dir/secret"),
        lambda: local_store.put_bytes("dir/new", b"x"),
        lambda: list(local_store.list("dir")),
    ):
        with pytest.raises(ArtifactError, match="symbolic link"):
            call()
    assert [stored.key for stored in local_store.list()] == ["inside"]
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_writing_over_a_link_replaces_the_link_and_not_its_target(
    local_store: LocalArtifactStore, tmp_path: Path
) -> None:
    local_store.put_bytes("inside", b"1")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "store" / "file").symlink_to(tmp_path / "secret")
    local_store.put_bytes("file", b"mine")
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert local_store.read_bytes("file") == b"mine"


def test_nothing_is_visible_before_it_is_complete(local_store: LocalArtifactStore) -> None:
    seen: list[str] = []

    class Watching(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            seen.extend(stored.key for stored in local_store.list())
            return super().read(size)

    local_store.put_stream("x", Watching(bytes(3_000_000)))
    assert seen == []
    assert [stored.key for stored in local_store.list()] == ["x"]


def test_the_store_keeps_its_own_directory_to_itself(local_store: LocalArtifactStore) -> None:
    with pytest.raises(InvalidInput, match="own directory"):
        local_store.put_bytes(".incoming/x", b"")


def test_a_key_cannot_lie_below_a_file_or_replace_a_directory(
    local_store: LocalArtifactStore,
) -> None:
    local_store.put_bytes("a/b", b"1")
    with pytest.raises(ArtifactError, match="part of its path is a file"):
        local_store.put_bytes("a/b/c", b"2")
    with pytest.raises(ArtifactError, match="directory has that name"):
        local_store.put_bytes("a", b"3")
    assert files(local_store) == ["a/b"]


def test_deleting_leaves_no_empty_directories(
    local_store: LocalArtifactStore, tmp_path: Path
) -> None:
    local_store.put_bytes("a/b/c", b"1")
    local_store.put_bytes("a/x", b"1")
    local_store.delete("a/b/c")
    assert not (tmp_path / "store/a/b").exists()
    local_store.delete_prefix("a")
    assert not (tmp_path / "store/a").exists()


def test_a_root_that_is_a_file_is_reported_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = LocalArtifactStore(tmp_path / "file")
    with pytest.raises(ArtifactError, match=str(tmp_path / "file")):
        store.put_bytes("x", b"1")
    with pytest.raises(NotFound):
        store.read_bytes("x")
    assert list(store.list()) == []


def test_a_link_inside_the_directory_is_read_but_not_listed(
    local_store: LocalArtifactStore, tmp_path: Path
) -> None:
    local_store.put_bytes("x", b"1")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "store" / "x")
    assert local_store.read_bytes("link") == b"1"
    assert [stored.key for stored in local_store.list()] == ["x"]


def test_the_directory_is_absolute() -> None:
    with pytest.raises(InvalidInput, match="absolute"):
        LocalArtifactStore("relative/directory")


def test_a_file_has_no_url(local_store: LocalArtifactStore) -> None:
    assert local_store.presign("x", expires=60) is None
