"""What a schedule's last trouble was, until it is well again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("schedule", sa.Column("trouble", sa.Text()))
