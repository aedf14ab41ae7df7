"""Data sets and the attempts that read them."""

from __future__ import annotations

import builtins
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Row, or_, select, text

from airflow_mltrack.entities.inputs import DatasetRecord, DatasetSummary, RunInput
from airflow_mltrack.exceptions import InvalidInput, NotFound
from airflow_mltrack.store.key_rules import check_name, check_tags, check_text
from airflow_mltrack.store.run_rows import among
from airflow_mltrack.store.tables import attempts, datasets, inputs, runs

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.engine import Connection

_DIGEST_LIMIT = 128
_SOURCE_LIMIT = 20_000
_CONTEXT_LIMIT = 250

# Data sets are shared by the runs of an experiment. One that is known keeps its first description,
# but is filled up where that said nothing. "Was read" says nothing beside "was read for training",
# whichever comes first: clients log the data set of a metric as well, without a context.
_LOG = text(
    """
    WITH owner AS (
        SELECT attempts.id, runs.experiment_id
        FROM attempts JOIN runs ON runs.id = attempts.run WHERE attempts.id = :attempt
    ), given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:inputs AS jsonb)) AS given (
            position int, name text, digest text, source_type text, source text,
            schema jsonb, profile jsonb, context text, tags jsonb
        )
    ), known AS (
        INSERT INTO datasets (experiment_id, name, digest, source_type, source, schema, profile)
        SELECT DISTINCT ON (given.name, given.digest) owner.experiment_id, given.name,
            given.digest, given.source_type, given.source, given.schema, given.profile
        FROM owner, given ORDER BY given.name, given.digest, given.position DESC
        ON CONFLICT (experiment_id, name, digest) DO UPDATE SET
            schema = CASE WHEN datasets.schema = '{}' THEN excluded.schema ELSE datasets.schema END,
            profile = excluded.profile || datasets.profile
        RETURNING id, name, digest
    ), read AS (
        SELECT owner.id AS attempt, known.id AS dataset, given.context, given.tags
        FROM owner, known JOIN given ON given.name = known.name AND given.digest = known.digest
    ), bare AS (
        DELETE FROM inputs USING read WHERE read.context <> ''
        AND (inputs.attempt, inputs.dataset) = (read.attempt, read.dataset)
        AND inputs.context = '' AND inputs.tags = '{}'
    ), written AS (
        INSERT INTO inputs (attempt, dataset, context, tags)
        SELECT read.attempt, read.dataset, read.context, read.tags FROM read
        WHERE read.context <> '' OR read.tags <> '{}' OR NOT EXISTS (
            SELECT FROM (
                SELECT attempt, dataset, context FROM read
                UNION ALL SELECT attempt, dataset, context FROM inputs
            ) AS other
            WHERE (other.attempt, other.dataset) = (read.attempt, read.dataset)
            AND other.context <> ''
        )
        ORDER BY read.dataset, read.context
        ON CONFLICT (attempt, dataset, context) DO UPDATE SET tags = inputs.tags || excluded.tags
    )
    SELECT id FROM owner
    """
)


