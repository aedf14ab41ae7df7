"""The registry: registered models (from their own module), versions, stages and aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert

from airflow_mltrack.entities.registry import ModelVersion, VersionPage
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.key_rules import NAME_LIMIT, REGISTRY_TAG_LIMIT, check_tags, check_text
from airflow_mltrack.store.record_search import find_page
from airflow_mltrack.store.registered_models import RegisteredModels, check_description
from airflow_mltrack.store.registry_search import MOST_VERSIONS, VERSION_KIND
from airflow_mltrack.store.registry_tables import (
    aliases,
    model_version_tags,
    model_versions,
    registered_models,
)
from airflow_mltrack.store.tables import logged_models

_ALIAS_LIMIT = 255
_SOURCE_LIMIT = 4_000
_RESERVED_ALIASES = ("latest",)


class Registry(RegisteredModels):
    """Registered models, their versions, and the aliases that point at versions.

    Everything that changes a model's versions locks the model's row first, so writers of one model
    take turns. A version number is never given twice, also after deletions.
    """

    def create_version(
        self,
        name: str,
        *,
        source: str,
        model_id: str | None = None,
        run_id: str | None = None,
        digest: str | None = None,
        run_link: str = "",
        user: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        reuse: bool = True,
        version: int | None = None,
        created_at: datetime | None = None,
    ) -> ModelVersion:
        """Add a version to a registered model.

        :param source: URI of the package.
        :param model_id: the logged model it points to.
        :param digest: sha256 of the package.
        :param reuse: return the version that already points to this ``model_id``, as it is, instead
            of adding another: a retried task makes no second version.
        :param version: the number of an imported version; None takes the next one.
        :param created_at: when an imported one was made; None means now.
        :raises NotFound: when the registered model or the logged model does not exist.
        :raises Conflict: when the number is or was in use.
        """
        number = self.model_number(name, lock=True)
        logged = None if model_id is None else self._logged_model(model_id)
        if reuse and logged is not None:
            found = self._select(
                model_versions.c.model == number, model_versions.c.logged_model == logged
            )
            if found:
                return found[0]
        if version is None:
            version = self._next_version(number)
        else:
            self._spend(name, number, version)
        made = {} if created_at is None else {"created_at": created_at}
        self._connection.execute(
            insert(model_versions).values(
                model=number,
                version=version,
                stage=self.stage_graph(name).stages[0],
                source=check_text("source", source, _SOURCE_LIMIT, at_least=1),
                logged_model=logged,
                run_id=run_id,
                run_link=check_text("run link", run_link, _SOURCE_LIMIT),
                digest=digest,
                user=check_text("user", user, NAME_LIMIT),
                description=check_description(description),
                **made,
            )
        )
        self.set_version_tags(name, version, tags or {})
        return self.get_version(name, version)

    def get_version(self, name: str, version: int) -> ModelVersion:
        """Return a version.

        :raises NotFound: when there is none, or it was deleted.
        """
        found = self._select(*_of(name), model_versions.c.version == version)
        if not found:
            self.model_number(name)  # a model that is not there is what is missing
            raise NotFound(
                "model version",
                f"{name}/{version}",
                f"See what there is: mltrack models show {name}",
            )
        return found[0]

    def list_versions(self, name: str, *, stage: str | None = None) -> list[ModelVersion]:
        """Return a model's versions, highest number first.

        :param stage: only those that stand there; in any case.
        :raises NotFound: when there is no such model.
        :raises InvalidInput: when the model has no such stage.
        """
        if stage is not None:
            stage = self.stage_graph(name).canonical(stage)
            return self._select(*_of(name), model_versions.c.stage == stage)
        found = self._select(*_of(name))
        if not found:
            self.model_number(name)
        return found

    def versions_of(
        self, *, model_id: str | None = None, run_id: str | None = None
    ) -> list[ModelVersion]:
        """Return the versions, of any name, that point to a logged model or come from a run."""
        where: list[ColumnElement[bool]] = [~registered_models.c.deleted]
        if model_id is not None:
            where.append(logged_models.c.model_id == model_id)
        if run_id is not None:
            where.append(model_versions.c.run_id == run_id)
        if len(where) == 1:
            raise InvalidInput("version list", None, "give a model_id or a run_id.")
        return self._select(*where)

    def latest_version(self, name: str) -> ModelVersion | None:
        """Return the version with the highest number, None when the model has none."""
        return next(iter(self.list_versions(name)), None)

    def holder(self, name: str, stage: str | None = None) -> ModelVersion | None:
        """Return the version in a stage, the highest of several, None when it is free.

        :param stage: None means the model's exclusive stage: the version that is live.
        """
        graph = self.stage_graph(name)
        wanted = graph.exclusive if stage is None else graph.canonical(stage)
        return next(iter(self._select(*_of(name), model_versions.c.stage == wanted)), None)

    def holders(self) -> dict[str, ModelVersion]:
        """Return the version that is live, by model name, for all models in one query."""
        return {version.name: version for version in self._select(model_versions.c.live)}

    def move(self, name: str, version: int, stage: str) -> ModelVersion:
        """Put one version into a stage, and nothing else: no rule is asked, no history written.

        The database refuses the transaction unless its end finds the transition in the history.
        Callers want :func:`airflow_mltrack.lifecycle.promotion.promote`.
        """
        self._change(name, version, stage=self.stage_graph(name).canonical(stage))
        return self.get_version(name, version)

    def update_version(self, name: str, version: int, *, description: str) -> ModelVersion:
        """Replace the description."""
        self._change(name, version, description=check_description(description))
        return self.get_version(name, version)

    def delete_version(self, name: str, version: int) -> None:
        """Delete a version and the aliases that point at it. Its number is not given again.

        :raises NotFound: when there is none.
        """
        self._change(name, version, deleted=True)
        number = self.model_number(name)
        for table in (aliases, model_version_tags):
            self._connection.execute(
                delete(table).where(table.c.model == number, table.c.version == version)
            )

    def set_version_tags(self, name: str, version: int, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""
        self.get_version(name, version)
        number = self.model_number(name)
        rows = [
            {"model": number, "version": version, "key": key, "value": value}
            for key, value in check_tags(tags, REGISTRY_TAG_LIMIT).items()
        ]
        if rows:
            statement = upsert(model_version_tags)
            statement = statement.on_conflict_do_update(
                index_elements=["model", "version", "key"],
                set_={"value": statement.excluded.value},
            )
            self._connection.execute(statement, rows)

    def delete_version_tag(self, name: str, version: int, key: str) -> None:
        """Remove a tag; nothing happens when it is not there."""
        table = model_version_tags
        self.get_version(name, version)
        self._connection.execute(
            delete(table).where(
                table.c.model == self.model_number(name),
                table.c.version == version,
                table.c.key == key,
            )
        )

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version; it leaves the one it pointed at.

        :raises InvalidInput: when the alias breaks its rule.
        :raises NotFound: when the version does not exist.
        """
        check_alias(alias)
        number = self.model_number(name, lock=True)
        self.get_version(name, version)
        statement = upsert(aliases).values(model=number, alias=alias, version=version)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["model", "alias"], set_={"version": version}
            )
        )

    def delete_alias(self, name: str, alias: str) -> int | None:
        """Remove an alias; return the version it pointed at, None when there was no such alias."""
        number = self.model_number(name, lock=True)
        statement = delete(aliases).where(aliases.c.model == number, aliases.c.alias == alias)
        return self._connection.scalar(statement.returning(aliases.c.version))

    def get_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version that an alias points at.

        :raises NotFound: when there is no such model or alias.
        """
        query = select(aliases.c.version).where(
            aliases.c.model == self.model_number(name), aliases.c.alias == alias
        )
        version = self._connection.scalar(query)
        if version is None:
            raise NotFound(
                "model alias", f"{name}@{alias}", f"See what there is: mltrack models show {name}"
            )
        return self.get_version(name, version)

    def _logged_model(self, model_id: str) -> int:
        query = select(logged_models.c.id).where(logged_models.c.model_id == model_id)
        number: int | None = self._connection.scalar(query)
        if number is None:
            raise NotFound("logged model", model_id)
        return number

    def spend_versions(self, name: str, up_to: int) -> None:
        """Give no number up to this one any more: where it was imported from, it was in use."""
        number, last = self.model_number(name, lock=True), registered_models.c.last_version
        self._connection.execute(
            update(registered_models)
            .where(registered_models.c.id == number, last < up_to)
            .values(last_version=up_to)
        )

    def _spend(self, name: str, number: int, version: int) -> None:
        """Take a version's number, which nobody has had."""
        v = model_versions.c
        taken = select(v.version).where(v.model == number, v.version == version)
        if self._connection.scalar(taken) is not None:
            raise Conflict("model version", f"{name}/{version}", "the number is or was in use.")
        self.spend_versions(name, version)

    def _next_version(self, number: int) -> int:
        statement = (
            update(registered_models)
            .where(registered_models.c.id == number)
            .values(
                last_version=registered_models.c.last_version + 1,
                updated_at=func.clock_timestamp(),
            )
            .returning(registered_models.c.last_version)
        )
        version: int = self._connection.execute(statement).scalar_one()
        return version

    def _change(self, name: str, version: int, **values: object) -> None:
        """Change one version's row after locking its model."""
        number = self.model_number(name, lock=True)
        self.get_version(name, version)
        self._connection.execute(
            update(model_versions)
            .where(model_versions.c.model == number, model_versions.c.version == version)
            .values(**values, updated_at=func.clock_timestamp())
        )
        self._connection.execute(
            update(registered_models)
            .where(registered_models.c.id == number)
            .values(updated_at=func.clock_timestamp())
        )

    def _select(self, *where: ColumnElement[bool]) -> list[ModelVersion]:
        """Read versions with their tags and aliases in one query, highest number first."""
        v = model_versions
        query = self._query().where(*where)
        query = query.order_by(registered_models.c.name, v.c.version.desc())
        return [_entity(row) for row in self._connection.execute(query)]

    def search_versions(
        self,
        *,
        filter: str = "",  # noqa: A002 - MLflow's name
        order_by: Sequence[str] = (),
        max_results: int = 10_000,
        page_token: str | None = None,
    ) -> VersionPage:
        """Return a page of model versions, the ones changed last first.

        :param filter: over ``name``, ``version_number``, ``run_id``, ``source_path``, ``stage``,
            ``status``, times and ``tags``; see :mod:`airflow_mltrack.store.search_filter`.
        :param max_results: 1 to 200,000.
        :raises InvalidInput: as :func:`airflow_mltrack.store.record_search.find_page`.
        """
        page = find_page(
            self._connection,
            VERSION_KIND,
            self._query(),
            filter=filter,
            order_by=order_by,
            max_results=max_results,
            most=MOST_VERSIONS,
            page_token=page_token,
        )
        return VersionPage(tuple(map(_entity, page.rows)), page.next_page_token)

    def _query(self) -> Select[Any]:
        """Select versions with their tags and aliases."""
        v = model_versions
        key = (v.c.model, v.c.version)
        tags = (
            select(func.jsonb_object_agg(model_version_tags.c.key, model_version_tags.c.value))
            .where(model_version_tags.c.model == key[0], model_version_tags.c.version == key[1])
            .scalar_subquery()
        )
        names = (
            select(func.array_agg(aggregate_order_by(aliases.c.alias, aliases.c.alias)))
            .where(aliases.c.model == key[0], aliases.c.version == key[1])
            .scalar_subquery()
        )
        return (
            select(
                v,
                registered_models.c.name,
                logged_models.c.model_id,
                tags.label("tags"),
                names.label("aliases"),
            )
            .join(registered_models, v.c.model == registered_models.c.id)
            .outerjoin(logged_models, v.c.logged_model == logged_models.c.id)
            .where(~v.c.deleted)
        )


