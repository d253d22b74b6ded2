"""The engine's own tables of runs, decisions and steps, of notices and incidents, of credentials, and of what handlers
remember. Times are seconds since the epoch, UTC."""

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
    sa.Column("incident", sa.Text, index=True),  # whose offer asked for it
    sa.Column("retry_of", sa.Text, index=True),  # the run that somebody wanted once more
    sa.Column("report", sa.JSON(none_as_null=True)),  # what the handler saw once it was applied
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
    sa.Column("progress", sa.Text, nullable=False, server_default=""),  # how far it is, while it runs
)

run_tick = sa.Table(
    "run_tick",
    metadata,
    sa.Column("run", sa.Text, sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)

run_action = sa.Table(
    "run_action",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # SHA-256 of the action's key
    sa.Column("run", sa.Text, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),  # "tick" | "untick" | "again" | "hand_in" | "sign_in"
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("accepted", sa.Boolean, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
    sa.Column("led_to", sa.Text),  # the run that came of it
)

sign_in = sa.Table(
    "sign_in",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # SHA-256 of the key of the press that began it
    sa.Column("run", sa.Text, sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),  # of what the run's answer wants
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("live", sa.Text, unique=True),  # run, name and user while it waits: no two at once; then null
    sa.Column("state", sa.Text, nullable=False),  # "waiting" | "done" | "denied" | "expired" | "failed"
    sa.Column("way", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("device", sa.Text),  # sealed; null once it has ended
    sa.Column("began_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("every", sa.Double, nullable=False),  # seconds between two questions
    sa.Column("next_poll_at", sa.Double, index=True),  # null once it has ended
    sa.Column("mark", sa.Text),  # fingerprint of what came of it, before that is put into Vault
    sa.Column("told", sa.Text, nullable=False, server_default=""),  # how it ended
)

notice = sa.Table(
    "notice",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # SHA-256 of the notice's key
    sa.Column("seen_at", sa.Double, nullable=False, index=True),  # last
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("incidents", sa.JSON, nullable=False),  # ids
    sa.Column("unhandled", sa.Integer, nullable=False),  # alerts that no handler answers
)

incident = sa.Table(
    "incident",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("handler", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("live", sa.Text, unique=True),  # handler and key until it is closed: no two at once; then null
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("opened_at", sa.Double, nullable=False),
    sa.Column("began", sa.Double, nullable=False),  # the earliest start of its alerts
    sa.Column("hand_over_at", sa.Double, nullable=False),
    sa.Column("close_at", sa.Double),  # if it stays as it is
    sa.Column("closed_at", sa.Double),
    sa.Column("closed_by", sa.Text),  # null: it was quiet for long enough
    sa.Column("looked_at", sa.Double),
    sa.Column("next_look_at", sa.Double),
    sa.Column("look_turn", sa.Integer, nullable=False, server_default="0"),  # the last look that was enqueued
    sa.Column("looked_turn", sa.Integer, nullable=False, server_default="0"),  # the last one that has ended
    sa.Column("look_put_at", sa.Double),
    sa.Column("firing", sa.Integer, nullable=False, server_default="0"),
    sa.Column("resolved", sa.Integer, nullable=False, server_default="0"),
    sa.Column("truncated", sa.Integer, nullable=False, server_default="0"),
    sa.Column("notices", sa.Integer, nullable=False, server_default="0"),
    sa.Column("text", sa.Text, nullable=False, server_default=""),
    sa.Column("channel", sa.Text),
    sa.Column("thread", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("diagnosis", sa.JSON(none_as_null=True)),
    sa.Column("trouble", sa.JSON(none_as_null=True)),  # {"what", "now", "kind"}
    sa.Column("charted_at", sa.Double),
    sa.Column("chart", sa.Text),  # SHA-256 of the data of the last one
    sa.Index("incident_looks", "state", "next_look_at"),
    sa.Index("incident_closes", "state", "close_at"),
    sa.Index("incident_hands_over", "state", "hand_over_at"),
    sa.Index("incident_history", "handler", "key", "closed_at"),
    sa.Index("incident_opened", "opened_at"),
)

incident_alert = sa.Table(
    "incident_alert",
    metadata,
    sa.Column("incident", sa.Text, sa.ForeignKey("incident.id"), primary_key=True),
    sa.Column("identity", sa.Text, primary_key=True),  # SHA-256 of the alert's, cut
    sa.Column("told", sa.Boolean, nullable=False),  # by a message in a channel, and not by a webhook
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),  # of what is known last: the start if firing, the end if resolved
    sa.Column("starts_at", sa.Double, nullable=False),
    sa.Column("alert", sa.JSON, nullable=False),
    sa.Index("incident_alert_counts", "incident", "told", "status"),
    sa.Index("incident_alert_newest", "incident", "at"),
)

incident_tick = sa.Table(
    "incident_tick",
    metadata,
    sa.Column("incident", sa.Text, sa.ForeignKey("incident.id"), primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)

incident_action = sa.Table(
    "incident_action",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # SHA-256 of the action's key
    sa.Column("incident", sa.Text, sa.ForeignKey("incident.id"), nullable=False, index=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("accepted", sa.Boolean, nullable=False),
    sa.Column("told", sa.Text, nullable=False),
)

inventory = sa.Table(
    "inventory",
    metadata,
    sa.Column("command", sa.Text, primary_key=True),  # of the handler that looks after credentials
    sa.Column("next_at", sa.Double),  # of its next look
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),  # the last look that was enqueued
    sa.Column("looked_turn", sa.Integer, nullable=False, server_default="0"),  # the last one that has ended
    sa.Column("put_at", sa.Double),
    sa.Column("tried_at", sa.Double),  # when the last look ended, well or not
    sa.Column("looked_at", sa.Double),  # when the last one ended well
    sa.Column("trouble", sa.Text, nullable=False, server_default=""),  # why the last look failed
)

holding = sa.Table(
    "holding",
    metadata,
    sa.Column("command", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("credential", sa.JSON, nullable=False),
    sa.Column("urgency", sa.Integer, nullable=False),  # 0 needs somebody first
    sa.Column("expires_at", sa.Double),
    sa.Column("looked_at", sa.Double, nullable=False),
    sa.Index("holding_urgent", "urgency", "expires_at"),
)

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("command", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),  # of a credential that people were told of
    sa.Column("word", sa.Text, nullable=False),  # what they were told last
)

record = sa.Table(
    "record",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # of this value among those of the key
    sa.Column("present", sa.Boolean),  # true for the last one; then null, so that no two are
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),  # when it was last confirmed
    sa.Column("begun_by", sa.Text, nullable=False),  # the run that put it first
    sa.Column("run", sa.Text, nullable=False),  # the one that put it last
    sa.Column("value", sa.Text, nullable=False),  # canonical JSON; the last column, since SQLite reads past large ones
    sa.UniqueConstraint("kind", "key", "present"),
)
