"""Notices and incidents, and the incident that a run belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("run", sa.Column("incident", sa.Text(), nullable=True))
    op.create_index(op.f("ix_run_incident"), "run", ["incident"], unique=False)
    op.create_table(
        "notice",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("incidents", sa.JSON(), nullable=False),
        sa.Column("unhandled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_notice_seen_at"), "notice", ["seen_at"], unique=False)
    op.create_table(
        "incident",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("live", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("began", sa.Double(), nullable=False),
        sa.Column("hand_over_at", sa.Double(), nullable=False),
        sa.Column("close_at", sa.Double()),
        sa.Column("closed_at", sa.Double()),
        sa.Column("closed_by", sa.Text()),
        sa.Column("looked_at", sa.Double()),
        sa.Column("next_look_at", sa.Double()),
        sa.Column("look_turn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("looked_turn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("look_put_at", sa.Double()),
        sa.Column("firing", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("resolved", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("truncated", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("notices", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("text", sa.Text(), nullable=False, server_default=""),
        sa.Column("channel", sa.Text()),
        sa.Column("thread", sa.Text()),
        sa.Column("owner", sa.Text()),
        sa.Column("diagnosis", sa.JSON(none_as_null=True)),
        sa.Column("trouble", sa.JSON(none_as_null=True)),
        sa.Column("charted_at", sa.Double()),
        sa.Column("chart", sa.Text()),
        sa.UniqueConstraint("live"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("incident_looks", "incident", ["state", "next_look_at"], unique=False)
    op.create_index("incident_closes", "incident", ["state", "close_at"], unique=False)
    op.create_index("incident_hands_over", "incident", ["state", "hand_over_at"], unique=False)
    op.create_index("incident_history", "incident", ["handler", "key", "closed_at"], unique=False)
    op.create_index("incident_opened", "incident", ["opened_at"], unique=False)
    op.create_table(
        "incident_alert",
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("starts_at", sa.Double(), nullable=False),
        sa.Column("alert", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("incident", "identity"),
    )
    op.create_index("incident_alert_counts", "incident_alert", ["incident", "told", "status"], unique=False)
    op.create_index("incident_alert_newest", "incident_alert", ["incident", "at"], unique=False)
    op.create_table(
        "incident_tick",
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("incident", "step"),
    )
    op.create_table(
        "incident_action",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"]),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_incident_action_incident"), "incident_action", ["incident"], unique=False)
