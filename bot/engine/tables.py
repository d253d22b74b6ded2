"""The engine's own tables of runs, decisions and steps. Times are seconds since the epoch, UTC."""

from __future__ import annotations

import sqlalchemy as sa

from bot.engine.store import metadata

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),  # SHA-256 of the request's key
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("ask", sa.JSON, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("asker", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("channel", sa.Text),
    sa.Column("thread", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("asked_at", sa.Double, nullable=False),
    sa.Column("changed_at", sa.Double, nullable=False),
    sa.Column("proposed_at", sa.Double),
    sa.Column("remind_at", sa.Double),
    sa.Column("expires_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("plan", sa.JSON(none_as_null=True)),
    sa.Column("digest", sa.Text),
    sa.Column("on_failure", sa.Text),
    sa.Column("answer", sa.JSON(none_as_null=True)),
    sa.Column("approvals_needed", sa.Integer, nullable=False),
    sa.Column("trouble", sa.JSON(none_as_null=True)),  # {"what", "now"}
    sa.Column("supersedes", sa.Text),
    sa.Column("superseded_by", sa.Text),
    sa.Column("standing", sa.Text),
    sa.Column("retire_at", sa.Double),  # when backups may go; null: there are none (any more)
    sa.Column("retired", sa.Integer, nullable=False, server_default="0"),  # how often that was tried
    sa.Index("run_expires", "state", "expires_at"),
    sa.Index("run_reminds", "state", "remind_at"),
    sa.Index("run_changed", "state", "changed_at"),
    sa.Index("run_asked", "asked_at"),
    sa.Index("run_retires", "retire_at"),
)

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # SHA-256 of the decision's key
    sa.Column("run", sa.Text, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("digest", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("accepted", sa.Boolean, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
)

run_step = sa.Table(
    "run_step",
    metadata,
    sa.Column("run", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("stage", sa.Integer, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("says", sa.Text, nullable=False),
    sa.Column("reversible", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),  # how often `do` was begun; above 0 the step is ours
    sa.Column("begun_at", sa.Double),
    sa.Column("finished_at", sa.Double),
    sa.Column("trouble", sa.JSON(none_as_null=True)),  # {"what", "now", "kind"}
)
