"""Credentials that handlers look after, how far steps are, what handlers report, and runs that were asked for again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("run", sa.Column("retry_of", sa.Text()))
    op.add_column("run", sa.Column("report", sa.JSON(none_as_null=True)))
    op.create_index(op.f("ix_run_retry_of"), "run", ["retry_of"], unique=False)
    op.add_column("run_step", sa.Column("progress", sa.Text(), nullable=False, server_default=""))
    op.add_column("run_action", sa.Column("led_to", sa.Text()))
    op.add_column("schedule", sa.Column("early_at", sa.Double()))
    op.add_column("schedule", sa.Column("early_for", sa.Text()))
    op.create_table(
        "inventory",
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("next_at", sa.Double()),
        sa.Column("turn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("looked_turn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("put_at", sa.Double()),
        sa.Column("tried_at", sa.Double()),
        sa.Column("looked_at", sa.Double()),
        sa.Column("trouble", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("command"),
    )
    op.create_table(
        "holding",
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credential", sa.JSON(), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("looked_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("command", "name"),
    )
    op.create_index("holding_urgent", "holding", ["urgency", "expires_at"], unique=False)
