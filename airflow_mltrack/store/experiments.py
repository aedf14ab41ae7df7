"""Experiments and their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Row, Select, Text, cast, delete, func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from airflow_mltrack.entities.experiments import Experiment, ExperimentPage, Lifecycle
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.key_rules import (
    EXPERIMENT_TAG_LIMIT,
    check_name,
    check_tags,
    check_text,
)
from airflow_mltrack.store.record_search import RecordKind, find_page
from airflow_mltrack.store.search_filter import Entity, Field, Kind, OrderTerm, Vocabulary
from airflow_mltrack.store.search_sql import Expression
from airflow_mltrack.store.tables import experiment_tags, experiments, runs

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.engine import Connection

MAX_RESULTS = 50_000
"""Most experiments of one page."""
_ROOT_LIMIT = 1_024
_NEXT_NUMBER = select(func.nextval("experiments_id_seq"))
# Numbers of MLflow's file store have 18 digits: those are so far away that nobody comes there.
_STAY_AHEAD = text(
    """
    SELECT setval('experiments_id_seq', :number) FROM experiments_id_seq
    WHERE :number BETWEEN last_value AND last_value + 1000000
    """
)
_LIST_HINT = "Runs are listed with their experiments by: mltrack runs list"


class Experiments:
    """Named groups of runs. Names are unique, also among deleted experiments."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        name: str,
        *,
        artifact_root: str | None = None,
        tags: Mapping[str, str] | None = None,
        experiment_id: int | None = None,
        created_at: datetime | None = None,
    ) -> Experiment:
        """Create an experiment.

        :param name: 1 to 500 characters.
        :param artifact_root: key prefix or absolute URI for its runs' bytes; None means
            ``experiments/<id>``.
        :param experiment_id: the number of an imported experiment; None takes the next one.
        :param created_at: when an imported one was made; None means now.
        :raises Conflict: when the name is taken, also by a deleted experiment, or the number is.
        """
        number = self._insert(name, artifact_root, experiment_id, created_at)
        if number is None:
            self._check_number(name, experiment_id)
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
            for key, value in check_tags(tags, EXPERIMENT_TAG_LIMIT).items()
        ]
        if rows:
            statement = insert(experiment_tags).values(rows)
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["experiment_id", "key"],
                    set_={"value": statement.excluded.value},
                )
            )

    def delete_tag(self, experiment_id: int, key: str) -> None:
        """Remove a tag.

        :raises NotFound: there is no such experiment or tag.
        """
        self.get(experiment_id)
        result = self._connection.execute(
            delete(experiment_tags).where(
                experiment_tags.c.experiment_id == experiment_id, experiment_tags.c.key == key
            )
        )
        if result.rowcount == 0:
            raise NotFound("tag", key, f"Experiment {experiment_id} has no such tag.")

    def search(
        self,
        *,
        filter: str = "",  # noqa: A002 - MLflow's name
        order_by: Sequence[str] = (),
        max_results: int = 1_000,
        page_token: str | None = None,
        view: str = "active",
    ) -> ExperimentPage:
        """Return a page of experiments, the latest first.

        :param filter: over ``name``, ``experiment_id``, ``creation_time``, ``last_update_time`` and
            ``tags``; see :mod:`airflow_mltrack.store.search_filter`.
        :param max_results: 1 to 50,000.
        :param view: ``active``, ``deleted`` or ``all``.
        :raises InvalidInput: as :func:`airflow_mltrack.store.record_search.find_page`.
        """
        query = _SELECT
        if view != "all":
            query = query.where(experiments.c.lifecycle == _lifecycle(view))
        page = find_page(
            self._connection,
            _KIND,
            query,
            filter=filter,
            order_by=order_by,
            max_results=max_results,
            most=MAX_RESULTS,
            page_token=page_token,
            facts=(view,),
        )
        return ExperimentPage(tuple(map(_experiment, page.rows)), page.next_page_token)

    def delete(self, experiment_id: int) -> None:
        """Delete an experiment with its runs; they can be restored.

        :raises InvalidInput: for experiment 0, where runs go that name none.
        """
        if experiment_id == 0:
            raise InvalidInput("experiment", experiment_id, "the default one cannot be deleted.")
        self._update(experiment_id, lifecycle=Lifecycle.DELETED.value)
        self._connection.execute(
            update(runs)
            .where(
                runs.c.experiment_id == experiment_id, runs.c.lifecycle == Lifecycle.ACTIVE.value
            )
            .values(
                lifecycle=Lifecycle.DELETED.value,
                deleted_at=func.clock_timestamp(),
                deleted_with_experiment=True,
            )
        )

    def restore(self, experiment_id: int) -> None:
        """Bring a deleted experiment back, with the runs that were deleted with it."""
        self._update(experiment_id, lifecycle=Lifecycle.ACTIVE.value)
        self._connection.execute(
            update(runs)
            .where(runs.c.experiment_id == experiment_id, runs.c.deleted_with_experiment)
            .values(
                lifecycle=Lifecycle.ACTIVE.value, deleted_at=None, deleted_with_experiment=False
            )
        )

    def _insert(
        self,
        name: str,
        artifact_root: str | None,
        wanted: int | None = None,
        created_at: datetime | None = None,
    ) -> int | None:
        """Insert a row and return its number, None when the name or the wanted number is taken."""
        check_name("experiment name", name)
        if wanted is not None:
            self._connection.execute(_STAY_AHEAD, {"number": wanted})
        while True:
            number = self._next_number() if wanted is None else wanted
            root = _root(number, artifact_root)
            made = {"created_at": created_at, "updated_at": created_at} if created_at else {}
            statement = insert(experiments).values(id=number, name=name, artifact_root=root, **made)
            inserted: int | None = self._connection.scalar(
                statement.on_conflict_do_nothing().returning(experiments.c.id)
            )
            # A number that was imported is skipped; a name that is taken stays so.
            if inserted is not None or wanted is not None or not self._is_taken(number):
                return inserted

    def _next_number(self) -> int:
        number: int = self._connection.execute(_NEXT_NUMBER).scalar_one()
        return number

    def _is_taken(self, number: int) -> bool:
        query = select(experiments.c.id).where(experiments.c.id == number)
        return self._connection.scalar(query) is not None

    def _check_number(self, name: str, wanted: int | None) -> None:
        """Refuse a number that is taken."""
        holder = select(experiments.c.name).where(experiments.c.id == wanted)
        found = None if wanted is None else self._connection.scalar(holder)
        if found is not None and found != name:
            raise Conflict(
                "experiment", wanted, f"this number is taken by experiment {found}.", "Omit it."
            )

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


