"""Records of the files that attempts and logged models keep."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Row, Select, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from airflow_mltrack.entities.artifacts import Artifact, ArtifactEntry, StoredObject
from airflow_mltrack.exceptions import Conflict, InvalidInput, NotFound
from airflow_mltrack.store.key_rules import check_text
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import artifacts, attempts, logged_models

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import Column
    from sqlalchemy.engine import Connection

_PATH_LIMIT = 1_024
_KEY_LIMIT = 4_096
_MOST_PROBES = 16
"""Paths that are looked for one by one; for more, all directories are read."""


class Artifacts:
    """What files there are, where their bytes lie and which digest they have.

    Every function takes the owner as either ``attempt_id`` or ``model_id``. Bytes are written
    before their record, so a record always has its bytes.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(
        self,
        *,
        path: str,
        stored: StoredObject,
        attempt_id: int | None = None,
        model_id: str | None = None,
    ) -> Artifact | None:
        """Note that bytes are there under a path; a path that exists points to the new bytes then.

        :return: the record that was replaced, so that the caller can delete its bytes.
        :raises NotFound: the owner does not exist.
        """
        column, owner = _owner(attempt_id, model_id)
        values = {
            "path": check_text("artifact path", path, _PATH_LIMIT, at_least=1),
            "key": check_text("artifact key", stored.key, _KEY_LIMIT, at_least=1),
            "size": stored.size,
            "sha256": stored.sha256,
            "content_type": check_text("content type", stored.content_type, _PATH_LIMIT),
        }
        # Insert first: of two writers of one path the second waits here, then finds the first's row
        # below and learns whose bytes it replaces.
        new = select(owner.label("owner"), *[literal(value) for value in values.values()])
        inserted = self._connection.execute(
            insert(artifacts)
            .from_select([column.name, *values], new.where(owner.is_not(None)))
            .on_conflict_do_nothing()
            .returning(artifacts.c.id)
        )
        if inserted.one_or_none() is not None:
            return None
        return self._replace(column, owner, values, attempt_id or model_id)

    def check_paths(
        self,
        paths: Collection[str],
        *,
        attempt_id: int | None = None,
        model_id: str | None = None,
    ) -> None:
        """Check that files of these paths can lie beside those that are there.

        :raises Conflict: when one would lie in a file as if that were a directory, or have the name
            of a directory: nobody could download both.
        """
        column, owner = _owner(attempt_id, model_id)
        if attempt_id is not None:
            # Two writers of one run follow one another; those of a model hold the model.
            locked = select(attempts.c.id).where(attempts.c.id == attempt_id)
            self._connection.execute(locked.with_for_update(key_share=True))
        parents = {parent for path in paths for parent in _parents(path)}
        within = (
            [func.starts_with(artifacts.c.path, f"{path}/") for path in paths]
            if len(paths) <= _MOST_PROBES
            else [func.strpos(artifacts.c.path, "/") > 0]
        )
        query = select(artifacts.c.path).where(
            column == owner, or_(among(artifacts.c.path, sorted(parents)), *within)
        )
        files = {*paths, *self._connection.scalars(query)}
        directories = parents.union(*map(_parents, files))
        if both := sorted(parents & files | directories.intersection(paths)):
            reason = "a file and a directory cannot have one name."
            raise Conflict("artifact", both[0], reason, "Choose another name.")

    def get(
        self, *, path: str, attempt_id: int | None = None, model_id: str | None = None
    ) -> Artifact:
        """Return the record of a file.

        :raises NotFound: there is no such file.
        """
        column, owner = _owner(attempt_id, model_id)
        query = select(artifacts).where(column == owner, artifacts.c.path == path)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("artifact", path, f"List the files of {attempt_id or model_id}.")
        return _artifact(row)

    def list(
        self, *, under: str = "", attempt_id: int | None = None, model_id: str | None = None
    ) -> list[ArtifactEntry]:
        """Return files and directories directly under a directory, by name.

        :param under: the directory, ``""`` for the top; one that does not exist is empty.
        """
        column, owner = _owner(attempt_id, model_id)
        prefix = _directory(under)
        rest = func.substr(artifacts.c.path, len(prefix) + 1)
        entry = func.split_part(rest, "/", 1)
        is_dir = func.strpos(rest, "/") > 0
        query = (
            select(
                entry.label("name"),
                is_dir.label("is_dir"),
                func.max(artifacts.c.size).label("size"),
            )
            .where(column == owner, func.starts_with(artifacts.c.path, prefix))
            .group_by(entry, is_dir)
            .order_by(entry, is_dir)
        )
        return [
            ArtifactEntry(
                path=prefix + row.name, is_dir=row.is_dir, size=None if row.is_dir else row.size
            )
            for row in self._connection.execute(query)
        ]

    def walk(
        self, *, under: str = "", attempt_id: int | None = None, model_id: str | None = None
    ) -> builtins.list[Artifact]:
        """Return every file under a directory at any depth, or the one file of that path."""
        column, owner = _owner(attempt_id, model_id)
        query = select(artifacts).where(column == owner).order_by(artifacts.c.path)
        return [_artifact(row) for row in self._connection.execute(_within(query, under))]

    def remove(
        self, *, path: str = "", attempt_id: int | None = None, model_id: str | None = None
    ) -> builtins.list[Artifact]:
        """Forget a file, or everything under a directory.

        :param path: a file or a directory; ``""`` means everything of the owner.
        :return: the records that are gone, so that the caller can delete their bytes.
        """
        column, owner = _owner(attempt_id, model_id)
        wanted = _within(select(artifacts.c.id).where(column == owner), path)
        statement = delete(artifacts).where(artifacts.c.id.in_(wanted)).returning(*artifacts.c)
        gone = [_artifact(row) for row in self._connection.execute(statement)]
        return sorted(gone, key=lambda artifact: artifact.path)

    def _replace(
        self,
        column: Column[Any],
        owner: ColumnElement[Any],
        values: dict[str, Any],
        named: int | str | None,
    ) -> Artifact:
        same = (column == owner, artifacts.c.path == values["path"])
        old = self._connection.execute(
            select(artifacts).where(*same).with_for_update()
        ).one_or_none()
        if old is None:
            kind = "attempt" if column is artifacts.c.attempt else "model"
            raise NotFound(kind, named)
        self._connection.execute(
            update(artifacts).where(*same).values(**values, created_at=func.clock_timestamp())
        )
        return _artifact(old)


def _owner(attempt_id: int | None, model_id: str | None) -> tuple[Column[Any], ColumnElement[Any]]:
    """Return the column that refers to the owner, and an expression for the owner's number."""
    if (attempt_id is None) == (model_id is None):
        raise InvalidInput(
            "owner", (attempt_id, model_id), "give either attempt_id or model_id, not both."
        )
    if attempt_id is not None:
        number = select(attempts.c.id).where(attempts.c.id == attempt_id)
        return artifacts.c.attempt, number.scalar_subquery()
    number = select(logged_models.c.id).where(logged_models.c.model_id == model_id)
    return artifacts.c.logged_model, number.scalar_subquery()


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _directory(path: str) -> str:
    trimmed = path.strip("/")
    return f"{trimmed}/" if trimmed else ""


def _within(query: Select[Any], path: str) -> Select[Any]:
    prefix = _directory(path)
    if not prefix:
        return query
    return query.where(
        func.starts_with(artifacts.c.path, prefix) | (artifacts.c.path == prefix[:-1])
    )


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(
        path=row.path,
        key=row.key,
        size=row.size,
        sha256=row.sha256,
        content_type=row.content_type,
        created_at=row.created_at,
    )
