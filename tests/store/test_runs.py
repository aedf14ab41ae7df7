"""Runs and their tags on a real Postgres; identity under many processes."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.metrics import MetricPoint
from airflow_mltrack.entities.runs import Attempt, Run, RunIdentity, RunStatus, task_identity
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.settings import Settings
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction
from tests.store.processes import at_once


def identity(try_id: str = "a", task: str = "train") -> RunIdentity:
    return task_identity(
        ti_id=try_id, dag_id="dag", dag_run_id="manual", task_id=task, details={"host": "h"}
    )


def open_run(tx: Transaction, **options: object) -> tuple[Run, Attempt]:
    return tx.runs.open(experiment_id=0, **options)  # type: ignore[arg-type]


def test_a_new_run_reads_back_as_it_was_returned(store: TrackingStore) -> None:
    with store.transaction() as tx:
        parent, _ = open_run(tx, name="parent")
        run, attempt = open_run(
            tx,
            name="näme 名",
            user="ann",
            parent_run_id=parent.run_id,
            identity=identity(),
            tags={"b": "2", "a": "1"},
        )
    with store.transaction() as tx:
        assert tx.runs.get(run.run_id) == run
        assert tx.runs.attempts(run.run_id) == [attempt]
        assert tx.runs.attempt(attempt.attempt_id) == attempt
        assert tx.runs.children(parent.run_id) == [run]
        assert tx.runs.find(identity().logical_key) == run
        assert tx.runs.find("task:other") is None
    assert run.artifact_root == f"experiments/0/{run.run_id}/1/artifacts"
    assert (run.status, run.attempt_number, run.tags) == (
        RunStatus.RUNNING,
        1,
        {"a": "1", "b": "2"},
    )
    assert attempt.details == {"host": "h"}


def test_a_run_without_identity_is_always_new_and_gets_a_readable_name(
    store: TrackingStore,
) -> None:
    with store.transaction() as tx:
        first, _ = open_run(tx)
        second, _ = open_run(tx)
    assert first.run_id != second.run_id
    adjective, animal, number = first.name.split("-")
    assert adjective.isalpha()
    assert animal.isalpha()
    assert 0 <= int(number) < 100


def test_an_imported_run_keeps_its_id_and_start(store: TrackingStore) -> None:
    start = datetime(2020, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
    with store.transaction() as tx:
        run, attempt = open_run(
            tx, run_id="abc-1", started_at=start, status=RunStatus.SCHEDULED, name="n"
        )
        assert (run.run_id, run.started_at, attempt.started_at) == ("abc-1", start, start)
        assert tx.runs.get("abc-1").status is RunStatus.SCHEDULED
        with pytest.raises(Conflict, match=r"abc-1.*exists already"):
            open_run(tx, run_id="abc-1")


def test_the_same_attempt_key_goes_on_with_the_attempt(store: TrackingStore) -> None:
    with store.transaction() as tx:
        first = open_run(tx, identity=identity("a"))
        again = open_run(tx, identity=identity("a"), tags={"ignored": "yes"})
    assert again == first


def test_a_closed_attempt_is_found_again_but_never_reopened(store: TrackingStore) -> None:
    with store.transaction() as tx:
        _, attempt = open_run(tx, identity=identity("a"))
        tx.runs.set_status(attempt.attempt_id, RunStatus.FINISHED)
        run, again = open_run(tx, identity=identity("a"))
    assert again.attempt_id == attempt.attempt_id
    assert again.status is run.status is RunStatus.FINISHED


def test_a_new_try_is_a_new_attempt_of_the_same_run(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, first = open_run(tx, identity=identity("a"), name="mine", tags={"k": "old", "x": "1"})
        tx.runs.log_params(first.attempt_id, {"p": "1"})
        tx.metrics.log_points(first.attempt_id, [MetricPoint("auc", 0.5)])
    with store.transaction() as tx:
        retried, second = open_run(tx, identity=identity("b"), name="other", tags={"k": "new"})
        tx.runs.log_params(second.attempt_id, {"p": "2"})
        old, new = tx.runs.attempts(run.run_id)
        latest = tx.runs.data(run.run_id)
        before = tx.runs.data(run.run_id, attempt=1)
    assert retried.run_id == run.run_id
    assert (retried.name, retried.tags) == ("mine", {"k": "new", "x": "1"})
    assert (retried.attempt_number, second.number, new) == (2, 2, second)
    assert (old.status, old.error) == (RunStatus.KILLED, "superseded by attempt 2")
    assert old.ended_at is not None
    assert (latest.params, latest.metrics, latest.attempt) == ({"p": "2"}, {}, second)
    assert (before.params, before.metrics, before.attempt) == ({"p": "1"}, {"auc": 0.5}, old)
    assert retried.artifact_root == f"experiments/0/{run.run_id}/2/artifacts"


def test_only_rows_of_the_latest_attempt_are_current(store: TrackingStore) -> None:
    with store.transaction() as tx:
        _, first = open_run(tx, identity=identity("a"))
        tx.runs.log_params(first.attempt_id, {"p": "1"})
        _, second = open_run(tx, identity=identity("b"))
        tx.runs.log_params(second.attempt_id, {"p": "2"})
        tx.runs.log_params(first.attempt_id, {"late": "from a worker that should be dead"})
        found = tx.connection.exec_driver_sql("SELECT key, value FROM params WHERE current")
        assert found.all() == [("p", "2")]


def test_a_retry_leaves_an_ended_attempt_as_it_ended(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, first = open_run(tx, identity=identity("a"))
        tx.runs.set_status(first.attempt_id, RunStatus.FAILED, error="boom")
        retried, _ = open_run(tx, identity=identity("b"))
        old = tx.runs.attempts(run.run_id)[0]
    assert (old.status, old.error) == (RunStatus.FAILED, "boom")
    assert (retried.status, retried.ended_at) == (RunStatus.RUNNING, None)


def test_a_retry_brings_a_deleted_run_back(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = open_run(tx, identity=identity("a"))
        tx.runs.delete(run.run_id)
        assert tx.runs.get(run.run_id).lifecycle is Lifecycle.DELETED
        retried, _ = open_run(tx, identity=identity("b"))
    assert retried.lifecycle is Lifecycle.ACTIVE


def test_an_attempt_key_belongs_to_one_run(store: TrackingStore) -> None:
    with store.transaction() as tx:
        open_run(tx, identity=identity("a", "one"))
        open_run(tx, identity=identity("b", "two"))
    with pytest.raises(Conflict, match=r"ti:a.*another run"), store.transaction() as tx:
        open_run(tx, identity=identity("a", "three"))
    with pytest.raises(Conflict, match=r"ti:a.*another run"), store.transaction() as tx:
        open_run(tx, identity=identity("a", "two"))
    with store.transaction() as tx:
        assert tx.runs.find(identity("a", "three").logical_key) is None


def test_the_experiment_and_the_parent_must_be_there(store: TrackingStore) -> None:
    with store.transaction() as tx:
        gone = tx.experiments.create("gone")
        tx.experiments.delete(gone.experiment_id)
        with pytest.raises(NotFound, match="experiment '77'"):
            tx.runs.open(experiment_id=77)
        with pytest.raises(Conflict, match=r"'gone'.*deleted"):
            tx.runs.open(experiment_id=gone.experiment_id)
        with pytest.raises(NotFound, match="parent run 'nobody'"):
            open_run(tx, parent_run_id="nobody", identity=identity())


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 5_000},
        {"name": "nul\x00"},
        {"name": "half \ud800"},
        {"user": "u" * 1_001},
        {"run_id": "\x00"},
        {"tags": {"": "v"}},
        {"tags": {"k": "v" * 8_001}},
        {"tags": {"k": 1}},
        {"identity": RunIdentity(logical_key="", attempt_key="x")},
        {"identity": RunIdentity(logical_key="x", attempt_key="")},
        {"identity": RunIdentity(logical_key="x", attempt_key="y", map_index=-2)},
    ],
)
def test_bad_input_is_refused_with_its_rule(store: TrackingStore, wrong: dict[str, object]) -> None:
    with store.transaction() as tx, pytest.raises(InvalidInput, match="is not valid"):
        open_run(tx, **wrong)


def open_same(settings: Settings, try_id: str) -> tuple[str, int]:
    store = TrackingStore(settings)
    with store.transaction() as tx:
        run, attempt = open_run(tx, identity=identity(try_id))
    store.close()
    return run.run_id, attempt.number


def test_many_processes_that_open_one_identity_get_one_run_and_one_attempt(
    settings: Settings, store: TrackingStore
) -> None:
    opened = at_once(open_same, [(settings, "a")] * 6)
    assert len(set(opened)) == 1
    with store.transaction() as tx:
        assert len(tx.runs.attempts(opened[0][0])) == 1


def test_many_tries_at_once_are_attempts_of_one_run(
    settings: Settings, store: TrackingStore
) -> None:
    opened = at_once(open_same, [(settings, f"try {number}") for number in range(4)])
    assert len({run_id for run_id, _ in opened}) == 1
    assert sorted(number for _, number in opened) == [1, 2, 3, 4]
    with store.transaction() as tx:
        attempts = tx.runs.attempts(opened[0][0])
        run = tx.runs.get(opened[0][0])
    running = [attempt for attempt in attempts if attempt.status is RunStatus.RUNNING]
    assert [attempt.attempt_id for attempt in running] == [run.attempt_id]


def test_many_runs_are_read_in_the_order_asked_for(store: TrackingStore) -> None:
    with store.transaction() as tx:
        ids = [open_run(tx, name=f"run {number}")[0].run_id for number in range(5)]
        tx.runs.log_params(tx.runs.get(ids[3]).attempt_id, {"p": "1"})
        wanted = [ids[3], ids[0], ids[4], ids[3]]
        assert [run.run_id for run in tx.runs.get_many(wanted)] == wanted
        data = tx.runs.data_many(wanted)
        assert tx.runs.data_many([]) == []
        with pytest.raises(NotFound, match="no-such"):
            tx.runs.data_many([ids[0], "no-such"])
    assert [item.run.run_id for item in data] == wanted
    assert [item.params for item in data] == [{"p": "1"}, {}, {}, {"p": "1"}]


def test_tags_are_set_replaced_and_deleted(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = open_run(tx, tags={"a": "1"})
        tx.runs.set_tags(run.run_id, {"a": "2", "b": "ü\n"})
        tx.runs.set_tags(run.run_id, {})
        assert tx.runs.get(run.run_id).tags == {"a": "2", "b": "ü\n"}
        tx.runs.delete_tag(run.run_id, "a")
        assert tx.runs.get(run.run_id).tags == {"b": "ü\n"}
        with pytest.raises(NotFound, match="tag 'a'"):
            tx.runs.delete_tag(run.run_id, "a")
        with pytest.raises(NotFound, match="run 'nobody'"):
            tx.runs.delete_tag("nobody", "a")
        with pytest.raises(NotFound, match="run 'nobody'"):
            tx.runs.set_tags("nobody", {"a": "1"})


def test_a_run_is_renamed_deleted_and_restored(store: TrackingStore) -> None:
    with store.transaction() as tx:
        parent, _ = open_run(tx)
        run, _ = open_run(tx, parent_run_id=parent.run_id)
        tx.runs.rename(run.run_id, "new")
        tx.runs.delete(run.run_id)
        deleted = tx.runs.get(run.run_id)
        assert (deleted.name, deleted.lifecycle) == ("new", Lifecycle.DELETED)
        assert tx.runs.children(parent.run_id) == []
        tx.runs.restore(run.run_id)
        assert tx.runs.get(run.run_id).lifecycle is Lifecycle.ACTIVE
        for change in (tx.runs.delete, tx.runs.restore):
            with pytest.raises(NotFound, match="nobody"):
                change("nobody")


def test_an_unknown_attempt_number_is_not_found(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = open_run(tx)
        with pytest.raises(NotFound, match=r"#2.*It has 1"):
            tx.runs.data(run.run_id, attempt=2)
        with pytest.raises(NotFound, match="attempt '999'"):
            tx.runs.attempt(999)
        with pytest.raises(NotFound, match="nobody"):
            tx.runs.attempts("nobody")


def test_any_number_of_runs_can_be_read_at_once(store: TrackingStore) -> None:
    with store.transaction() as tx:
        run, _ = open_run(tx)
        with pytest.raises(NotFound, match="run 'none'"):
            tx.runs.data_many([run.run_id] * 70_000 + ["none"])
        assert len(tx.runs.data_many([run.run_id] * 70_000)) == 70_000
