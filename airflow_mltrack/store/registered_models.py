"""Registered models: the names under which model versions are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.registry import ModelPage, RegisteredModel
from airflow_mltrack.entities.stages import OPEN, StageGraph
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.canonical_json import canonical_value
from airflow_mltrack.store.key_rules import REGISTRY_TAG_LIMIT, check_tags, check_text
from airflow_mltrack.store.record_search import find_page
from airflow_mltrack.store.registry_search import MODEL_KIND, MOST_MODELS
from airflow_mltrack.store.registry_tables import (
    aliases,
    model_versions,
    registered_model_tags,
    registered_models,
)

NAME_LIMIT = 250
DESCRIPTION_LIMIT = 100_000


class RegisteredModels:
    """Registered models, their policy and their tags."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_model(
        self,
        name: str,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        stages: StageGraph = OPEN,
        exist_ok: bool = False,
        created_at: datetime | None = None,
    ) -> RegisteredModel:
        """Create a registered model. A name used before goes on counting its versions.

        A governed model that was deleted comes back with its gates and its stage graph: deleting is
        no way around them.

        :param name: 1 to 250 printable characters without ``/`` and ``:``.
        :param stages: its stages, and what each move asks for.
        :param exist_ok: return the model that is there, as it is, instead of refusing. The row is
            locked until the transaction ends, also then.
        :param created_at: when an imported one was made; None means now.
        :raises InvalidInput: when the name or a tag breaks its rule.
        :raises Conflict: when the name is taken and ``exist_ok`` is not set.
        """
        check_registered_name(name)
        fresh = {
            "description": check_description(description),
            "deleted": False,
            "created_at": created_at or func.clock_timestamp(),
            "updated_at": func.clock_timestamp(),
        }
        statement = upsert(registered_models).values(name=name, stages=stages.to_json(), **fresh)
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_=fresh | self._rules_after_deletion(name, stages),
            where=registered_models.c.deleted,
        )
        created = self._connection.execute(statement.returning(registered_models.c.id)).first()
        if created is None and not exist_ok:
            raise Conflict("registered model", name, "it exists already.")
        if created is None:
            return self.lock(name)
        if tags:
            self.set_model_tags(name, tags)
        return self.get_model(name)

    def get_model(self, name: str) -> RegisteredModel:
        """Return a registered model.

        :raises NotFound: when there is none, or it was deleted.
        """
        found = self._models(_query().where(registered_models.c.name == name))
        if not found:
            raise _missing(name)
        return found[0]

    def list_models(self) -> list[RegisteredModel]:
        """Return all registered models by name."""
        return self._models(_query().order_by(registered_models.c.name))

    def search_models(
        self,
        *,
        filter: str = "",  # noqa: A002 - MLflow's name
        order_by: Sequence[str] = (),
        max_results: int = 100,
        page_token: str | None = None,
    ) -> ModelPage:
        """Return a page of registered models, by name.

        :param filter: over ``name``, times and ``tags``; see
            :mod:`airflow_mltrack.store.search_filter`.
        :param max_results: 1 to 1,000.
        :raises InvalidInput: as :func:`airflow_mltrack.store.record_search.find_page`.
        """
        page = find_page(
            self._connection,
            MODEL_KIND,
            _query(),
            filter=filter,
            order_by=order_by,
            max_results=max_results,
            most=MOST_MODELS,
            page_token=page_token,
        )
        return ModelPage(tuple(self._entities(page.rows)), page.next_page_token)

    def lock(self, name: str) -> RegisteredModel:
        """Return a registered model after locking its row until the transaction ends.

        :raises NotFound: when there is none.
        """
        self.model_number(name, lock=True)
        return self.get_model(name)

    def update_model(self, name: str, *, description: str) -> RegisteredModel:
        """Replace the description."""
        self._update(name, description=check_description(description))
        return self.get_model(name)

    def set_policy(
        self, name: str, *, gates: Mapping[str, object], stages: StageGraph
    ) -> RegisteredModel:
        """Replace gates and stage graph; no history is written.

        The database refuses the transaction unless its end finds the change in the history.
        Callers want :func:`airflow_mltrack.lifecycle.registration.set_policy`.

        :raises InvalidInput: when the gates are not JSON-able.
        :raises Conflict: when a version stands in a stage that the new graph does not have, or
            several in its exclusive one.
        """
        self._check_stands(name, stages)
        self._update(name, gates=canonical_value(dict(gates)), stages=stages.to_json())
        return self.get_model(name)

    def set_model_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""
        rows = [
            {"model": self.model_number(name), "key": key, "value": value}
            for key, value in check_tags(tags, REGISTRY_TAG_LIMIT).items()
        ]
        if rows:
            statement = upsert(registered_model_tags)
            statement = statement.on_conflict_do_update(
                index_elements=["model", "key"], set_={"value": statement.excluded.value}
            )
            self._connection.execute(statement, rows)

    def delete_model_tag(self, name: str, key: str) -> None:
        """Remove a tag; nothing happens when it is not there."""
        table = registered_model_tags
        self._connection.execute(
            delete(table).where(table.c.model == self.model_number(name), table.c.key == key)
        )

    def delete_model(self, name: str) -> None:
        """Delete a model with its versions, tags and aliases. Verdicts and history stay.

        :raises NotFound: when there is none.
        """
        number = self.model_number(name, lock=True)
        for table in (aliases, registered_model_tags):
            self._connection.execute(delete(table).where(table.c.model == number))
        self._connection.execute(
            update(model_versions)
            .where(model_versions.c.model == number, ~model_versions.c.deleted)
            .values(deleted=True, updated_at=func.clock_timestamp())
        )
        self._update(name, deleted=True)

    def rename_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model another name; the old one stays reserved, for its history speaks of it.

        Who takes the old name later finds the rules of a governed model there: renaming is no way
        around them.

        :raises Conflict: when the new name is or was in use.
        """
        check_registered_name(new_name)
        number, before = self.model_number(name, lock=True), self.get_model(name)
        taken = select(registered_models.c.id).where(registered_models.c.name == new_name)
        if self._connection.scalar(taken) is not None:
            raise Conflict(
                "registered model", new_name, "the name is or was in use.", "Choose another one."
            )
        last = self._connection.execute(
            update(registered_models)
            .where(registered_models.c.id == number)
            .values(name=new_name, updated_at=func.clock_timestamp())
            .returning(registered_models.c.last_version)
        ).scalar_one()
        self._connection.execute(
            insert(registered_models).values(
                name=name,
                last_version=last,
                deleted=True,
                gates=before.gates,
                stages=before.stages.to_json(),
            )
        )
        return self.get_model(new_name)

    def stage_graph(self, name: str) -> StageGraph:
        """Return a model's stage graph.

        :raises NotFound: when there is no such model.
        """
        query = select(registered_models.c.stages).where(
            registered_models.c.name == name, ~registered_models.c.deleted
        )
        found = self._connection.scalar(query)
        if found is None:
            raise _missing(name)
        return StageGraph.from_json(found)

    def model_number(self, name: str, *, lock: bool = False) -> int:
        """Return the key of a model's row; for other groups of this store.

        :raises NotFound: when there is none.
        """
        query = select(registered_models.c.id).where(
            registered_models.c.name == name, ~registered_models.c.deleted
        )
        number: int | None = self._connection.scalar(query.with_for_update() if lock else query)
        if number is None:
            raise _missing(name)
        return number

    def _rules_after_deletion(self, name: str, stages: StageGraph) -> dict[str, object]:
        """Return gates and graph of a model that is made again: what it had, if that was a rule."""
        r = registered_models.c
        # Locked, so that a deletion that is under way is waited for, and its rules are seen.
        query = select(r.gates, r.stages, r.deleted).where(r.name == name).with_for_update()
        before = self._connection.execute(query).first()
        fresh: dict[str, object] = {"stages": stages.to_json()}
        if before is None or not before.deleted:
            return {"gates": {}, **fresh}
        if StageGraph.from_json(before.stages).is_governed:
            return {}
        if before.gates:
            return fresh if stages.is_governed else {}
        return {"gates": {}, **fresh}

    def _check_stands(self, name: str, stages: StageGraph) -> None:
        """Refuse a graph that leaves a version nowhere, or two where one may be."""
        number = self.model_number(name, lock=True)
        query = select(model_versions.c.version, model_versions.c.stage).where(
            model_versions.c.model == number, ~model_versions.c.deleted
        )
        holders = []
        for version, stage in self._connection.execute(query.order_by(model_versions.c.version)):
            if stage not in stages.stages:
                raise Conflict(
                    "stage graph",
                    name,
                    f"version {version} stands in {stage}, which the new graph does not have.",
                    "Move or delete that version first, or keep the stage.",
                )
            holders += [version] if stage == stages.exclusive else []
        if len(holders) > 1:
            raise Conflict(
                "stage graph",
                name,
                f"versions {', '.join(map(str, holders))} stand in {stages.exclusive}, which is to "
                "have one holder.",
                "Move all but one of them first.",
            )

    def _update(self, name: str, **values: object) -> None:
        self._connection.execute(
            update(registered_models)
            .where(registered_models.c.id == self.model_number(name, lock=True))
            .values(**values, updated_at=func.clock_timestamp())
        )

    def _models(self, query: Select[tuple[object, ...]]) -> list[RegisteredModel]:
        return self._entities(self._connection.execute(query).all())

    def _entities(self, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
        numbers = [row.id for row in rows]
        tags = self._by_model(registered_model_tags.c.value, registered_model_tags.c.key, numbers)
        versions = self._by_model(aliases.c.version, aliases.c.alias, numbers)
        return [_entity(row, tags.get(row.id, {}), versions.get(row.id, {})) for row in rows]

    def _by_model(
        self, value: Column[Any], key: Column[str], numbers: Sequence[int]
    ) -> dict[int, dict[str, Any]]:
        """Read tags or aliases of many models in one query."""
        table = key.table
        query = select(table.c.model, key, value).where(table.c.model.in_(numbers)).order_by(key)
        found: dict[int, dict[str, Any]] = {}
        for model, name, content in self._connection.execute(query):
            found.setdefault(model, {})[name] = content
        return found


def check_registered_name(name: str) -> None:
    """Refuse a registered model's name that could not stand in a URI.

    :raises InvalidInput: when it is empty, too long, or holds a forbidden character.
    """
    if (
        not 1 <= len(name) <= NAME_LIMIT
        or not name.isprintable()
        or not name.strip()
        or any(mark in name for mark in "/:")
    ):
        raise InvalidInput(
            "registered model name",
            name,
            f"it has 1 to {NAME_LIMIT} printable characters and no / or :",
        )


def check_description(text: str) -> str:
    """Return a description that can be kept.

    :raises InvalidInput: when it is too long or holds what Postgres cannot keep.
    """
    return check_text("description", text, DESCRIPTION_LIMIT)


def _missing(name: str) -> NotFound:
    return NotFound("registered model", name, "See what there is: mltrack models list")


def _query() -> Select[tuple[object, ...]]:
    return select(registered_models).where(~registered_models.c.deleted)


def _entity(
    row: Row[tuple[object, ...]], tags: Mapping[str, str], versions: Mapping[str, int]
) -> RegisteredModel:
    return RegisteredModel(
        name=row.name,
        description=row.description,
        created_at=row.created_at,
        updated_at=row.updated_at,
        gates=row.gates,
        stages=StageGraph.from_json(row.stages),
        tags=tags,
        aliases=versions,
    )
