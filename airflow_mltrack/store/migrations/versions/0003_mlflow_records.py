"""What MLflow's clients record beyond ours: about logged models, and models of runs.

Revision: 0003, follows 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "runs",
        sa.Column(
            "deleted_with_experiment", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column(
        "logged_models", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "model_versions",
        sa.Column("run_link", sa.Text(), server_default=sa.text("''"), nullable=False),
    )
    for table in ("logged_model_params", "logged_model_tags"):
        op.create_table(
            table,
            sa.Column("logged_model", sa.BigInteger(), nullable=False),
            sa.Column("key", sa.Text(), nullable=False),
            sa.Column("value", sa.Text(), nullable=False),
            sa.ForeignKeyConstraint(
                ["logged_model"],
                ["logged_models.id"],
                name=op.f(f"{table}_logged_model_fkey"),
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("logged_model", "key", name=op.f(f"{table}_pkey")),
        )
    op.create_table(
        "logged_model_metrics",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("logged_model", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("dataset_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("dataset_digest", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["logged_model"],
            ["logged_models.id"],
            name=op.f("logged_model_metrics_logged_model_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["run"],
            ["runs.id"],
            name=op.f("logged_model_metrics_run_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("logged_model_metrics_pkey")),
    )
    op.create_index(
        "logged_model_metrics_once_key",
        "logged_model_metrics",
        [
            "logged_model",
            "key",
            "step",
            "timestamp",
            "value",
            "run",
            "dataset_name",
            "dataset_digest",
        ],
        unique=True,
    )
    op.create_table(
        "run_models",
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "direction in ('input', 'output')", name=op.f("run_models_direction_check")
        ),
        sa.ForeignKeyConstraint(
            ["attempt"],
            ["attempts.id"],
            name=op.f("run_models_attempt_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("attempt", "direction", "model_id", name=op.f("run_models_pkey")),
    )
    op.create_index(op.f("run_models_model_id_idx"), "run_models", ["model_id"], unique=False)
