"""Tables and constraints of the tracking database. No behaviour; private to ``store``.

Surrogate numbers (``bigint``) join the tables; the ids that people see (``run_id``, names) are
unique columns. What a run measures hangs on its attempts; ``current`` marks rows of a run's latest
attempt, so that searching never has to look attempts up.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

INDEXED_TEXT = 256
"""Characters of a long text that go into an index: Postgres refuses index rows over 2,704 bytes."""


def _number() -> Column[int]:
    return Column("id", BigInteger, Identity(always=False), primary_key=True)


def _moment(name: str, *, now: bool = False, nullable: bool = False) -> Column[object]:
    default = func.clock_timestamp() if now else None
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=default)


def _json(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False, server_default=text("'{}'::jsonb"))


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    server_default = None if default is None else text(f"'{default}'")
    return Column(name, Text, nullable=nullable, server_default=server_default)


def _flag(name: str, *, default: bool) -> Column[bool]:
    server_default = text("true" if default else "false")
    return Column(name, Boolean, nullable=False, server_default=server_default)


def _refers(name: str, target: str, *, nullable: bool = False, **options: object) -> Column[int]:
    return Column(
        name,
        BigInteger,
        ForeignKey(target, ondelete="CASCADE"),
        nullable=nullable,
        **options,  # type: ignore[arg-type]
    )


experiments = Table(
    "experiments",
    metadata,
    Column("id", BigInteger, Identity(always=False, minvalue=0, start=1), primary_key=True),
    _text("name"),
    _text("artifact_root"),
    _text("lifecycle", default="active"),
    _moment("created_at", now=True),
    _moment("updated_at", now=True),
    UniqueConstraint("name"),
    CheckConstraint("lifecycle in ('active', 'deleted')", name="lifecycle"),
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    _refers("experiment_id", "experiments.id"),
    _text("key"),
    _text("value"),
    PrimaryKeyConstraint("experiment_id", "key"),
)

runs = Table(
    "runs",
    metadata,
    _number(),
    _text("run_id"),
    _refers("experiment_id", "experiments.id"),
    _text("name"),
    _refers("parent_id", "runs.id", nullable=True),
    _text("status"),
    _text("lifecycle", default="active"),
    _moment("deleted_at", nullable=True),
    _moment("started_at"),
    _moment("ended_at", nullable=True),
    _text("user", default=""),
    _text("logical_key", nullable=True),
    _text("dag_id", nullable=True),
    _text("dag_run_id", nullable=True),
    _text("task_id", nullable=True),
    Column("map_index", Integer, nullable=False, server_default=text("-1")),
    Column("attempt_id", BigInteger, nullable=True),
    Column("attempt_number", Integer, nullable=False, server_default=text("0")),
    _text("artifact_root", default=""),
    UniqueConstraint("run_id"),
    UniqueConstraint("logical_key"),
    CheckConstraint("lifecycle in ('active', 'deleted')", name="lifecycle"),
    CheckConstraint(
        "status in ('SCHEDULED', 'RUNNING', 'FINISHED', 'FAILED', 'KILLED')", name="status"
    ),
    Index(None, "experiment_id", text("started_at DESC"), text("id DESC")),
    Index(None, "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
    Index(None, "dag_id", "dag_run_id", postgresql_where=text("dag_id IS NOT NULL")),
    Index("runs_open_idx", "started_at", postgresql_where=text("status = 'RUNNING'")),
)
"""One piece of work. ``status``, ``started_at``, ``ended_at`` repeat the latest attempt's."""

attempts = Table(
    "attempts",
    metadata,
    _number(),
    _refers("run", "runs.id"),
    Column("number", Integer, nullable=False),
    _text("attempt_key", nullable=True),
    _text("status"),
    _moment("started_at"),
    _moment("ended_at", nullable=True),
    _moment("heartbeat_at", now=True),
    Column("try_number", Integer),
    _json("details"),
    _text("error", nullable=True),
    UniqueConstraint("run", "number"),
    UniqueConstraint("attempt_key"),
    CheckConstraint(
        "status in ('SCHEDULED', 'RUNNING', 'FINISHED', 'FAILED', 'KILLED')", name="status"
    ),
    Index("attempts_open_idx", "heartbeat_at", postgresql_where=text("status = 'RUNNING'")),
)

run_tags = Table(
    "run_tags",
    metadata,
    _refers("run", "runs.id"),
    Column("experiment_id", BigInteger, nullable=False),
    _text("key"),
    _text("value"),
    PrimaryKeyConstraint("run", "key"),
    Index(
        "run_tags_search_idx", "experiment_id", "key", text(f"left(value, {INDEXED_TEXT})"), "run"
    ),
)

