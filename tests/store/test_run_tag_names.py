"""Filters and orders by the tags that MLflow's clients use for name, user and parent."""

from __future__ import annotations

import pytest

from airflow_mltrack.store.tracking_store import TrackingStore


def found(store: TrackingStore, filter_: str, order: str = "start_time") -> list[str]:
    with store.transaction() as tx:
        page = tx.search.runs(experiment_ids=[0], filter=filter_, order_by=[order])
    return [data.run.name for data in page.runs]


@pytest.fixture
def runs(store: TrackingStore) -> str:
    """Open a parent, a child, and a run that somebody says is a child; give the parent's id."""
    with store.transaction() as tx:
        parent, _ = tx.runs.open(experiment_id=0, name="parent", user="ada")
    with store.transaction() as tx:
        tx.runs.open(experiment_id=0, name="child", user="bob", parent_run_id=parent.run_id)
    with store.transaction() as tx:
        tags = {"mlflow.parentRunId": parent.run_id}
        tx.runs.open(experiment_id=0, name="tagged", user="eve", tags=tags)
    return parent.run_id


def test_children_are_found_by_the_tag(store: TrackingStore, runs: str) -> None:
    assert found(store, f"tags.mlflow.parentRunId = '{runs}'") == ["child", "tagged"]
    assert found(store, f"tags.`mlflow.parentRunId` IN ('{runs}')") == ["child", "tagged"]
    assert found(store, f"NOT tags.mlflow.parentRunId = '{runs}'") == ["parent"]
    assert found(store, "tags.mlflow.parentRunId IS NULL") == ["parent"]
    assert found(store, "tags.mlflow.parentRunId IS NOT NULL") == ["child", "tagged"]
    assert found(store, f"tags.mlflow.parentRunId != '{runs}'") == []


def test_names_and_users_are_found_by_their_tags(store: TrackingStore, runs: str) -> None:
    del runs
    assert found(store, "tags.mlflow.runName = 'child'") == ["child"]
    assert found(store, "tags.mlflow.runName LIKE '%d' AND tags.mlflow.user = 'eve'") == ["tagged"]
    assert found(store, "tags.mlflow.user != 'ada'") == ["child", "tagged"]
    assert found(store, "tags.mlflow.runName > 5") == []


def test_runs_are_ordered_by_those_tags(store: TrackingStore, runs: str) -> None:
    del runs
    assert found(store, "", "tags.mlflow.runName DESC") == ["tagged", "parent", "child"]
    assert found(store, "", "tags.`mlflow.user`") == ["parent", "child", "tagged"]
    assert found(store, "", "tags.mlflow.parentRunId")[0] == "child"
