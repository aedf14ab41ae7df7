"""Logged models in real Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.tracking_store import TrackingStore, Transaction

DIGEST = "d" * 64


@pytest.fixture
def tx(store: TrackingStore) -> Iterator[Transaction]:
    with store.transaction() as transaction:
        yield transaction


@pytest.fixture
def experiment_id(tx: Transaction) -> int:
    return tx.experiments.create("credit").experiment_id


def test_a_new_model_waits_for_its_bytes_under_the_experiments_root(
    tx: Transaction, experiment_id: int
) -> None:
    model = tx.models.create(experiment_id=experiment_id, name="model", model_type="skops")
    root = tx.experiments.get(experiment_id).artifact_root
    assert model.status is LoggedModelStatus.PENDING
    assert model.model_id.startswith("m-")
    assert model.artifact_root == f"{root}/models/{model.model_id}/artifacts"
    assert (model.digest, model.size, model.run_id, model.model_type) == (None, None, None, "skops")


def test_a_model_knows_its_run_and_attempt(tx: Transaction, experiment_id: int) -> None:
    run, attempt = tx.runs.open(experiment_id=experiment_id)
    model = tx.models.create(
        experiment_id=experiment_id,
        name="model",
        run_id=run.run_id,
        attempt_id=attempt.attempt_id,
    )
    assert (model.run_id, model.attempt_id) == (run.run_id, attempt.attempt_id)
    assert tx.models.list(run_id=run.run_id) == [model]


def test_a_ready_model_never_changes(tx: Transaction, experiment_id: int) -> None:
    pending = tx.models.create(experiment_id=experiment_id, name="model")
    manifest = {"files": {"model.skops": "a" * 64}}
    ready = tx.models.finalize(pending.model_id, digest=DIGEST, size=7, manifest=manifest)
    assert (ready.status, ready.digest, ready.size) == (LoggedModelStatus.READY, DIGEST, 7)
    assert ready.manifest == manifest
    again = tx.models.finalize(pending.model_id, digest=DIGEST, size=7, manifest=manifest)
    assert again == ready
    with pytest.raises(Conflict, match="e" * 64):
        tx.models.finalize(pending.model_id, digest="e" * 64, size=7, manifest={})
    with pytest.raises(Conflict, match="READY"):
        tx.models.fail(pending.model_id, "late")


def test_a_failed_model_stays_failed_and_says_why(tx: Transaction, experiment_id: int) -> None:
    model = tx.models.create(experiment_id=experiment_id, name="model")
    failed = tx.models.fail(model.model_id, "disk full")
    assert (failed.status, failed.status_message) == (LoggedModelStatus.FAILED, "disk full")
    assert tx.models.fail(model.model_id, "other reason") == failed
    with pytest.raises(Conflict, match="FAILED"):
        tx.models.finalize(model.model_id, digest=DIGEST, size=1, manifest={})


def test_models_are_listed_newest_first_and_by_name_and_status(
    tx: Transaction, experiment_id: int
) -> None:
    first = tx.models.create(experiment_id=experiment_id, name="a")
    second = tx.models.create(experiment_id=experiment_id, name="b")
    second = tx.models.finalize(second.model_id, digest=DIGEST, size=1, manifest={})
    assert tx.models.list(experiment_id=experiment_id) == [second, first]
    assert tx.models.list(experiment_id=experiment_id, name="a") == [first]
    ready = tx.models.list(experiment_id=experiment_id, status=LoggedModelStatus.READY)
    assert ready == [second]
    with pytest.raises(InvalidInput, match="run_id or an experiment_id"):
        tx.models.list()


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a.b", "50%", "it's", 'a"b', "a\nb", "x" * 501])
def test_a_name_that_cannot_stand_in_a_uri_is_refused(
    tx: Transaction, experiment_id: int, name: str
) -> None:
    with pytest.raises(InvalidInput, match="logged model name"):
        tx.models.create(experiment_id=experiment_id, name=name)


def test_a_model_of_something_that_is_not_there_is_refused(
    tx: Transaction, experiment_id: int
) -> None:
    run, _ = tx.runs.open(experiment_id=experiment_id)
    _, foreign = tx.runs.open(experiment_id=experiment_id)
    with pytest.raises(NotFound, match="experiment"):
        tx.models.create(experiment_id=999, name="model")
    with pytest.raises(NotFound, match="run"):
        tx.models.create(experiment_id=experiment_id, name="model", run_id="f" * 32)
    with pytest.raises(NotFound, match="attempt"):
        tx.models.create(
            experiment_id=experiment_id,
            name="model",
            run_id=run.run_id,
            attempt_id=foreign.attempt_id,
        )
    with pytest.raises(InvalidInput, match="run_id of its run"):
        tx.models.create(experiment_id=experiment_id, name="model", attempt_id=1)
    with pytest.raises(NotFound, match="logged model"):
        tx.models.get("m-none")


def test_an_id_is_given_once(tx: Transaction, experiment_id: int) -> None:
    tx.models.create(experiment_id=experiment_id, name="model", model_id="m-mine")
    with pytest.raises(Conflict, match="m-mine"):
        tx.models.create(experiment_id=experiment_id, name="model", model_id="m-mine")


def test_a_failure_is_kept_whatever_its_words_hold(tx: Transaction, experiment_id: int) -> None:
    model = tx.models.create(experiment_id=experiment_id, name="model")
    failed = tx.models.fail(model.model_id, "nul \x00 half \udcff")
    assert (failed.status, failed.status_message) == (LoggedModelStatus.FAILED, "nul  half ?")