params = Table(
    "params",
    metadata,
    _refers("attempt", "attempts.id"),
    Column("run", BigInteger, nullable=False),
    Column("experiment_id", BigInteger, nullable=False),
    _text("key"),
    _text("value"),
    _flag("current", default=True),
    PrimaryKeyConstraint("attempt", "key"),
    Index(
        "params_search_idx",
        "experiment_id",
        "key",
        text(f"left(value, {INDEXED_TEXT})"),
        "run",
        postgresql_where=text("current"),
    ),
    Index("params_run_idx", "run", "key", postgresql_where=text("current")),
)

latest_metrics = Table(
    "latest_metrics",
    metadata,
    _refers("attempt", "attempts.id"),
    Column("run", BigInteger, nullable=False),
    Column("experiment_id", BigInteger, nullable=False),
    _text("key"),
    Column("value", Double, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    _flag("current", default=True),
    PrimaryKeyConstraint("attempt", "key"),
    Index(
        "latest_metrics_order_idx",
        "experiment_id",
        "key",
        "value",
        "run",
        postgresql_where=text("current"),
    ),
    Index("latest_metrics_run_idx", "run", "key", postgresql_where=text("current")),
)
"""The value that counts, by (step, timestamp, value). Serves filter and order as an index walk."""

metric_chunks = Table(
    "metric_chunks",
    metadata,
    _refers("attempt", "attempts.id"),
    _text("key"),
    Column("batch", BigInteger, nullable=False),
    Column("points", Integer, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("steps", ARRAY(BigInteger), nullable=False),
    Column("timestamps", ARRAY(BigInteger), nullable=False),
    Column("values", ARRAY(Double), nullable=False),
    PrimaryKeyConstraint("attempt", "key", "batch"),
)
"""Histories, packed: one row holds a batch of points of one series. ``batch`` is a random 63-bit
number chosen by the writer; a replay is ignored. The migration stores the arrays without
compression: it would cost seven eighths of the time of writing and save a third of the space."""

datasets = Table(
    "datasets",
    metadata,
    _number(),
    _refers("experiment_id", "experiments.id"),
    _text("name"),
    _text("digest"),
    _text("source_type"),
    _text("source"),
    _json("schema"),
    _json("profile"),
    UniqueConstraint("experiment_id", "name", "digest"),
)

inputs = Table(
    "inputs",
    metadata,
    _refers("attempt", "attempts.id"),
    _refers("dataset", "datasets.id"),
    _text("context", default=""),
    _json("tags"),
    PrimaryKeyConstraint("attempt", "dataset", "context"),
    Index(None, "dataset"),
)

logged_models = Table(
    "logged_models",
    metadata,
    _number(),
    _text("model_id"),
    _refers("experiment_id", "experiments.id"),
    _text("name"),
    _text("status"),
    _text("status_message", default=""),
    _refers("run", "runs.id", nullable=True),
    _refers("attempt", "attempts.id", nullable=True),
    _text("artifact_root"),
    _text("digest", nullable=True),
    _text("model_type", default=""),
    Column("size", BigInteger),
    _json("manifest"),
    _moment("created_at", now=True),
    _moment("updated_at", now=True),
    UniqueConstraint("model_id"),
    CheckConstraint("status in ('PENDING', 'READY', 'FAILED')", name="status"),
    CheckConstraint("status <> 'READY' or digest is not null", name="ready_has_digest"),
    Index(None, "experiment_id", "name"),
    Index(None, "run"),
)

artifacts = Table(
    "artifacts",
    metadata,
    _number(),
    _refers("attempt", "attempts.id", nullable=True),
    _refers("logged_model", "logged_models.id", nullable=True),
    _text("path"),
    _text("key"),
    Column("size", BigInteger, nullable=False),
    _text("sha256"),
    _text("content_type"),
    _moment("created_at", now=True),
    CheckConstraint("num_nonnulls(attempt, logged_model) = 1", name="one_owner"),
    CheckConstraint("length(sha256) = 64", name="sha256"),
    Index(
        "artifacts_attempt_path_key",
        "attempt",
        "path",
        unique=True,
        postgresql_where=text("attempt IS NOT NULL"),
    ),
    Index(
        "artifacts_logged_model_path_key",
        "logged_model",
        "path",
        unique=True,
        postgresql_where=text("logged_model IS NOT NULL"),
    ),
)

registered_models = Table(
    "registered_models",
    metadata,
    _number(),
    _text("name"),
    _text("description", default=""),
    _json("gates"),
    _flag("requires_verdict", default=False),
    Column("last_version", Integer, nullable=False, server_default=text("0")),
    _flag("deleted", default=False),
    _moment("created_at", now=True),
    _moment("updated_at", now=True),
    UniqueConstraint("name"),
)
"""The row of a deleted model stays: a model made again under its name goes on counting, because
history and verdicts speak of versions by name and number."""

registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    _refers("model", "registered_models.id"),
    _text("key"),
    _text("value"),
    PrimaryKeyConstraint("model", "key"),
)

model_versions = Table(
    "model_versions",
    metadata,
    _refers("model", "registered_models.id"),
    Column("version", Integer, nullable=False),
    _text("stage", default="None"),
    _text("source"),
    Column("logged_model", BigInteger, ForeignKey("logged_models.id"), nullable=True),
    _text("run_id", nullable=True),
    _text("digest", nullable=True),
    _text("user", default=""),
    _text("description", default=""),
    _text("status", default="READY"),
    _flag("deleted", default=False),
    _moment("created_at", now=True),
    _moment("updated_at", now=True),
    PrimaryKeyConstraint("model", "version"),
    CheckConstraint("stage in ('None', 'Staging', 'Production', 'Archived')", name="stage"),
    Index(
        "model_versions_one_production",
        "model",
        unique=True,
        postgresql_where=text("stage = 'Production' and not deleted"),
    ),
    Index(None, "logged_model"),
    Index(None, "run_id"),
)

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("model", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    _text("key"),
    _text("value"),
    PrimaryKeyConstraint("model", "version", "key"),
    ForeignKeyConstraint(
        ["model", "version"], ["model_versions.model", "model_versions.version"], ondelete="CASCADE"
    ),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model", BigInteger, nullable=False),
    _text("alias"),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("model", "alias"),
    ForeignKeyConstraint(
        ["model", "version"], ["model_versions.model", "model_versions.version"], ondelete="CASCADE"
    ),
)

verdicts = Table(
    "verdicts",
    metadata,
    _number(),
    _text("verdict_id"),
    _text("name"),
    Column("version", Integer, nullable=False),
    Column("passed", Boolean, nullable=False),
    _text("package_digest"),
    _json("policy"),
    _text("policy_digest"),
    _text("dataset_name"),
    _text("dataset_digest"),
    Column("checks", JSONB, nullable=False),
    Column("champion_version", Integer),
    _text("actor", default=""),
    _text("run_id", nullable=True),
    _json("details"),
    _moment("created_at", now=True),
    _moment("valid_until", nullable=True),
    UniqueConstraint("verdict_id"),
    Index(None, "name", "version", "id"),
)
"""By name, not by key: a verdict outlives the model it judged. The number orders verdicts whatever
the clocks of those who made them say."""

history = Table(
    "history",
    metadata,
    _number(),
    _text("name"),
    Column("version", Integer),
    _text("kind"),
    _text("actor"),
    _moment("at"),
    _json("payload"),
    _text("previous_hash"),
    _text("hash"),
    UniqueConstraint("name", "previous_hash"),
    UniqueConstraint("hash"),
    Index(None, "name", "id"),
)
"""Append-only: a trigger refuses UPDATE, DELETE and TRUNCATE. One hash chain for each model name;
the unique ``previous_hash`` keeps two writers from forking it."""

lineage = Table(
    "lineage",
    metadata,
    _text("source_kind"),
    _text("source_id"),
    _text("target_kind"),
    _text("target_id"),
    _text("relation"),
    _moment("created_at", now=True),
    PrimaryKeyConstraint("source_kind", "source_id", "target_kind", "target_id", "relation"),
    Index(None, "target_kind", "target_id"),
)

sweeps = Table(
    "sweeps",
    metadata,
    _refers("run", "runs.id", primary_key=True),
    _json("spec"),
    _text("metric"),
    _text("direction"),
    Column("n_trials", Integer, nullable=False),
    _flag("closed", default=False),
    CheckConstraint("direction in ('maximize', 'minimize')", name="direction"),
)

trials = Table(
    "trials",
    metadata,
    _refers("sweep", "sweeps.run"),
    Column("number", Integer, nullable=False),
    _json("params"),
    _text("state", default="WAITING"),
    _refers("run", "runs.id", nullable=True),
    Column("value", Double),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _text("claimed_by", nullable=True),
    _text("worker", nullable=True),
    _moment("claimed_at", nullable=True),
    _text("error", nullable=True),
    _json("notes"),
    PrimaryKeyConstraint("sweep", "number"),
    CheckConstraint(
        "state in ('WAITING', 'RUNNING', 'COMPLETE', 'PRUNED', 'FAILED')", name="state"
    ),
    Index("trials_waiting_idx", "sweep", "number", postgresql_where=text("state = 'WAITING'")),
)

trial_reports = Table(
    "trial_reports",
    metadata,
    Column("sweep", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("value", Double, nullable=False),
    PrimaryKeyConstraint("sweep", "number", "step"),
    ForeignKeyConstraint(
        ["sweep", "number"], ["trials.sweep", "trials.number"], ondelete="CASCADE"
    ),
)
