"""Params, tags, metrics and deletion of logged models, and the models of runs."""

from __future__ import annotations

import pytest

from airflow_mltrack.entities.models import LoggedModelMetric, RunModel
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.run_models import INPUT, OUTPUT
from airflow_mltrack.store.tracking_store import TrackingStore


def test_what_is_recorded_about_a_model_comes_back(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = tx.runs.open(experiment_id=0)
        first = tx.models.create(experiment_id=0, name="first", run_id=run.run_id)
        second = tx.models.create(experiment_id=0, name="second")
        tx.models.log_params(first.model_id, {"depth": "3", "rate": "0.1"})
        tx.models.set_tags(first.model_id, {"team": "risk"})
        tx.models.set_tags(first.model_id, {"team": "fraud", "x": "y"})
        tx.models.delete_tag(first.model_id, "x")
        metric = LoggedModelMetric("auc", 0.7, 1, 5, run.run_id, "test", "abc")
        for _ in range(2):  # a replay changes nothing
            tx.models.log_metrics([(first.model_id, metric)])
    with store.transaction() as tx:
        one, two = tx.models.data([first.model_id, second.model_id])
    assert (one.params, one.tags) == ({"depth": "3", "rate": "0.1"}, {"team": "fraud"})
    assert one.metrics == (metric,)
    assert (two.params, two.tags, two.metrics) == ({}, {}, ())


def test_params_of_a_model_are_written_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        model = tx.models.create(experiment_id=0, name="m").model_id
        tx.models.log_params(model, {"depth": "3"})
        tx.models.log_params(model, {"depth": "3"})
        with pytest.raises(Conflict, match=r"depth.*'3'.*'4'"):
            tx.models.log_params(model, {"depth": "4"})
        with pytest.raises(InvalidInput):
            tx.models.log_params(model, {"": "4"})


def test_unknown_models_and_tags_are_named(store: TrackingStore) -> None:
    with store.transaction() as tx:
        model = tx.models.create(experiment_id=0, name="m").model_id
        run, _ = tx.runs.open(experiment_id=0)
        with pytest.raises(NotFound, match="m-none"):
            tx.models.data(["m-none"])
        with pytest.raises(NotFound, match="tag"):
            tx.models.delete_tag(model, "none")
        with pytest.raises(NotFound, match="m-none"):
            tx.models.set_tags("m-none", {"a": "b"})
        with pytest.raises(NotFound, match="m-none"):
            tx.models.log_metrics([("m-none", LoggedModelMetric("a", 1.0, 0, 0, run.run_id))])
        with pytest.raises(NotFound, match="nowhere"):
            tx.models.log_metrics([(model, LoggedModelMetric("a", 1.0, 0, 0, "nowhere"))])


def test_a_model_that_a_version_needs_is_not_deleted(store: TrackingStore) -> None:
    with store.transaction() as tx:
        model = tx.models.create(experiment_id=0, name="m").model_id
        tx.registry.create_model("credit")
        tx.registry.create_version("credit", source=f"models:/{model}", model_id=model)
        with pytest.raises(Conflict, match="version 1 of registered model credit"):
            tx.models.delete(model)
        tx.registry.delete_version("credit", 1)
        tx.models.delete(model)
        tx.models.delete(model)
        assert tx.models.get(model).deleted_at is not None
        assert tx.models.search(experiment_ids=[0]).models == ()
        with pytest.raises(NotFound):
            tx.models.get(model, allow_deleted=False)


def test_models_of_runs_are_noted_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        model = tx.models.create(experiment_id=0, name="m").model_id
        tx.run_models.log(attempt.attempt_id, [RunModel(model, 3)], direction=OUTPUT)
        tx.run_models.log(attempt.attempt_id, [RunModel(model, 5)], direction=OUTPUT)
        found = tx.run_models.list([attempt.attempt_id], direction=OUTPUT)
        assert found == {attempt.attempt_id: (RunModel(model, 5),)}
        assert tx.run_models.list([attempt.attempt_id], direction=INPUT) == {}
        with pytest.raises(NotFound, match="m-none"):
            tx.run_models.log(attempt.attempt_id, [RunModel("m-none")], direction=INPUT)


def test_runs_go_and_come_back_with_their_experiment(store: TrackingStore) -> None:
    with store.transaction() as tx:
        experiment = tx.experiments.create("e").experiment_id
        kept, _ = tx.runs.open(experiment_id=experiment)
        before, _ = tx.runs.open(experiment_id=experiment)
        tx.runs.delete(before.run_id)
        tx.experiments.delete(experiment)
        assert tx.runs.get(kept.run_id).lifecycle == "deleted"
        tx.experiments.restore(experiment)
        assert tx.runs.get(kept.run_id).lifecycle == "active"
        assert tx.runs.get(before.run_id).lifecycle == "deleted"
