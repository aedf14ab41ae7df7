"""Which data an attempt read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_mltrack.entities.inputs import DatasetRecord, RunInput
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.tracking_store import TrackingStore

UCI = DatasetRecord(
    name="uci",
    digest="a" * 64,
    source_type="http",
    source="https://example.org/uci.csv",
    schema={"columns": {"age": "int64"}},
    profile={"rows": 30_000, "missing": None},
)


def test_inputs_read_back_in_order(store: TrackingStore) -> None:
    given = [
        RunInput(replace(UCI, name="zeta"), "validation", {"k": "v"}),
        RunInput(UCI, "training"),
        RunInput(replace(UCI, digest="b" * 64)),
    ]
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        tx.inputs.log(attempt.attempt_id, given)
        tx.inputs.log(attempt.attempt_id, [])
        assert tx.inputs.list(attempt.attempt_id) == [given[1], given[2], given[0]]
        assert tx.inputs.list(9_999) == []


def test_a_data_set_is_one_record_for_all_runs_of_an_experiment(store: TrackingStore) -> None:
    with store.transaction() as tx:
        other = tx.experiments.create("other").experiment_id
        for experiment in (0, 0, other):
            _, attempt = tx.runs.open(experiment_id=experiment)
            for _ in range(2):
                tx.inputs.log(attempt.attempt_id, [RunInput(UCI, "training")])
        assert tx.inputs.datasets(0) == [UCI]
        assert tx.inputs.datasets(other) == [UCI]
        assert len(tx.inputs.list(attempt.attempt_id)) == 1


def test_a_record_keeps_what_it_said_and_is_filled_up(store: TrackingStore) -> None:
    bare = replace(UCI, schema={}, profile={"synthetic": True, "rows": 5})
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        tx.inputs.log(attempt.attempt_id, [RunInput(bare, "training", {"a": "1"})])
        tx.inputs.log(attempt.attempt_id, [RunInput(UCI, "training", {"b": "2"})])
        (found,) = tx.inputs.list(attempt.attempt_id)
    assert found.dataset.schema == UCI.schema
    assert found.dataset.profile == {"synthetic": True, "rows": 5, "missing": None}
    assert (found.context, found.tags) == ("training", {"a": "1", "b": "2"})


def test_a_data_set_that_is_read_twice_keeps_both_contexts(store: TrackingStore) -> None:
    read = [RunInput(UCI, "training", {"k": "1"}), RunInput(UCI, "validation")]
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        for given in (read, [read[1]], read):
            tx.inputs.log(attempt.attempt_id, given)
        assert tx.inputs.list(attempt.attempt_id) == read
        assert tx.inputs.datasets(0) == [UCI]


def test_a_data_set_without_a_context_adds_nothing_to_one_with_it(store: TrackingStore) -> None:
    bare, tagged = RunInput(UCI), RunInput(UCI, tags={"k": "1"})
    named, other = RunInput(UCI, "training"), RunInput(replace(UCI, digest="b" * 64))
    with store.transaction() as tx:
        for order in ([bare, other, named], [named, bare, other], [other, bare, bare, named]):
            _, attempt = tx.runs.open(experiment_id=0)
            for given in order:
                tx.inputs.log(attempt.attempt_id, [given])
            assert tx.inputs.list(attempt.attempt_id) == [named, other]
            _, attempt = tx.runs.open(experiment_id=0)
            tx.inputs.log(attempt.attempt_id, order)
            assert tx.inputs.list(attempt.attempt_id) == [named, other]
        _, attempt = tx.runs.open(experiment_id=0)
        tx.inputs.log(attempt.attempt_id, [tagged, named])
        assert tx.inputs.list(attempt.attempt_id) == [tagged, named]


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (RunInput(replace(UCI, name="")), "data set name"),
        (RunInput(replace(UCI, digest="")), "data set digest"),
        (RunInput(replace(UCI, source="s" * 20_001)), "data set source"),
        (RunInput(replace(UCI, profile={"x": float("nan")})), "JSON"),
        (RunInput(replace(UCI, schema={"x": object()})), "JSON"),
        (RunInput(replace(UCI, schema={"x": "\x00"})), "NUL"),
        (RunInput(UCI, "c" * 251), "input context"),
        (RunInput(UCI, tags={"": "x"}), "tag key"),
    ],
)
def test_a_bad_input_is_refused(store: TrackingStore, wrong: RunInput, rule: str) -> None:
    with store.transaction() as tx:
        _, attempt = tx.runs.open(experiment_id=0)
        with pytest.raises(InvalidInput, match=rule):
            tx.inputs.log(attempt.attempt_id, [wrong])
        with pytest.raises(NotFound, match="attempt '42'"):
            tx.inputs.log(42, [RunInput(UCI)])
