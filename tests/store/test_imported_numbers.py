"""Experiments and versions that bring their numbers along."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_mltrack.exceptions import Conflict
from airflow_mltrack.store.tracking_store import TrackingStore

_THEN = datetime(2020, 1, 2, tzinfo=timezone.utc)


def test_an_experiment_brings_its_number_and_the_next_ones_stay_clear_of_it(
    store: TrackingStore,
) -> None:
    with store.transaction() as tx:
        made = tx.experiments.create("old", experiment_id=7, created_at=_THEN)
        assert (made.experiment_id, made.artifact_root) == (7, "experiments/7")
        assert made.created_at == _THEN
        assert tx.experiments.create("new").experiment_id == 8
        assert tx.experiments.create("older", experiment_id=2).experiment_id == 2
        assert tx.experiments.create("newer").experiment_id == 9


def test_a_number_far_away_does_not_drag_the_next_ones_along(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.experiments.create("file store", experiment_id=123456789012345678)
        assert tx.experiments.create("new").experiment_id == 1


def test_a_number_that_was_passed_over_is_skipped_when_it_is_reached(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.experiments.create("far", experiment_id=1_000_002)
        tx.experiments.create("as far as one follows", experiment_id=1_000_001)
        assert tx.experiments.create("new").experiment_id == 1_000_003


def test_a_taken_number_is_refused_by_name(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.experiments.create("old", experiment_id=7)
    with pytest.raises(Conflict, match="taken by experiment old"), store.transaction() as tx:
        tx.experiments.create("other", experiment_id=7)
    with pytest.raises(Conflict, match="this name is taken"), store.transaction() as tx:
        tx.experiments.create("old", experiment_id=8)


def test_a_version_brings_its_number_and_the_next_one_is_higher(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.registry.create_model("credit", created_at=_THEN)
        assert tx.registry.get_model("credit").created_at == _THEN
        made = tx.registry.create_version("credit", source="x", version=4, created_at=_THEN)
        assert (made.version, made.created_at) == (4, _THEN)
        assert tx.registry.create_version("credit", source="x", version=2).version == 2
        assert tx.registry.create_version("credit", source="x").version == 5
        tx.registry.spend_versions("credit", 9)
        tx.registry.spend_versions("credit", 3)
        assert tx.registry.create_version("credit", source="x").version == 10


def test_a_version_number_is_given_once_also_after_a_deletion(store: TrackingStore) -> None:
    with store.transaction() as tx:
        tx.registry.create_model("credit")
        tx.registry.create_version("credit", source="x", version=4)
        tx.registry.delete_version("credit", 4)
    with pytest.raises(Conflict, match="is or was in use"), store.transaction() as tx:
        tx.registry.create_version("credit", source="x", version=4)
