"""Experiments and their tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from airflow_mltrack.entities.experiments import Experiment, Lifecycle
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.key_rules import check_name, check_tags, check_text
from airflow_mltrack.store.tables import experiment_tags, experiments

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.engine import Connection

_ROOT_LIMIT = 1_024
_LIST_HINT = "Runs are listed with their experiments by: mltrack runs list"


class Experiments:
    """Named groups of runs. Names are unique, also among deleted experiments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, name: str, *, artifact_root: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """Create an experiment.

        :param name: 1 to 500 characters.
        :param artifact_root: key prefix or absolute URI for its runs' bytes; None means
            ``experiments/<id>``.
        :raises Conflict: when the name is taken, also by a deleted experiment.
        """
        number = self._insert(name, artifact_root)
        if number is None:
            taken = self.get_by_name(name)
            reason = f"this name is taken by experiment {taken.experiment_id}."
            if taken.lifecycle is Lifecycle.DELETED:
                reason = f"this name is taken by deleted experiment {taken.experiment_id}."
            raise Conflict("experiment", name, reason, "Restore or rename that one.")
        if tags:
            self.set_tags(number, tags)
        return self.get(number)

    def ensure(self, name: str) -> Experiment:
        """Return the experiment of this name, created if need be; safe against races.

        :raises Conflict: when it was deleted.
        """
        found = self._one(_SELECT.where(experiments.c.name == check_name("experiment name", name)))
        if found is None:
            self._insert(name, None)
            found = self.get_by_name(name)
        if found.lifecycle is Lifecycle.DELETED:
            raise Conflict(
                "experiment", name, "it was deleted.", "Restore it, or choose another name."
            )
        return found

    def get(self, experiment_id: int) -> Experiment:
        """Return an experiment by number, also a deleted one.

        :raises NotFound: there is none.
        """
        found = self._one(_SELECT.where(experiments.c.id == experiment_id))
        if found is None:
            raise NotFound("experiment", experiment_id, _LIST_HINT)
        return found

    def get_by_name(self, name: str) -> Experiment:
        """Return an experiment by name, also a deleted one.

        :raises NotFound: there is none.
        """
        found = self._one(_SELECT.where(experiments.c.name == check_name("experiment name", name)))
        if found is None:
            raise NotFound("experiment", name, _LIST_HINT)
        return found

    def list(self, *, view: str = "active") -> list[Experiment]:
        """Return experiments, oldest first.

        :param view: ``active``, ``deleted`` or ``all``.
        """
        query = _SELECT.order_by(experiments.c.id)
        if view != "all":
            query = query.where(experiments.c.lifecycle == _lifecycle(view))
        return [_experiment(row) for row in self._connection.execute(query)]

    def rename(self, experiment_id: int, new_name: str) -> None:
        """Give another name.

        :raises Conflict: when the name is taken, or the experiment was deleted.
        """
        check_name("experiment name", new_name)
        current = self.get(experiment_id)
        if current.lifecycle is Lifecycle.DELETED:
            raise Conflict("experiment", current.name, "it was deleted.", "Restore it first.")
        taken = select(experiments.c.id).where(
            experiments.c.name == new_name, experiments.c.id != experiment_id
        )
        holder = self._connection.scalar(taken)
        if holder is not None:
            raise Conflict("experiment", new_name, f"this name is taken by experiment {holder}.")
        self._update(experiment_id, name=new_name)

    def set_tags(self, experiment_id: int, tags: Mapping[str, str]) -> None:
        """Set tags; a tag that exists gets the new value.

        :raises NotFound: there is no such experiment.
        """
        self.get(experiment_id)
        rows = [
            {"experiment_id": experiment_id, "key": key, "value": value}
            for key, value in check_tags(tags).items()
        ]
        if rows:
            statement = insert(experiment_tags).values(rows)
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["experiment_id", "key"],
                    set_={"value": statement.excluded.value},
                )
            )

    def delete(self, experiment_id: int) -> None:
        """Delete an experiment; it can be restored, its runs stay as they are.

        :raises InvalidInput: for experiment 0, where runs go that name none.
        """
        if experiment_id == 0:
            raise InvalidInput("experiment", experiment_id, "the default one cannot be deleted.")
        self._update(experiment_id, lifecycle=Lifecycle.DELETED.value)

    def restore(self, experiment_id: int) -> None:
        """Bring a deleted experiment back."""
        self._update(experiment_id, lifecycle=Lifecycle.ACTIVE.value)

    def _insert(self, name: str, artifact_root: str | None) -> int | None:
        """Insert a row and return its number, None when the name is taken."""
        check_name("experiment name", name)
        number = self._connection.scalar(select(func.nextval("experiments_id_seq")))
        root = f"experiments/{number}"
        if artifact_root is not None:
            given = check_text("artifact root", artifact_root, _ROOT_LIMIT)
            root = check_text("artifact root", given.rstrip("/"), _ROOT_LIMIT, at_least=1)
        statement = insert(experiments).values(id=number, name=name, artifact_root=root)
        inserted: int | None = self._connection.scalar(
            statement.on_conflict_do_nothing(index_elements=["name"]).returning(experiments.c.id)
        )
        return inserted

    def _update(self, experiment_id: int, **values: str) -> None:
        result = self._connection.execute(
            update(experiments)
            .where(experiments.c.id == experiment_id)
            .values(updated_at=func.clock_timestamp(), **values)
        )
        if result.rowcount == 0:
            raise NotFound("experiment", experiment_id, _LIST_HINT)

    def _one(self, query: Select[Any]) -> Experiment | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _experiment(row)


_TAGS = (
    select(func.jsonb_object_agg(experiment_tags.c.key, experiment_tags.c.value, type_=JSONB))
    .where(experiment_tags.c.experiment_id == experiments.c.id)
    .scalar_subquery()
    .label("tags")
)
_SELECT = select(experiments, _TAGS)


def _experiment(row: Row[Any]) -> Experiment:
    return Experiment(
        experiment_id=row.id,
        name=row.name,
        artifact_root=row.artifact_root,
        lifecycle=Lifecycle(row.lifecycle),
        created_at=row.created_at,
        updated_at=row.updated_at,
        tags=row.tags or {},
    )


def _lifecycle(view: str) -> str:
    try:
        return Lifecycle(view).value
    except ValueError:
        raise InvalidInput("view", view, "it is active, deleted or all.") from None
