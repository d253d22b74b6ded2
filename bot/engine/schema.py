"""Making our tables and bringing them up to date, with Alembic. Versions lie in `migrations/versions`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from bot.core.errors import Refused
from bot.engine.store import writing

HEAD = "0007"
LOCK = 0x68697665  # PostgreSQL's advisory lock while one replica migrates and the others wait


def migrate(engine: sa.Engine) -> None:
    """Bring our tables to the version this code needs. Refused when the store was used by a newer version."""
    with writing(engine) as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(sa.text("SET LOCAL statement_timeout = '60s'"))
            conn.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if version(conn) != HEAD:
            _upgrade(conn)


def version(conn: sa.Connection) -> str | None:
    """The version the tables have, None if there are none."""
    if not sa.inspect(conn).has_table("alembic_version"):
        return None
    found: str | None = conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _upgrade(conn: sa.Connection) -> None:
    from alembic import command  # only when there is something to do: it takes a moment to load
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = conn
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise Refused("The store was made by a newer hivekeeper.", "Use that version, or another store.") from None
