"""Tables and constraints of the tracking database. No behaviour; private to ``store``.

Surrogate numbers (``bigint``) join the tables; the ids that people see (``run_id``, names) are
unique columns. What a run measures hangs on its attempts; ``current`` marks rows of a run's latest
attempt, so that searching never has to look attempts up.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from airflow_mltrack.store.table_columns import (
    INDEXED_TEXT,
    flag,
    json_column,
    metadata,
    moment,
    number_column,
    refers,
    text_column,
)

experiments = Table(
    "experiments",
    metadata,
    Column("id", BigInteger, Identity(always=False, minvalue=0, start=1), primary_key=True),
    text_column("name"),
    text_column("artifact_root"),
    text_column("lifecycle", default="active"),
    moment("created_at", now=True),
    moment("updated_at", now=True),
    UniqueConstraint("name"),
    CheckConstraint("lifecycle in ('active', 'deleted')", name="lifecycle"),
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    refers("experiment_id", "experiments.id"),
    text_column("key"),
    text_column("value"),
    PrimaryKeyConstraint("experiment_id", "key"),
)

runs = Table(
    "runs",
    metadata,
    number_column(),
    text_column("run_id"),
    refers("experiment_id", "experiments.id"),
    text_column("name"),
    refers("parent_id", "runs.id", nullable=True),
    text_column("status"),
    text_column("lifecycle", default="active"),
    moment("deleted_at", nullable=True),
    flag("deleted_with_experiment", default=False),
    moment("started_at"),
    moment("ended_at", nullable=True),
    text_column("user", default=""),
    text_column("logical_key", nullable=True),
    text_column("dag_id", nullable=True),
    text_column("dag_run_id", nullable=True),
    text_column("task_id", nullable=True),
    Column("map_index", Integer, nullable=False, server_default=text("-1")),
    Column("attempt_id", BigInteger, nullable=True),
    Column("attempt_number", Integer, nullable=False, server_default=text("0")),
    text_column("artifact_root", default=""),
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

create_requests = Table(
    "create_requests",
    metadata,
    text_column("record_id"),
    text_column("digest"),
    text_column("connection"),
    moment("made_at", now=True),
    flag("set_aside", default=False),
    PrimaryKeyConstraint("record_id"),
    Index(None, "digest"),
    Index("create_requests_old_idx", "made_at", postgresql_where=text("NOT set_aside")),
)
"""See :mod:`airflow_mltrack.store.create_requests`; rows live for a day, but for those of
what was set aside."""

attempts = Table(
    "attempts",
    metadata,
    number_column(),
    refers("run", "runs.id"),
    Column("number", Integer, nullable=False),
    text_column("attempt_key", nullable=True),
    text_column("status"),
    moment("started_at"),
    moment("ended_at", nullable=True),
    moment("heartbeat_at", now=True),
    Column("try_number", Integer),
    json_column("details"),
    text_column("error", nullable=True),
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
    refers("run", "runs.id"),
    Column("experiment_id", BigInteger, nullable=False),
    text_column("key"),
    text_column("value"),
    PrimaryKeyConstraint("run", "key"),
    Index(
        "run_tags_search_idx", "experiment_id", "key", text(f"left(value, {INDEXED_TEXT})"), "run"
    ),
)

params = Table(
    "params",
    metadata,
    refers("attempt", "attempts.id"),
    Column("run", BigInteger, nullable=False),
    Column("experiment_id", BigInteger, nullable=False),
    text_column("key"),
    text_column("value"),
    flag("current", default=True),
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
    refers("attempt", "attempts.id"),
    Column("run", BigInteger, nullable=False),
    Column("experiment_id", BigInteger, nullable=False),
    text_column("key"),
    Column("value", Double, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    flag("current", default=True),
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
    refers("attempt", "attempts.id"),
    text_column("key"),
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
    number_column(),
    refers("experiment_id", "experiments.id"),
    text_column("name"),
    text_column("digest"),
    text_column("source_type"),
    text_column("source"),
    json_column("schema"),
    json_column("profile"),
    UniqueConstraint("experiment_id", "name", "digest"),
)

inputs = Table(
    "inputs",
    metadata,
    refers("attempt", "attempts.id"),
    refers("dataset", "datasets.id"),
    text_column("context", default=""),
    json_column("tags"),
    PrimaryKeyConstraint("attempt", "dataset", "context"),
    Index(None, "dataset"),
)

logged_models = Table(
    "logged_models",
    metadata,
    number_column(),
    text_column("model_id"),
    refers("experiment_id", "experiments.id"),
    text_column("name"),
    text_column("status"),
    text_column("status_message", default=""),
    refers("run", "runs.id", nullable=True),
    refers("attempt", "attempts.id", nullable=True),
    text_column("artifact_root"),
    text_column("digest", nullable=True),
    text_column("model_type", default=""),
    Column("size", BigInteger),
    json_column("manifest"),
    moment("created_at", now=True),
    moment("updated_at", now=True),
    moment("deleted_at", nullable=True),
    UniqueConstraint("model_id"),
    CheckConstraint("status in ('PENDING', 'READY', 'FAILED')", name="status"),
    CheckConstraint("status <> 'READY' or digest is not null", name="ready_has_digest"),
    Index(None, "experiment_id", "name"),
    Index(None, "run"),
)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    refers("logged_model", "logged_models.id"),
    text_column("key"),
    text_column("value"),
    PrimaryKeyConstraint("logged_model", "key"),
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    refers("logged_model", "logged_models.id"),
    text_column("key"),
    text_column("value"),
    PrimaryKeyConstraint("logged_model", "key"),
)

logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    number_column(),
    refers("logged_model", "logged_models.id"),
    refers("run", "runs.id"),
    text_column("key"),
    Column("value", Double, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    text_column("dataset_name", default=""),
    text_column("dataset_digest", default=""),
    Index(
        "logged_model_metrics_once_key",
        "logged_model",
        "key",
        "step",
        "timestamp",
        "value",
        "run",
        "dataset_name",
        "dataset_digest",
        unique=True,
    ),
)
"""Metrics that a run measured about a model, and on which data set; empty text where on none."""

run_models = Table(
    "run_models",
    metadata,
    refers("attempt", "attempts.id"),
    text_column("direction"),
    text_column("model_id"),
    Column("step", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("attempt", "direction", "model_id"),
    CheckConstraint("direction in ('input', 'output')", name="direction"),
    Index(None, "model_id"),
)
"""Logged models that an attempt read or produced."""

artifacts = Table(
    "artifacts",
    metadata,
    number_column(),
    refers("attempt", "attempts.id", nullable=True),
    refers("logged_model", "logged_models.id", nullable=True),
    text_column("path"),
    text_column("key"),
    Column("size", BigInteger, nullable=False),
    text_column("sha256"),
    text_column("content_type"),
    moment("created_at", now=True),
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

lineage = Table(
    "lineage",
    metadata,
    text_column("source_kind"),
    text_column("source_id"),
    text_column("target_kind"),
    text_column("target_id"),
    text_column("relation"),
    moment("created_at", now=True),
    PrimaryKeyConstraint("source_kind", "source_id", "target_kind", "target_id", "relation"),
    Index(None, "target_kind", "target_id"),
)

sweeps = Table(
    "sweeps",
    metadata,
    refers("run", "runs.id", primary_key=True),
    json_column("spec"),
    text_column("metric"),
    text_column("direction"),
    Column("n_trials", Integer, nullable=False),
    flag("closed", default=False),
    CheckConstraint("direction in ('maximize', 'minimize')", name="direction"),
)

trials = Table(
    "trials",
    metadata,
    refers("sweep", "sweeps.run"),
    Column("number", Integer, nullable=False),
    json_column("params"),
    text_column("state", default="WAITING"),
    refers("run", "runs.id", nullable=True),
    Column("value", Double),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    text_column("claimed_by", nullable=True),
    text_column("worker", nullable=True),
    moment("claimed_at", nullable=True),
    text_column("error", nullable=True),
    json_column("notes"),
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