def _tag_rows(key: str) -> tuple[Select[Any], Expression]:
    query: Select[Any] = select(literal_column("1")).where(
        experiment_tags.c.experiment_id == experiments.c.id, experiment_tags.c.key == key
    )
    return query, experiment_tags.c.value


_KIND = RecordKind(
    vocabulary=Vocabulary(
        record="experiment",
        attributes={
            "name": Kind.TEXT,
            "experiment_id": Kind.TEXT,
            "creation_time": Kind.TIME,
            "last_update_time": Kind.TIME,
        },
        aliases={"creation time": "creation_time", "last update time": "last_update_time"},
        entities={
            "tag": Entity.TAG,
            "tags": Entity.TAG,
            "attribute": Entity.ATTRIBUTE,
            "attributes": Entity.ATTRIBUTE,
            "attr": Entity.ATTRIBUTE,
        },
        example="name, creation_time or tags.team",
    ),
    columns={
        "name": experiments.c.name,
        "experiment_id": cast(experiments.c.id, Text),
        "creation_time": experiments.c.created_at,
        "last_update_time": experiments.c.updated_at,
        "id": experiments.c.id,
    },
    types={
        "name": str,
        "experiment_id": str,
        "creation_time": datetime,
        "last_update_time": datetime,
        "id": int,
    },
    children={Entity.TAG: _tag_rows},
    last_terms=(OrderTerm(Field(Entity.ATTRIBUTE, "id"), descending=True),),
    default_order=(OrderTerm(Field(Entity.ATTRIBUTE, "creation_time"), descending=True),),
)


def _root(number: int, given: str | None) -> str:
    """Return the key prefix of an experiment's files."""
    if given is None:
        return f"experiments/{number}"
    root = check_text("artifact root", given, _ROOT_LIMIT).rstrip("/")
    return check_text("artifact root", root, _ROOT_LIMIT, at_least=1)


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
