"""Webhooks of MLflow's format: a name, a secret of their own; what was delivered can be pruned.

Revision: 0005, follows 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, default in (("name", "''"), ("format", "'mltrack'")):
        op.add_column(
            "webhooks",
            sa.Column(name, sa.Text(), server_default=sa.text(default), nullable=False),
        )
    op.add_column("webhooks", sa.Column("sealed_secret", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("webhooks_format_check"), "webhooks", "format in ('mltrack', 'mlflow')"
    )
    op.create_index(
        "webhook_deliveries_done_idx",
        "webhook_deliveries",
        ["delivered_at"],
        postgresql_where=sa.text("state = 'DELIVERED'"),
    )
