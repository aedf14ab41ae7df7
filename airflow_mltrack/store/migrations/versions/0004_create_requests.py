"""Requests that made runs and logged models, so that one that comes again leaves no ghost.

Revision: 0004, follows 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "create_requests",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("set_aside", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("create_requests_pkey")),
    )
    op.create_index(op.f("create_requests_digest_idx"), "create_requests", ["digest"])
    op.create_index(
        "create_requests_old_idx",
        "create_requests",
        ["made_at"],
        postgresql_where=sa.text("NOT set_aside"),
    )
