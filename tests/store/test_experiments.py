"""Experiments: named once, by anybody at once, deleted and restored."""

from __future__ import annotations

import pytest

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore
from tests.store.processes import at_once


def test_the_default_experiment_is_always_there(store: TrackingStore) -> None:
    with store.transaction() as tx:
        default = tx.experiments.get(0)
        assert (default.name, default.artifact_root) == ("Default", "experiments/0")
        assert tx.experiments.create("first").experiment_id == 1
        with pytest.raises(InvalidInput, match="default one cannot be deleted"):
            tx.experiments.delete(0)


def test_an_experiment_reads_back_as_it_was_made(store: TrackingStore) -> None:
    with store.transaction() as tx:
        made = tx.experiments.create(
            "Über 名/x", artifact_root="s3://bucket/root/", tags={"team": "risk"}
        )
        assert tx.experiments.get(made.experiment_id) == made
        assert tx.experiments.get_by_name("Über 名/x") == made
        plain = tx.experiments.create("plain")
    assert (made.artifact_root, made.tags) == ("s3://bucket/root", {"team": "risk"})
    assert plain.artifact_root == f"experiments/{plain.experiment_id}"
    assert plain.tags == {}


def test_a_name_is_taken_once_also_by_a_deleted_experiment(store: TrackingStore) -> None:
    with store.transaction() as tx:
        made = tx.experiments.create("mine")
        with pytest.raises(Conflict, match=f"taken by experiment {made.experiment_id}"):
            tx.experiments.create("mine")
        tx.experiments.delete(made.experiment_id)
        with pytest.raises(Conflict, match="taken by deleted experiment"):
            tx.experiments.create("mine")
        with pytest.raises(Conflict, match="was deleted"):
            tx.experiments.ensure("mine")
        with pytest.raises(Conflict, match="was deleted"):
            tx.experiments.rename(made.experiment_id, "other")
        tx.experiments.restore(made.experiment_id)
        assert tx.experiments.ensure("mine").lifecycle is Lifecycle.ACTIVE


def test_views_list_active_deleted_or_all(store: TrackingStore) -> None:
    with store.transaction() as tx:
        gone = tx.experiments.create("gone")
        tx.experiments.delete(gone.experiment_id)
        names = {
            view: [one.name for one in tx.experiments.list(view=view)]
            for view in ("active", "deleted", "all")
        }
        with pytest.raises(InvalidInput, match="active, deleted or all"):
            tx.experiments.list(view="some")
    assert names == {"active": ["Default"], "deleted": ["gone"], "all": ["Default", "gone"]}


def test_an_experiment_is_renamed_and_tagged(store: TrackingStore) -> None:
    with store.transaction() as tx:
        made = tx.experiments.create("old", tags={"a": "1"})
        other = tx.experiments.create("other")
        tx.experiments.rename(made.experiment_id, "new")
        tx.experiments.rename(made.experiment_id, "new")
        tx.experiments.set_tags(made.experiment_id, {"a": "2", "b": "3"})
        tx.experiments.set_tags(made.experiment_id, {})
        found = tx.experiments.get_by_name("new")
        assert (found.tags, found.updated_at > made.updated_at) == ({"a": "2", "b": "3"}, True)
        with pytest.raises(Conflict, match=f"taken by experiment {other.experiment_id}"):
            tx.experiments.rename(made.experiment_id, "other")


@pytest.mark.parametrize("name", ["", "  ", "x" * 501, "a\x00", "\ud800"])
def test_a_bad_name_is_refused(store: TrackingStore, name: str) -> None:
    with store.transaction() as tx:
        for use in (tx.experiments.create, tx.experiments.ensure, tx.experiments.get_by_name):
            with pytest.raises(InvalidInput, match="experiment name"):
                use(name)


def test_what_is_not_there_is_not_found(store: TrackingStore) -> None:
    with store.transaction() as tx:
        with pytest.raises(NotFound, match="experiment 'none'"):
            tx.experiments.get_by_name("none")
        with pytest.raises(NotFound, match="mltrack runs list"):
            tx.experiments.get(5)
        with pytest.raises(NotFound, match="5"):
            tx.experiments.set_tags(5, {"a": "1"})
        for change in (tx.experiments.delete, tx.experiments.restore):
            with pytest.raises(NotFound, match="5"):
                change(5)


def test_an_artifact_root_is_more_than_slashes(store: TrackingStore) -> None:
    with store.transaction() as tx, pytest.raises(InvalidInput, match="artifact root"):
        tx.experiments.create("e", artifact_root="//")


def ensure(settings: Settings, name: str) -> int:
    store = TrackingStore(settings)
    with store.transaction() as tx:
        found = tx.experiments.ensure(name).experiment_id
    store.close()
    return found


def test_processes_that_ensure_one_name_get_one_experiment(
    settings: Settings, store: TrackingStore
) -> None:
    found = at_once(ensure, [(settings, "shared")] * 5)
    assert len(set(found)) == 1
    with store.transaction() as tx:
        assert len(tx.experiments.list()) == 2
