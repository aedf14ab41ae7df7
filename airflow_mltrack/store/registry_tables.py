"""Tables of the model registry: names, versions, verdicts, approvals, history, webhooks.

No behaviour; private to ``store``. See also :mod:`airflow_mltrack.store.tables`.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from airflow_mltrack.store.table_columns import (
    flag,
    json_column,
    metadata,
    moment,
    number_column,
    refers,
    text_column,
)

registered_models = Table(
    "registered_models",
    metadata,
    number_column(),
    text_column("name"),
    text_column("description", default=""),
    json_column("gates"),
    Column("stages", JSONB, nullable=False),
    Column("last_version", Integer, nullable=False, server_default=text("0")),
    flag("deleted", default=False),
    moment("created_at", now=True),
    moment("updated_at", now=True),
    UniqueConstraint("name"),
)
"""The row of a deleted model stays: a model made again under its name goes on counting, because
history and verdicts speak of versions by name and number. ``gates`` and ``stages`` change only in a
transaction that writes the change into the history: a trigger holds that."""

registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    refers("model", "registered_models.id"),
    text_column("key"),
    text_column("value"),
    PrimaryKeyConstraint("model", "key"),
)

model_versions = Table(
    "model_versions",
    metadata,
    refers("model", "registered_models.id"),
    Column("version", Integer, nullable=False),
    text_column("stage", default="None"),
    text_column("source"),
    Column("logged_model", BigInteger, ForeignKey("logged_models.id"), nullable=True),
    text_column("run_id", nullable=True),
    text_column("run_link", default=""),
    text_column("digest", nullable=True),
    text_column("user", default=""),
    text_column("description", default=""),
    text_column("status", default="READY"),
    flag("live", default=False),
    flag("deleted", default=False),
    moment("created_at", now=True),
    moment("updated_at", now=True),
    PrimaryKeyConstraint("model", "version"),
    Index(
        "model_versions_one_holder",
        "model",
        unique=True,
        postgresql_where=text("live and not deleted"),
    ),
    Index(None, "logged_model"),
    Index(None, "run_id"),
)

"""Triggers hold what a constraint cannot: ``stage`` is one of the model's stages, ``live`` says
whether it is the exclusive one (nobody else sets it), and a stage changes only in a transaction
that writes the transition into the history."""

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("model", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    text_column("key"),
    text_column("value"),
    PrimaryKeyConstraint("model", "version", "key"),
    ForeignKeyConstraint(
        ["model", "version"], ["model_versions.model", "model_versions.version"], ondelete="CASCADE"
    ),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model", BigInteger, nullable=False),
    text_column("alias"),
    Column("version", Integer, nullable=False),
    PrimaryKeyConstraint("model", "alias"),
    ForeignKeyConstraint(
        ["model", "version"], ["model_versions.model", "model_versions.version"], ondelete="CASCADE"
    ),
)

verdicts = Table(
    "verdicts",
    metadata,
    number_column(),
    text_column("verdict_id"),
    text_column("name"),
    Column("version", Integer, nullable=False),
    Column("passed", Boolean, nullable=False),
    text_column("package_digest"),
    json_column("policy"),
    text_column("policy_digest"),
    text_column("dataset_name"),
    text_column("dataset_digest"),
    Column("checks", JSONB, nullable=False),
    Column("champion_version", Integer),
    text_column("actor", default=""),
    text_column("run_id", nullable=True),
    json_column("details"),
    moment("created_at", now=True),
    moment("valid_until", nullable=True),
    UniqueConstraint("verdict_id"),
    Index(None, "name", "version", "id"),
)
"""By name, not by key: a verdict outlives the model it judged. The number orders verdicts whatever
the clocks of those who made them say."""

approvals = Table(
    "approvals",
    metadata,
    number_column(),
    text_column("approval_id"),
    text_column("name"),
    Column("version", Integer, nullable=False),
    text_column("stage"),
    text_column("decision"),
    text_column("approver"),
    text_column("reason"),
    text_column("package_digest", nullable=True),
    text_column("verdict_id", nullable=True),
    text_column("requested_by", nullable=True),
    moment("created_at", now=True),
    moment("valid_until", nullable=True),
    json_column("details"),
    UniqueConstraint("approval_id"),
    CheckConstraint("decision in ('approved', 'rejected')", name="decision"),
    Index(None, "name", "version", "id"),
)
"""By name, as verdicts; rows of both are added, and a trigger refuses to change them."""

history = Table(
    "history",
    metadata,
    number_column(),
    text_column("name"),
    Column("version", Integer),
    text_column("kind"),
    text_column("actor"),
    moment("at"),
    json_column("payload"),
    text_column("previous_hash"),
    text_column("hash"),
    UniqueConstraint("name", "previous_hash"),
    UniqueConstraint("hash"),
    Index(None, "name", "id"),
    Index(
        "history_intent_idx",
        "name",
        text("(payload ->> 'intent')"),
        postgresql_where=text("payload ? 'intent'"),
    ),
)
"""Append-only: a trigger refuses UPDATE, DELETE and TRUNCATE. One hash chain for each model name;
the unique ``previous_hash`` keeps two writers from forking it."""

webhooks = Table(
    "webhooks",
    metadata,
    number_column(),
    text_column("webhook_id"),
    text_column("url"),
    Column("events", ARRAY(Text), nullable=False),
    text_column("models", default="*"),
    text_column("description", default=""),
    flag("active", default=True),
    text_column("created_by", default=""),
    moment("created_at", now=True),
    moment("updated_at", now=True),
    text_column("name", default=""),
    text_column("format", default="mltrack"),
    text_column("sealed_secret", nullable=True),
    UniqueConstraint("webhook_id"),
    CheckConstraint("format in ('mltrack', 'mlflow')", name="format"),
)
"""Addresses outside that hear of a model's history. ``models`` is a name pattern with ``*``;
``sealed_secret`` is encrypted under a key that is drawn from the site's webhook secret."""

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    number_column(),
    text_column("delivery_id"),
    refers("webhook", "webhooks.id"),
    Column("event", BigInteger, ForeignKey("history.id"), nullable=False),
    text_column("state", default="WAITING"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    moment("next_attempt_at", now=True),
    moment("delivered_at", nullable=True),
    text_column("error", nullable=True),
    moment("created_at", now=True),
    UniqueConstraint("delivery_id"),
    UniqueConstraint("webhook", "event"),
    CheckConstraint("state in ('WAITING', 'DELIVERED', 'FAILED')", name="state"),
    Index(
        "webhook_deliveries_due_idx", "next_attempt_at", postgresql_where=text("state = 'WAITING'")
    ),
    Index(
        "webhook_deliveries_done_idx", "delivered_at", postgresql_where=text("state = 'DELIVERED'")
    ),
)
"""An outbox: written in the transaction of the event, emptied by whoever delivers."""
