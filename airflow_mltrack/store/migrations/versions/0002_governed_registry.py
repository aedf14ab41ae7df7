"""Stage graphs, approvals, webhooks; the database guards stages, verdicts and approvals.

Revision: 0002, follows 0001.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STAGES = ("None", "Staging", "Production", "Archived")


def _graph(*, verdict: bool) -> str:
    """Give what every model had until now; with ``verdict`` where ``requires_verdict`` was set."""
    edges = [
        {"from": a, "to": b} | ({"verdict": True} if verdict and b == "Production" else {})
        for a in _STAGES
        for b in _STAGES
        if a != b
    ]
    return json.dumps(
        {
            "stages": _STAGES,
            "exclusive": "Production",
            "displaced_to": "Archived",
            "edges": edges,
        }
    )


def upgrade() -> None:
    _stage_graphs()
    _approvals()
    _webhooks()
    op.create_index(
        "history_intent_idx",
        "history",
        ["name", sa.text("(payload ->> 'intent')")],
        postgresql_where=sa.text("payload ? 'intent'"),
    )
    _guards()


def _stage_graphs() -> None:
    op.add_column("registered_models", sa.Column("stages", postgresql.JSONB(), nullable=True))
    fill = sa.text(
        "UPDATE registered_models SET stages = CAST("
        "CASE WHEN requires_verdict THEN :guarded ELSE :free END AS jsonb)"
    )
    op.execute(fill.bindparams(guarded=_graph(verdict=True), free=_graph(verdict=False)))
    op.alter_column("registered_models", "stages", nullable=False)
    op.drop_column("registered_models", "requires_verdict")
    op.drop_constraint(op.f("model_versions_stage_check"), "model_versions", type_="check")
    op.drop_index("model_versions_one_production", "model_versions")
    op.add_column(
        "model_versions",
        sa.Column("live", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.execute("UPDATE model_versions SET live = (stage = 'Production')")
    op.create_index(
        "model_versions_one_holder",
        "model_versions",
        ["model"],
        unique=True,
        postgresql_where=sa.text("live and not deleted"),
    )


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("package_digest", sa.Text(), nullable=True),
        sa.Column("verdict_id", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=True),
        _moment("created_at", now=True),
        _moment("valid_until", nullable=True),
        sa.Column(
            "details", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.CheckConstraint(
            "decision in ('approved', 'rejected')", name=op.f("approvals_decision_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("approvals_pkey")),
        sa.UniqueConstraint("approval_id", name=op.f("approvals_approval_id_key")),
    )
    op.create_index(
        op.f("approvals_name_version_id_idx"), "approvals", ["name", "version", "id"], unique=False
    )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("models", sa.Text(), server_default=sa.text("'*'"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_by", sa.Text(), server_default=sa.text("''"), nullable=False),
        _moment("created_at", now=True),
        _moment("updated_at", now=True),
        sa.PrimaryKeyConstraint("id", name=op.f("webhooks_pkey")),
        sa.UniqueConstraint("webhook_id", name=op.f("webhooks_webhook_id_key")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("webhook", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'WAITING'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _moment("next_attempt_at", now=True),
        _moment("delivered_at", nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        _moment("created_at", now=True),
        sa.CheckConstraint(
            "state in ('WAITING', 'DELIVERED', 'FAILED')",
            name=op.f("webhook_deliveries_state_check"),
        ),
        sa.ForeignKeyConstraint(
            ["event"], ["history.id"], name=op.f("webhook_deliveries_event_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["webhook"],
            ["webhooks.id"],
            name=op.f("webhook_deliveries_webhook_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_deliveries_pkey")),
        sa.UniqueConstraint("delivery_id", name=op.f("webhook_deliveries_delivery_id_key")),
        sa.UniqueConstraint("webhook", "event", name=op.f("webhook_deliveries_webhook_event_key")),
    )
    op.create_index(
        "webhook_deliveries_due_idx",
        "webhook_deliveries",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'WAITING'"),
    )


def _guards() -> None:
    """Let the database refuse what no door does."""
    _append_only()
    _stages_of_the_graph()
    _moves_are_told()
    _rules_are_told()


def _append_only() -> None:
    """Keep verdicts and approvals as they were written."""
    op.execute(
        """
        CREATE FUNCTION rows_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'restrict_violation';
        END
        $$
        """
    )
    for table in ("verdicts", "approvals"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION rows_are_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION rows_are_append_only()"
        )


def _stages_of_the_graph() -> None:
    """Let a version stand in a stage that its model has; the database says whether it is live."""
    op.execute(
        """
        CREATE FUNCTION model_version_keeps_its_graph() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            graph jsonb;
        BEGIN
            SELECT stages INTO graph FROM registered_models WHERE id = NEW.model;
            IF NOT graph -> 'stages' ? NEW.stage THEN
                RAISE EXCEPTION 'the model has no stage %', NEW.stage
                    USING ERRCODE = 'check_violation';
            END IF;
            IF TG_OP = 'INSERT' AND NEW.stage <> graph -> 'stages' ->> 0 THEN
                RAISE EXCEPTION 'a new version stands in stage %, not in %',
                    graph -> 'stages' ->> 0, NEW.stage
                    USING ERRCODE = 'restrict_violation';
            END IF;
            NEW.live := NEW.stage = graph ->> 'exclusive';
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER model_versions_keep_graph BEFORE INSERT OR UPDATE ON model_versions "
        "FOR EACH ROW EXECUTE FUNCTION model_version_keeps_its_graph()"
    )
    op.execute(
        """
        CREATE FUNCTION new_graph_fits_its_versions() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- Whoever is not live any more first: there is one holder at any moment.
            UPDATE model_versions SET live = live
            WHERE model = NEW.id AND NOT deleted AND stage <> NEW.stages ->> 'exclusive';
            UPDATE model_versions SET live = live
            WHERE model = NEW.id AND NOT deleted AND stage = NEW.stages ->> 'exclusive';
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER registered_models_graph_fits AFTER UPDATE OF stages ON registered_models "
        "FOR EACH ROW WHEN (OLD.stages IS DISTINCT FROM NEW.stages) "
        "EXECUTE FUNCTION new_graph_fits_its_versions()"
    )


def _moves_are_told() -> None:
    """Let a stage change only in a transaction that ends with the transition in the history."""
    op.execute(
        """
        CREATE FUNCTION stage_moves_with_its_history() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            model_name text;
            now_in text;
            told text;
        BEGIN
            SELECT m.name, v.stage INTO model_name, now_in
            FROM model_versions v JOIN registered_models m ON m.id = v.model
            WHERE v.model = NEW.model AND v.version = NEW.version;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            SELECT payload ->> 'to' INTO told
            FROM history
            WHERE name = model_name AND version = NEW.version AND kind = 'transition'
            ORDER BY id DESC LIMIT 1;
            IF told IS DISTINCT FROM now_in THEN
                RAISE EXCEPTION 'version % of model % moves to stage % without its history',
                    NEW.version, model_name, now_in
                    USING ERRCODE = 'restrict_violation',
                          HINT = 'Stages are changed by promotion, not by hand.';
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER model_versions_moves_are_told AFTER UPDATE ON model_versions "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.stage IS DISTINCT FROM NEW.stage) "
        "EXECUTE FUNCTION stage_moves_with_its_history()"
    )