def _of(name: str) -> tuple[ColumnElement[bool], ...]:
    """Select the versions of a model that is there."""
    return registered_models.c.name == name, ~registered_models.c.deleted


def check_alias(alias: str) -> None:
    """Refuse an alias that could not stand in a URI or would hide a version.

    :raises InvalidInput: when it is empty, too long, reserved, looks like a version (``v7``), or
        holds other characters than letters, digits, ``_`` and ``-``.
    """
    letters = alias.replace("_", "a").replace("-", "a")
    looks_like_version = alias[:1] in ("v", "V") and alias[1:].isdigit()
    if (
        not 1 <= len(alias) <= _ALIAS_LIMIT
        or not letters.isalnum()
        or alias.lower() in _RESERVED_ALIASES
        or looks_like_version
    ):
        raise InvalidInput(
            "alias",
            alias,
            f"it has 1 to {_ALIAS_LIMIT} letters, digits, _ or -, and is neither 'latest' nor "
            "like v7.",
        )


def _entity(row: Row[Any]) -> ModelVersion:
    return ModelVersion(
        name=row.name,
        version=row.version,
        stage=row.stage,
        source=row.source,
        created_at=row.created_at,
        updated_at=row.updated_at,
        model_id=row.model_id,
        run_id=row.run_id,
        run_link=row.run_link,
        digest=row.digest,
        user=row.user,
        description=row.description,
        status=row.status,
        tags=row.tags or {},
        aliases=tuple(row.aliases or ()),
    )
