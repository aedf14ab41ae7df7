"""Records of files: listed like directories, replaced one writer after the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_mltrack.entities.artifacts import ArtifactEntry, StoredObject
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.processes import at_once
from tests.store.waiting import wait_until_somebody_waits


def stored(key: str = "k", size: int = 3) -> StoredObject:
    return StoredObject(key=key, size=size, sha256="0" * 64, content_type="text/plain")


def new_attempt(store: TrackingStore) -> int:
    with store.transaction() as tx:
        return tx.runs.open(experiment_id=0)[1].attempt_id


def test_a_file_reads_back_and_a_directory_is_listed(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    paths = ["a.txt", "plots/roc.png", "plots/deep/x.json", "plots2/y", "plots%/z", "ü/名"]
    with store.transaction() as tx:
        for size, path in enumerate(paths):
            assert (
                tx.artifacts.record(attempt_id=attempt, path=path, stored=stored(path, size))
                is None
            )
        one = tx.artifacts.get(attempt_id=attempt, path="plots/roc.png")
        assert (one.key, one.size, one.sha256, one.content_type) == (
            "plots/roc.png",
            1,
            "0" * 64,
            "text/plain",
        )
        top = tx.artifacts.list(attempt_id=attempt)
        assert {entry.path for entry in top} == {"a.txt", "plots", "plots2", "plots%", "ü"}
        assert ArtifactEntry("a.txt", is_dir=False, size=0) in top
        assert ArtifactEntry("plots", is_dir=True) in top
        assert tx.artifacts.list(attempt_id=attempt, under="plots/") == [
            ArtifactEntry("plots/deep", is_dir=True),
            ArtifactEntry("plots/roc.png", is_dir=False, size=1),
        ]
        assert tx.artifacts.list(attempt_id=attempt, under="a.txt") == []
        assert tx.artifacts.list(attempt_id=attempt, under="none") == []
        assert len(tx.artifacts.walk(attempt_id=attempt)) == 6
        assert [one.path for one in tx.artifacts.walk(attempt_id=attempt, under="plots")] == [
            "plots/deep/x.json",
            "plots/roc.png",
        ]
        assert [one.path for one in tx.artifacts.walk(attempt_id=attempt, under="a.txt")] == [
            "a.txt"
        ]


def test_the_new_bytes_of_a_path_return_the_old_record(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        tx.artifacts.record(attempt_id=attempt, path="p", stored=stored("one"))
        old = tx.artifacts.record(attempt_id=attempt, path="p", stored=stored("two", 9))
        assert old is not None
        assert old.key == "one"
        assert tx.artifacts.get(attempt_id=attempt, path="p").key == "two"
        assert tx.artifacts.record(attempt_id=attempt, path="p/q", stored=stored()) is None


def replace_many(settings: Settings, attempt: int, writer: int) -> list[str]:
    store = TrackingStore(settings, pool_size=1)
    replaced = []
    for turn in range(20):
        with store.transaction() as tx:
            old = tx.artifacts.record(
                attempt_id=attempt, path="same", stored=stored(f"{writer}-{turn}")
            )
        replaced += [old.key] if old else []
    store.close()
    return replaced


def test_of_many_writers_each_learns_whose_bytes_it_replaced(
    settings: Settings, store: TrackingStore
) -> None:
    attempt = new_attempt(store)
    outcomes = at_once(replace_many, [(settings, attempt, writer) for writer in range(3)])
    replaced = [key for keys in outcomes for key in keys]
    with store.transaction() as tx:
        last = tx.artifacts.get(attempt_id=attempt, path="same").key
    written = {f"{writer}-{turn}" for writer in range(3) for turn in range(20)}
    assert sorted([*replaced, last]) == sorted(written)


@pytest.mark.parametrize("more", [[], [f"other/{number}" for number in range(30)]])
@pytest.mark.parametrize(
    ("paths", "name"),
    [
        (["d"], "d"),
        (["d/x"], "d/x"),
        (["new", "a/b"], "a"),
        (["a/b/c"], "a"),
        (["d/x/y/z/q"], "d/x/y/z"),
        (["new/x", "new"], "new"),
    ],
)
def test_a_file_and_a_directory_have_different_names(
    store: TrackingStore, paths: list[str], name: str, more: list[str]
) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        for path in ("a", "a%", "d/x/y/z", "dd"):
            tx.artifacts.record(attempt_id=attempt, path=path, stored=stored(path))
        with pytest.raises(Conflict, match=f"artifact '{name}': .* one name"):
            tx.artifacts.check_paths([*paths, *more], attempt_id=attempt)
        tx.artifacts.check_paths(paths[:1], attempt_id=new_attempt(store))
        tx.artifacts.check_paths(
            ["a", "a b", "a%b/c", "d/x/y/z", "d/x/y/new", *more], attempt_id=attempt
        )
        tx.artifacts.check_paths([], attempt_id=attempt)


def test_two_writers_at_once_cannot_give_a_file_and_a_directory_one_name(
    store: TrackingStore,
) -> None:
    attempt = new_attempt(store)

    def write(path: str) -> None:
        with store.transaction() as tx:
            tx.artifacts.check_paths([path], attempt_id=attempt)
            tx.artifacts.record(attempt_id=attempt, path=path, stored=stored(path))

    with ThreadPoolExecutor(1) as pool:
        with store.transaction() as tx:
            tx.artifacts.check_paths(["a"], attempt_id=attempt)
            tx.artifacts.record(attempt_id=attempt, path="a", stored=stored("a"))
            other = pool.submit(write, "a/b")
            wait_until_somebody_waits(store)
        with pytest.raises(Conflict, match="one name"):
            other.result(30)


def test_removing_forgets_a_file_or_a_directory(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        for path in ("a", "d/x", "d/y", "dd"):
            tx.artifacts.record(attempt_id=attempt, path=path, stored=stored(path))
        assert [one.key for one in tx.artifacts.remove(attempt_id=attempt, path="d")] == [
            "d/x",
            "d/y",
        ]
        assert tx.artifacts.remove(attempt_id=attempt, path="d") == []
        assert [one.path for one in tx.artifacts.remove(attempt_id=attempt)] == ["a", "dd"]


def test_files_of_models_and_attempts_are_apart(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        model = tx.models.create(experiment_id=0, name="m").model_id
        tx.artifacts.record(attempt_id=attempt, path="p", stored=stored("of attempt"))
        tx.artifacts.record(model_id=model, path="p", stored=stored("of model"))
        assert tx.artifacts.get(model_id=model, path="p").key == "of model"
        assert tx.artifacts.get(attempt_id=attempt, path="p").key == "of attempt"


def test_bad_owners_and_paths_are_refused(store: TrackingStore) -> None:
    attempt = new_attempt(store)
    with store.transaction() as tx:
        with pytest.raises(NotFound, match="attempt '42'"):
            tx.artifacts.record(attempt_id=42, path="p", stored=stored())
        with pytest.raises(NotFound, match="model 'm-none'"):
            tx.artifacts.record(model_id="m-none", path="p", stored=stored())
        with pytest.raises(NotFound, match="artifact 'none'"):
            tx.artifacts.get(attempt_id=attempt, path="none")
        for path in ("", "x" * 1_025, "a\x00"):
            with pytest.raises(InvalidInput, match="artifact path"):
                tx.artifacts.record(attempt_id=attempt, path=path, stored=stored())
        with pytest.raises(InvalidInput, match="either attempt_id or model_id"):
            tx.artifacts.list()
        with pytest.raises(InvalidInput, match="either attempt_id or model_id"):
            tx.artifacts.list(attempt_id=attempt, model_id="m")
