"""How Alembic reaches our tables: always through a connection that `bot.engine.schema` gives it."""

from alembic import context

from bot.engine import audit, messages, schedules, tables, takeover  # noqa: F401  # each puts its tables on the metadata
from bot.engine.store import metadata

OURS = frozenset(metadata.tables)


def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """The executor's tables lie beside ours and are its own affair."""
    return kind != "table" or name in OURS


context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, include_object=ours)
with context.begin_transaction():
    context.run_migrations()
