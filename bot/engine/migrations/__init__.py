"""Alembic environment; see `bot.engine.schema`."""
