"""Logged models that attempts read or produced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from airflow_mltrack.entities.models import RunModel
from airflow_mltrack.exceptions import NotFound
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import logged_models, run_models

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

INPUT, OUTPUT = "input", "output"


class RunModels:
    """Which logged models an attempt read or produced."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def log(self, attempt_id: int, models: Sequence[RunModel], *, direction: str) -> None:
        """Note models; the same again changes nothing but the step, which the last call sets.

        :param direction: ``input`` or ``output``.
        :raises NotFound: names the model that does not exist.
        """
        wanted = {model.model_id: model.step for model in models}
        known = set(
            self._connection.scalars(
                select(logged_models.c.model_id).where(among(logged_models.c.model_id, wanted))
            )
        )
        for model_id in wanted:
            if model_id not in known:
                raise NotFound("logged model", model_id)
        rows = [
            {"attempt": attempt_id, "direction": direction, "model_id": model_id, "step": step}
            for model_id, step in sorted(wanted.items())
        ]
        if rows:
            statement = insert(run_models)
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["attempt", "direction", "model_id"],
                    set_={"step": statement.excluded.step},
                ),
                rows,
            )

    def list(
        self, attempt_ids: Iterable[int], *, direction: str
    ) -> dict[int, tuple[RunModel, ...]]:
        """Return the models of many attempts, by attempt, in one query."""
        columns = run_models.c
        query = (
            select(columns.attempt, columns.model_id, columns.step)
            .where(among(columns.attempt, attempt_ids), columns.direction == direction)
            .order_by(columns.attempt, columns.step, columns.model_id)
        )
        found: dict[int, tuple[RunModel, ...]] = {}
        for attempt, model_id, step in self._connection.execute(query):
            found[attempt] = (*found.get(attempt, ()), RunModel(model_id, step))
        return found
