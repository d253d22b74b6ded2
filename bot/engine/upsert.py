"""INSERT … ON CONFLICT for the two databases, which SQLAlchemy spells in two places."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert(conn: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert into the table that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return insert_for(conn.dialect.name, table)


def insert_for(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """The same by the name of the database's dialect, for a statement that is made once."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
