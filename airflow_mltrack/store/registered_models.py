"""Registered models: the names under which model versions are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Row, Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from airflow_mltrack.entities.registry import RegisteredModel
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.canonical_json import canonical_value
from airflow_mltrack.store.key_rules import check_tags, check_text
from airflow_mltrack.store.tables import (
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
        exist_ok: bool = False,
    ) -> RegisteredModel:
        """Create a registered model. A name used before goes on counting its versions.

        :param name: 1 to 250 printable characters without ``/`` and ``:``.
        :param exist_ok: return the model that is there, as it is, instead of refusing. The row is
            locked until the transaction ends, also then.
        :raises InvalidInput: when the name or a tag breaks its rule.
        :raises Conflict: when the name is taken and ``exist_ok`` is not set.
        """
        check_registered_name(name)
        fresh = {
            "description": check_description(description),
            "gates": {},
            "requires_verdict": False,
            "deleted": False,
            "created_at": func.clock_timestamp(),
            "updated_at": func.clock_timestamp(),
        }
        statement = upsert(registered_models).values(name=name, **fresh)
        statement = statement.on_conflict_do_update(
            index_elements=["name"], set_=fresh, where=registered_models.c.deleted
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
        self, name: str, *, gates: Mapping[str, object], requires_verdict: bool
    ) -> RegisteredModel:
        """Replace what a version must show before Production; no history is written.

        Callers want :func:`airflow_mltrack.lifecycle.registration.set_policy`.

        :raises InvalidInput: when the gates are not JSON-able.
        """
        self._update(name, gates=canonical_value(dict(gates)), requires_verdict=requires_verdict)
        return self.get_model(name)

    def set_model_tags(self, name: str, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""
        rows = [
            {"model": self.model_number(name), "key": key, "value": value}
            for key, value in check_tags(tags).items()
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

        :raises Conflict: when the new name is or was in use.
        """
        check_registered_name(new_name)
        number = self.model_number(name, lock=True)
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
            insert(registered_models).values(name=name, last_version=last, deleted=True)
        )
        return self.get_model(new_name)

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

    def _update(self, name: str, **values: object) -> None:
        self._connection.execute(
            update(registered_models)
            .where(registered_models.c.id == self.model_number(name, lock=True))
            .values(**values, updated_at=func.clock_timestamp())
        )

    def _models(self, query: Select[tuple[object, ...]]) -> list[RegisteredModel]:
        rows = self._connection.execute(query).all()
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
        requires_verdict=row.requires_verdict,
        tags=tags,
        aliases=versions,
    )
