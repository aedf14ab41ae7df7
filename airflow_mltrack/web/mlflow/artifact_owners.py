"""Whose files an address names, and whether they may be read or changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_mltrack.entities.experiments import Lifecycle
from airflow_mltrack.entities.models import LoggedModelStatus
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.tracking.run_artifacts import FileOwner
from airflow_mltrack.web.mlflow.errors import MISSING, MlflowError, invalid

if TYPE_CHECKING:
    from airflow_mltrack.entities.artifacts import Artifact
    from airflow_mltrack.entities.models import LoggedModel
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.web.mlflow.calls import Call
    from airflow_mltrack.web.mlflow.locations import Location


@dataclass(frozen=True, slots=True)
class Owner:
    """A run or a logged model with its files."""

    files: FileOwner
    root: str
    """Key prefix for new files."""


def find_owner(call: Call, tx: Transaction, place: Location) -> Owner:
    """Find whose files are asked for.

    :raises MlflowError: when there is no such run or model that the caller may see.
    """
    if place.model_id is not None:
        return owner_of_model(call, tx, place.model_id, experiment_id=place.experiment_id)
    run = call.visible_run(tx, place.run_id or "")
    if run.experiment_id != place.experiment_id:
        raise MlflowError(MISSING, f"Run {run.run_id} is not of experiment {place.experiment_id}.")
    return Owner(FileOwner(attempt_id=run.attempt_id), run.artifact_root)


def owner_of_model(
    call: Call, tx: Transaction, model_id: str, *, experiment_id: int | None = None
) -> Owner:
    """Return a logged model as the owner of its files.

    :raises MlflowError: when there is no such model that the caller may see.
    """
    model = _visible_model(call, tx, model_id)
    if experiment_id not in (None, model.experiment_id):
        raise MlflowError(MISSING, f"Logged model {model_id} is not of experiment {experiment_id}.")
    return Owner(FileOwner(model_id=model_id), model.artifact_root)


def find_open_owner(call: Call, tx: Transaction, place: Location) -> Owner:
    """Find whose files are to be changed; a logged model stays as it is until the transaction ends.

    :raises MlflowError: when there is no such run or model that the caller may write, or its files
        do not change any more.
    """
    owner = find_owner(call, tx, place)
    if place.model_id is not None:
        model = tx.models.hold(place.model_id)
        if model.run_id is not None:
            call.writable_run(tx, model.run_id)
        if model.deleted_at is not None and tx.create_requests.bring_back(model.model_id):
            model = tx.models.get(model.model_id)
        closed = _closed(model)
    else:
        run = call.writable_run(tx, place.run_id or "")
        closed = "the run was deleted" if run.lifecycle is Lifecycle.DELETED else ""
    if closed:
        raise invalid(f"No file can be added, replaced or removed: {closed}.")
    return owner


def find_file(call: Call, place: Location) -> Artifact:
    """Find the record of a file.

    :raises MlflowError: when there is none; for a directory, too.
    """
    with call.client.store.transaction() as tx:
        return file_of(tx, find_owner(call, tx, place), place.path)


def file_of(tx: Transaction, owner: Owner, path: str) -> Artifact:
    """Return the record of a file of an owner.

    :raises MlflowError: when there is none; for a directory, too.
    """
    files = owner.files
    try:
        return tx.artifacts.get(path=path, attempt_id=files.attempt_id, model_id=files.model_id)
    except NotFound as error:
        raise MlflowError(MISSING, f"No such artifact: '{path[:200]}'") from error


@contextlib.contextmanager
def path_errors() -> Iterator[None]:
    """Word the refusal of a path without the key under which the bytes would have been stored.

    Together with the owner's own directories it may be too long.
    """
    try:
        yield
    except InvalidInput as error:
        raise invalid(f"Invalid path: {error.rule}") from error


def _visible_model(call: Call, tx: Transaction, model_id: str) -> LoggedModel:
    try:
        model = tx.models.get(model_id)
    except NotFound as error:
        raise MlflowError(MISSING, f"Logged model with ID '{model_id[:100]}' not found.") from error
    if model.run_id is not None:
        call.visible_run(tx, model.run_id)
    return model


def _closed(model: LoggedModel) -> str:
    if model.deleted_at is not None:
        return "the model was deleted"
    if model.status is LoggedModelStatus.READY:
        return "the model is READY, and a package never changes"
    return ""
