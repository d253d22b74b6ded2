"""Sign-ins that are under way, and the alarms of credentials that people were told of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("live", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("device", sa.Text()),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("every", sa.Double(), nullable=False),
        sa.Column("next_poll_at", sa.Double()),
        sa.Column("mark", sa.Text()),
        sa.Column("told", sa.Text(), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(["run"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("live"),
    )
    op.create_index(op.f("ix_sign_in_run"), "sign_in", ["run"], unique=False)
    op.create_index(op.f("ix_sign_in_next_poll_at"), "sign_in", ["next_poll_at"], unique=False)
    op.create_table(
        "alarm",
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("command", "name"),
    )
