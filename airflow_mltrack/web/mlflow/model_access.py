"""Which logged models a caller may see and change: those of the runs that he may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.web.mlflow.errors import MISSING, MlflowError

if TYPE_CHECKING:
    from airflow_mltrack.store.tracking_store import Transaction
    from airflow_mltrack.web.mlflow.calls import Call


def check_models(
    call: Call,
    tx: Transaction,
    model_ids: Iterable[str],
    *,
    write: bool = False,
    allow_deleted: bool = False,
) -> None:
    """Check that the caller may see, or write, logged models.

    One that was set aside, because the request that made it came again, is brought back: somebody
    knows of it.

    :raises MlflowError: when one is missing; one that may not be seen is not told apart.
    """
    check = call.writable_run if write else call.visible_run
    for model_id in dict.fromkeys(model_ids):
        try:
            model = tx.models.get(model_id, allow_deleted=True)
            seen = model.run_id is None or call.may_see(tx.runs.get(model.run_id))
        except NotFound:
            seen = False
        if not seen:
            raise _missing(model_id)
        if model.run_id is not None:
            check(tx, model.run_id)
        if model.deleted_at is None or tx.create_requests.bring_back(model_id):
            continue
        if not allow_deleted:
            raise _missing(model_id)


def _missing(model_id: str) -> MlflowError:
    return MlflowError(MISSING, f"Logged model with ID '{model_id[:100]}' not found.")
