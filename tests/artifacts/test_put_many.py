"""Many objects are stored together or not at all, in the order they were given."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from airflow_mltrack.artifacts.artifact_store import ArtifactStore
from airflow_mltrack.artifacts.local import LocalArtifactStore
from airflow_mltrack.artifacts.put_many import SMALL_BYTES, Put, delete_quietly, put_many
from airflow_mltrack.artifacts.s3 import S3ArtifactStore
from airflow_mltrack.entities.artifacts import StoredObject
from airflow_mltrack.exceptions import ArtifactError


def put(key: str, data: bytes = b"x", *, size: int | None = None) -> Put:
    return Put(
        key, len(data) if size is None else size, lambda store, name: store.put_bytes(name, data)
    )


def broken(store: ArtifactStore, key: str) -> StoredObject:
    raise ArtifactError(key, "the source broke.")


def test_results_come_in_the_order_of_the_puts(artifact_store: ArtifactStore) -> None:
    puts = [put(f"d/{number}", str(number).encode()) for number in reversed(range(40))]
    puts.insert(20, put("large", bytes(SMALL_BYTES + 1)))
    stored = put_many(artifact_store, puts)
    assert [one.key for one in stored] == [one.key for one in puts]
    assert artifact_store.read_bytes("d/7", sha256=stored[33].sha256) == b"7"
    assert len(list(artifact_store.list())) == 41


def test_nothing_to_store_is_no_error(artifact_store: ArtifactStore) -> None:
    assert put_many(artifact_store, []) == []


@pytest.mark.parametrize("at", [0, 1, 15, 29])
def test_after_an_error_nothing_is_left(artifact_store: ArtifactStore, at: int) -> None:
    puts = [put(f"d/{number}") for number in range(30)]
    puts[at] = Put("d/broken", 1, broken)
    with pytest.raises(ArtifactError, match="the source broke"):
        put_many(artifact_store, puts)
    assert list(artifact_store.list()) == []


def test_small_objects_travel_together_and_large_ones_alone(s3_store: S3ArtifactStore) -> None:
    together = threading.Barrier(s3_store.parallel_puts, timeout=30)
    threads: dict[str, int] = {}

    def write(store: ArtifactStore, key: str) -> StoredObject:
        if key.startswith("small/"):
            together.wait()
        threads[key] = threading.get_ident()
        return store.put_bytes(key, b"x")

    small = [Put(f"small/{number}", 1, write) for number in range(s3_store.parallel_puts)]
    large = [Put(f"large/{number}", SMALL_BYTES + 1, write) for number in range(2)]
    put_many(s3_store, [Put("first", 1, write), *large, *small])
    assert {threads["first"], threads["large/0"], threads["large/1"]} == {threading.get_ident()}


def test_bytes_that_cannot_be_deleted_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = LocalArtifactStore(tmp_path)
    store.put_bytes("y", b"1")
    (tmp_path / "outside").symlink_to("/")
    with caplog.at_level(logging.WARNING):
        delete_quietly(store, ["outside/x", "y"])
    assert "left behind" in caplog.text
    assert not (tmp_path / "y").exists()
