"""What registered models and model versions can be searched and ordered by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Select, false, func, literal_column, not_, select
from sqlalchemy.sql.expression import FromClause

from airflow_mltrack.store.record_search import RecordKind
from airflow_mltrack.store.registry_tables import (
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
)
from airflow_mltrack.store.search_filter import (
    Comparison,
    Entity,
    Field,
    Kind,
    OrderTerm,
    Vocabulary,
)
from airflow_mltrack.store.search_sql import Condition, Expression

MOST_MODELS, MOST_VERSIONS = 1_000, 200_000
"""Most records of one page."""
_PROMPT = Field(Entity.TAG, "mlflow.prompt.is_prompt")
_ENTITIES = {
    "tag": Entity.TAG,
    "tags": Entity.TAG,
    "attribute": Entity.ATTRIBUTE,
    "attributes": Entity.ATTRIBUTE,
}
_TIMES = {
    "creation_timestamp": Kind.TIME,
    "last_updated_timestamp": Kind.TIME,
}


def _attribute(name: str, *, descending: bool = False) -> OrderTerm:
    return OrderTerm(Field(Entity.ATTRIBUTE, name), descending)


def _model_tags(key: str) -> tuple[Select[Any], Expression]:
    tags = registered_model_tags.c
    query = _one(registered_model_tags).where(tags.model == registered_models.c.id, tags.key == key)
    return query, tags.value


def _version_tags(key: str) -> tuple[Select[Any], Expression]:
    tags, version = model_version_tags.c, model_versions.c
    query = _one(model_version_tags).where(
        tags.model == version.model, tags.version == version.version, tags.key == key
    )
    return query, tags.value


def _one(table: FromClause) -> Select[Any]:
    return select(literal_column("1")).select_from(table)


def _is_prompt(tags: Callable[[str], tuple[Select[Any], Expression]]) -> Callable[..., Condition]:
    """MLflow's clients ask for "no prompts" in a way that must match what has no such tag."""

    def condition(node: Comparison) -> Condition:
        query, value = tags(_PROMPT.key)
        is_one: Condition = query.where(func.lower(value) == "true").exists()
        wanted = str(node.value).lower() == "true"
        if node.operator not in ("=", "!="):
            return false()
        return is_one if wanted == (node.operator == "=") else not_(is_one)

    return condition


MODEL_KIND = RecordKind(
    vocabulary=Vocabulary(
        record="registered model",
        attributes={"name": Kind.TEXT, **_TIMES},
        aliases={"timestamp": "last_updated_timestamp"},
        entities=_ENTITIES,
        example="name or tags.team",
    ),
    columns={
        "name": registered_models.c.name,
        "creation_timestamp": registered_models.c.created_at,
        "last_updated_timestamp": registered_models.c.updated_at,
    },
    types={"name": str, "creation_timestamp": datetime, "last_updated_timestamp": datetime},
    children={Entity.TAG: _model_tags},
    last_terms=(_attribute("name"),),
    special={_PROMPT: _is_prompt(_model_tags)},
)

VERSION_KIND = RecordKind(
    vocabulary=Vocabulary(
        record="model version",
        attributes={
            "name": Kind.TEXT,
            "version_number": Kind.NUMBER,
            "run_id": Kind.TEXT,
            "source_path": Kind.TEXT,
            "stage": Kind.TEXT,
            "status": Kind.TEXT,
            **_TIMES,
        },
        aliases={"version": "version_number", "current_stage": "stage", "source": "source_path"},
        entities=_ENTITIES,
        example="name, run_id or tags.team",
    ),
    columns={
        "name": registered_models.c.name,
        "version_number": model_versions.c.version,
        "run_id": func.coalesce(model_versions.c.run_id, ""),
        "source_path": model_versions.c.source,
        "stage": model_versions.c.stage,
        "status": model_versions.c.status,
        "creation_timestamp": model_versions.c.created_at,
        "last_updated_timestamp": model_versions.c.updated_at,
    },
    types={
        "name": str,
        "version_number": int,
        "run_id": str,
        "source_path": str,
        "stage": str,
        "status": str,
        "creation_timestamp": datetime,
        "last_updated_timestamp": datetime,
    },
    children={Entity.TAG: _version_tags},
    last_terms=(_attribute("name"), _attribute("version_number", descending=True)),
    default_order=(_attribute("last_updated_timestamp", descending=True),),
    special={_PROMPT: _is_prompt(_version_tags)},
)