def _rules_are_told() -> None:
    """Let gates and graph change only in a transaction that ends with them in the history."""
    op.execute(
        """
        CREATE FUNCTION rules_change_with_their_history() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            model registered_models%ROWTYPE;
            told jsonb;
        BEGIN
            SELECT * INTO model FROM registered_models WHERE id = NEW.id;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            SELECT CASE kind WHEN 'policy' THEN payload -> 'to' ELSE payload END INTO told
            FROM history
            WHERE name = model.name AND kind IN ('policy', 'created')
            ORDER BY id DESC LIMIT 1;
            IF told -> 'gates' IS DISTINCT FROM model.gates
                OR told -> 'stages' IS DISTINCT FROM model.stages THEN
                RAISE EXCEPTION 'the rules of model % change without its history', model.name
                    USING ERRCODE = 'restrict_violation',
                          HINT = 'Rules are changed by setting the policy, not by hand.';
            END IF;
            RETURN NULL;
        END
        $$
        """
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER registered_models_rules_are_told AFTER UPDATE "
        "ON registered_models DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (OLD.gates IS DISTINCT FROM NEW.gates OR OLD.stages IS DISTINCT FROM NEW.stages) "
        "EXECUTE FUNCTION rules_change_with_their_history()"
    )


def _moment(name: str, *, now: bool = False, nullable: bool = False) -> sa.Column[object]:
    default = sa.text("clock_timestamp()") if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)