class Inputs:
    """Which data an attempt read, by name and content digest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def log(self, attempt_id: int, given: Sequence[RunInput]) -> None:
        """Note that an attempt read data sets; one round trip, the same again changes nothing.

        One data set may be read in several contexts: each is an input of its own. One without
        context and tags adds nothing to those.

        :raises InvalidInput: when a name, digest or context breaks a rule.
        :raises NotFound: there is no such attempt.
        """
        rows = {
            (row["name"], row["digest"], row["context"]): {**row, "position": position}
            for position, row in enumerate(map(_checked, given))
        }
        if not rows:
            return
        parameters = {"attempt": attempt_id, "inputs": _json(list(rows.values()))}
        if self._connection.execute(_LOG, parameters).first() is None:
            raise NotFound("attempt", attempt_id)

    def list(self, attempt_id: int) -> list[RunInput]:
        """Return what an attempt read, in the order of name, digest and context."""
        query = (
            select(datasets, inputs.c.context, inputs.c.tags)
            .join_from(inputs, datasets, inputs.c.dataset == datasets.c.id)
            .where(inputs.c.attempt == attempt_id)
            .order_by(datasets.c.name, datasets.c.digest, inputs.c.context)
        )
        return [
            RunInput(dataset=_dataset(row), context=row.context, tags=row.tags)
            for row in self._connection.execute(query)
        ]

    def list_many(self, attempt_ids: Sequence[int]) -> Mapping[int, Sequence[RunInput]]:
        """Return what many attempts read, by attempt, in one query; see :meth:`list`."""
        query = (
            select(datasets, inputs.c.attempt, inputs.c.context, inputs.c.tags)
            .join_from(inputs, datasets, inputs.c.dataset == datasets.c.id)
            .where(among(inputs.c.attempt, attempt_ids))
            .order_by(inputs.c.attempt, datasets.c.name, datasets.c.digest, inputs.c.context)
        )
        found: dict[int, builtins.list[RunInput]] = {}
        for row in self._connection.execute(query):
            read = RunInput(dataset=_dataset(row), context=row.context, tags=row.tags)
            found.setdefault(row.attempt, []).append(read)
        return found

    def summaries(
        self,
        experiment_ids: Sequence[int],
        *,
        limit: int,
        dag_ids: Collection[str] | None = None,
    ) -> builtins.list[DatasetSummary]:
        """Return what the runs of experiments read, each thing once; deleted runs are left out.

        :param limit: most of them.
        :param dag_ids: only runs of these Dags, and runs outside of Airflow; None means all.
        """
        columns = (datasets.c.experiment_id, datasets.c.name, datasets.c.digest, inputs.c.context)
        query = (
            select(*columns)
            .join_from(inputs, datasets, inputs.c.dataset == datasets.c.id)
            .join(attempts, attempts.c.id == inputs.c.attempt)
            .join(runs, runs.c.id == attempts.c.run)
            .where(among(datasets.c.experiment_id, experiment_ids), runs.c.lifecycle == "active")
            .distinct()
            .order_by(*columns)
            .limit(limit)
        )
        if dag_ids is not None:
            query = query.where(or_(runs.c.dag_id.is_(None), among(runs.c.dag_id, dag_ids)))
        return [DatasetSummary(*row) for row in self._connection.execute(query)]

    def datasets(self, experiment_id: int) -> builtins.list[DatasetRecord]:
        """Return every data set that an experiment's runs read, by name and digest."""
        query = (
            select(datasets)
            .where(datasets.c.experiment_id == experiment_id)
            .order_by(datasets.c.name, datasets.c.digest)
        )
        return [_dataset(row) for row in self._connection.execute(query)]


def _checked(given: RunInput) -> dict[str, object]:
    record = given.dataset
    return {
        "name": check_name("data set name", record.name),
        "digest": check_text("data set digest", record.digest, _DIGEST_LIMIT, at_least=1),
        "source_type": check_text("data set source type", record.source_type, _CONTEXT_LIMIT),
        "source": check_text("data set source", record.source, _SOURCE_LIMIT),
        "schema": dict(record.schema),
        "profile": dict(record.profile),
        "context": check_text("input context", given.context, _CONTEXT_LIMIT),
        "tags": check_tags(given.tags),
    }


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    try:
        text_ = json.dumps(rows, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            "data set schema or profile",
            str(error),
            "it is JSON: text, finite numbers, lists, maps.",
        ) from error
    if "\\u0000" in text_:
        raise InvalidInput("data set schema or profile", "\\u0000", "it holds no NUL character.")
    return text_


def _dataset(row: Row[Any]) -> DatasetRecord:
    return DatasetRecord(
        name=row.name,
        digest=row.digest,
        source_type=row.source_type,
        source=row.source,
        schema=row.schema,
        profile=row.profile,
    )
