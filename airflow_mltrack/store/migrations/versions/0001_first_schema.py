"""The first schema.

Revision: 0001, follows None.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:  # noqa: PLR0915 - a frozen schema, read from top to bottom
    op.create_table(
        "experiments",
        sa.Column(
            "id", sa.BigInteger(), sa.Identity(always=False, start=1, minvalue=0), nullable=False
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("artifact_root", sa.Text(), nullable=False),
        sa.Column("lifecycle", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "lifecycle in ('active', 'deleted')", name=op.f("experiments_lifecycle_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("experiments_pkey")),
        sa.UniqueConstraint("name", name=op.f("experiments_name_key")),
    )
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("history_pkey")),
        sa.UniqueConstraint("hash", name=op.f("history_hash_key")),
        sa.UniqueConstraint("name", "previous_hash", name=op.f("history_name_previous_hash_key")),
    )
    op.create_index(op.f("history_name_id_idx"), "history", ["name", "id"], unique=False)
    op.create_table(
        "lineage",
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("target_kind", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint(
            "source_kind",
            "source_id",
            "target_kind",
            "target_id",
            "relation",
            name=op.f("lineage_pkey"),
        ),
    )
    op.create_index(
        op.f("lineage_target_kind_target_id_idx"),
        "lineage",
        ["target_kind", "target_id"],
        unique=False,
    )
    op.create_table(
        "registered_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "gates",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "requires_verdict", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
        sa.Column("last_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("registered_models_pkey")),
        sa.UniqueConstraint("name", name=op.f("registered_models_name_key")),
    )
    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("verdict_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("package_digest", sa.Text(), nullable=False),
        sa.Column(
            "policy",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("policy_digest", sa.Text(), nullable=False),
        sa.Column("dataset_name", sa.Text(), nullable=False),
        sa.Column("dataset_digest", sa.Text(), nullable=False),
        sa.Column("checks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("champion_version", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("verdicts_pkey")),
        sa.UniqueConstraint("verdict_id", name=op.f("verdicts_verdict_id_key")),
    )
    op.create_index(
        op.f("verdicts_name_version_id_idx"), "verdicts", ["name", "version", "id"], unique=False
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("source_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "schema",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "profile",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("datasets_experiment_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("datasets_pkey")),
        sa.UniqueConstraint(
            "experiment_id", "name", "digest", name=op.f("datasets_experiment_id_name_digest_key")
        ),
    )
    op.create_table(
        "experiment_tags",
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("experiment_tags_experiment_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("experiment_id", "key", name=op.f("experiment_tags_pkey")),
    )
    op.create_table(
        "registered_model_tags",
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registered_models.id"],
            name=op.f("registered_model_tags_model_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("registered_model_tags_pkey")),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("lifecycle", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("user", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("logical_key", sa.Text(), nullable=True),
        sa.Column("dag_id", sa.Text(), nullable=True),
        sa.Column("dag_run_id", sa.Text(), nullable=True),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("map_index", sa.Integer(), server_default=sa.text("-1"), nullable=False),
        sa.Column("attempt_id", sa.BigInteger(), nullable=True),
        sa.Column("attempt_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("artifact_root", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("lifecycle in ('active', 'deleted')", name=op.f("runs_lifecycle_check")),
        sa.CheckConstraint(
            "status in ('SCHEDULED', 'RUNNING', 'FINISHED', 'FAILED', 'KILLED')",
            name=op.f("runs_status_check"),
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("runs_experiment_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["runs.id"], name=op.f("runs_parent_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("runs_pkey")),
        sa.UniqueConstraint("logical_key", name=op.f("runs_logical_key_key")),
        sa.UniqueConstraint("run_id", name=op.f("runs_run_id_key")),
    )
    op.create_index(
        op.f("runs_dag_id_dag_run_id_idx"),
        "runs",
        ["dag_id", "dag_run_id"],
        unique=False,
        postgresql_where=sa.text("dag_id IS NOT NULL"),
    )
    op.create_index(
        op.f("runs_experiment_id_idx"),
        "runs",
        ["experiment_id", sa.literal_column("started_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "runs_open_idx",
        "runs",
        ["started_at"],
        unique=False,
        postgresql_where=sa.text("status = 'RUNNING'"),
    )
    op.create_index(
        op.f("runs_parent_id_idx"),
        "runs",
        ["parent_id"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NOT NULL"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("try_number", sa.Integer(), nullable=True),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "status in ('SCHEDULED', 'RUNNING', 'FINISHED', 'FAILED', 'KILLED')",
            name=op.f("attempts_status_check"),
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("attempts_run_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("attempts_pkey")),
        sa.UniqueConstraint("attempt_key", name=op.f("attempts_attempt_key_key")),
        sa.UniqueConstraint("run", "number", name=op.f("attempts_run_number_key")),
    )
    op.create_index(
        "attempts_open_idx",
        "attempts",
        ["heartbeat_at"],
        unique=False,
        postgresql_where=sa.text("status = 'RUNNING'"),
    )
    op.create_table(
        "run_tags",
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("run_tags_run_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run", "key", name=op.f("run_tags_pkey")),
    )
    op.create_index(
        "run_tags_search_idx",
        "run_tags",
        ["experiment_id", "key", sa.literal_column("left(value, 256)"), "run"],
        unique=False,
    )
    op.create_table(
        "sweeps",
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column(
            "spec",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("n_trials", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "direction in ('maximize', 'minimize')", name=op.f("sweeps_direction_check")
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("sweeps_run_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run", name=op.f("sweeps_pkey")),
    )
    op.create_table(
        "inputs",
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("dataset", sa.BigInteger(), nullable=False),
        sa.Column("context", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "tags",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.id"], name=op.f("inputs_attempt_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.id"], name=op.f("inputs_dataset_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt", "dataset", "context", name=op.f("inputs_pkey")),
    )
    op.create_index(op.f("inputs_dataset_idx"), "inputs", ["dataset"], unique=False)
    op.create_table(
        "latest_metrics",
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("current", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt"],
            ["attempts.id"],
            name=op.f("latest_metrics_attempt_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt", "key", name=op.f("latest_metrics_pkey")),
    )
    op.create_index(
        "latest_metrics_order_idx",
        "latest_metrics",
        ["experiment_id", "key", "value", "run"],
        unique=False,
        postgresql_where=sa.text("current"),
    )
    op.create_index(
        "latest_metrics_run_idx",
        "latest_metrics",
        ["run", "key"],
        unique=False,
        postgresql_where=sa.text("current"),
    )
    op.create_table(
        "logged_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_message", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=True),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("artifact_root", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("model_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column(
            "manifest",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status <> 'READY' or digest is not null",
            name=op.f("logged_models_ready_has_digest_check"),
        ),
        sa.CheckConstraint(
            "status in ('PENDING', 'READY', 'FAILED')", name=op.f("logged_models_status_check")
        ),
        sa.ForeignKeyConstraint(
            ["attempt"],
            ["attempts.id"],
            name=op.f("logged_models_attempt_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"],
            ["experiments.id"],
            name=op.f("logged_models_experiment_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("logged_models_run_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("logged_models_pkey")),
        sa.UniqueConstraint("model_id", name=op.f("logged_models_model_id_key")),
    )
    op.create_index(
        op.f("logged_models_experiment_id_name_idx"),
        "logged_models",
        ["experiment_id", "name"],
        unique=False,
    )
    op.create_index(op.f("logged_models_run_idx"), "logged_models", ["run"], unique=False)
    op.create_table(
        "metric_chunks",
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("steps", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("timestamps", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("values", sa.ARRAY(sa.Double()), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt"],
            ["attempts.id"],
            name=op.f("metric_chunks_attempt_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt", "key", "batch", name=op.f("metric_chunks_pkey")),
    )
    op.create_table(
        "params",
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("experiment_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.id"], name=op.f("params_attempt_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("attempt", "key", name=op.f("params_pkey")),
    )
    op.create_index(
        "params_run_idx",
        "params",
        ["run", "key"],
        unique=False,
        postgresql_where=sa.text("current"),
    )
    op.create_index(
        "params_search_idx",
        "params",
        ["experiment_id", "key", sa.literal_column("left(value, 256)"), "run"],
        unique=False,
        postgresql_where=sa.text("current"),
    )
    op.create_table(
        "trials",
        sa.Column("sweep", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "params",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), server_default=sa.text("'WAITING'"), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "notes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "state in ('WAITING', 'RUNNING', 'COMPLETE', 'PRUNED', 'FAILED')",
            name=op.f("trials_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name=op.f("trials_run_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["sweep"], ["sweeps.run"], name=op.f("trials_sweep_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sweep", "number", name=op.f("trials_pkey")),
    )
    op.create_index(
        "trials_waiting_idx",
        "trials",
        ["sweep", "number"],
        unique=False,
        postgresql_where=sa.text("state = 'WAITING'"),
    )
    op.create_table(
        "artifacts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=True),
        sa.Column("logged_model", sa.BigInteger(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("artifacts_sha256_check")),
        sa.CheckConstraint(
            "num_nonnulls(attempt, logged_model) = 1", name=op.f("artifacts_one_owner_check")
        ),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.id"], name=op.f("artifacts_attempt_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["logged_model"],
            ["logged_models.id"],
            name=op.f("artifacts_logged_model_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("artifacts_pkey")),
    )
    op.create_index(
        "artifacts_attempt_path_key",
        "artifacts",
        ["attempt", "path"],
        unique=True,
        postgresql_where=sa.text("attempt IS NOT NULL"),
    )
    op.create_index(
        "artifacts_logged_model_path_key",
        "artifacts",
        ["logged_model", "path"],
        unique=True,
        postgresql_where=sa.text("logged_model IS NOT NULL"),
    )
    op.create_table(
        "model_versions",
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), server_default=sa.text("'None'"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("logged_model", sa.BigInteger(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("user", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'READY'"), nullable=False),
        sa.Column("deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "stage in ('None', 'Staging', 'Production', 'Archived')",
            name=op.f("model_versions_stage_check"),
        ),
        sa.ForeignKeyConstraint(
            ["logged_model"], ["logged_models.id"], name=op.f("model_versions_logged_model_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["model"],
            ["registered_models.id"],
            name=op.f("model_versions_model_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("model_versions_pkey")),
    )
    op.create_index(
        op.f("model_versions_logged_model_idx"), "model_versions", ["logged_model"], unique=False
    )
    op.create_index(
        "model_versions_one_production",
        "model_versions",
        ["model"],
        unique=True,
        postgresql_where=sa.text("stage = 'Production' and not deleted"),
    )
    op.create_index(op.f("model_versions_run_id_idx"), "model_versions", ["run_id"], unique=False)
    op.create_table(
        "trial_reports",
        sa.Column("sweep", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sweep", "number"],
            ["trials.sweep", "trials.number"],
            name=op.f("trial_reports_sweep_number_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sweep", "number", "step", name=op.f("trial_reports_pkey")),
    )
    op.create_table(
        "aliases",
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.version"],
            name=op.f("aliases_model_version_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("aliases_pkey")),
    )
    op.create_table(
        "model_version_tags",
        sa.Column("model", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["model_versions.model", "model_versions.version"],
            name=op.f("model_version_tags_model_version_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model", "version", "key", name=op.f("model_version_tags_pkey")),
    )

    op.execute(
        "INSERT INTO experiments (id, name, artifact_root) VALUES (0, 'Default', 'experiments/0')"
    )
    op.execute(
        """
        CREATE FUNCTION history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'history is append-only: % refused', TG_OP
                USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE ON history
        FOR EACH ROW EXECUTE FUNCTION history_is_append_only()
        """
    )
    op.execute(
        """
        CREATE TRIGGER history_no_truncate BEFORE TRUNCATE ON history
        FOR EACH STATEMENT EXECUTE FUNCTION history_is_append_only()
        """
    )
    # Not known to SQLAlchemy's tables: arrays stay uncompressed (writing them is several times as
    # fast), and pages keep room for the values that replace the latest ones.
    for column in ("steps", "timestamps", '"values"'):
        op.execute(f"ALTER TABLE metric_chunks ALTER COLUMN {column} SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE latest_metrics SET (fillfactor = 80)")
