"""Slack messages as rows: where each is, what it should show, what it shows, and who is sending it just now.

A sender claims a row for a while (its lease) by counting up `turn`; whoever comes back later finds its turn gone and
its result is not taken. `attempting` is set before a post and cleared with its outcome: a row that still has it may
be in Slack without our knowing where, and is looked for before it is posted again.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa

from bot.engine.store import metadata
from bot.engine.upsert import insert

HEAD = "head"  # the slot of the own message of a run or an incident; the others are in its thread
CHART = "chart"  # the slot of its pictures
APART = 1.0  # seconds between two posts in one channel (Slack's limit, for all replicas together)

message = sa.Table(
    "message",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),  # or an incident
    sa.Column("slot", sa.Text, nullable=False),
    sa.Column("channel", sa.Text),  # null: place and thread are those of the head
    sa.Column("thread", sa.Text),
    sa.Column("ts", sa.Text),
    sa.Column("note", sa.JSON(none_as_null=True)),  # {"text", "mention", "lines"}, or a chart
    sa.Column("wanted", sa.Integer, nullable=False),  # the revision it should show at least
    sa.Column("shown", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", sa.Double, index=True),  # null: it shows what it should
    sa.Column("sent_at", sa.Double),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),  # failed in a row
    sa.Column("attempting", sa.Double),  # since when a post has an unknown outcome
    sa.Column("turn", sa.Integer, nullable=False, server_default="0"),
    sa.Column("leased_until", sa.Double, nullable=False, server_default="0"),
    sa.Column("trouble", sa.JSON(none_as_null=True)),  # {"what", "now"}
    sa.UniqueConstraint("run", "slot", name="message_once"),
)

message_pace = sa.Table(
    "message_pace",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("method", sa.Text, primary_key=True),  # "post" | "find" | "update"
    sa.Column("free_at", sa.Double, nullable=False),  # not before
)

_head = message.alias("head_of_run")


def queue(conn: sa.Connection, limit: int, settle: float) -> list[Any]:
    """What waits to be sent, soonest first: rows of `message` with `place_channel`, `place_thread`, `method` and
    `ready_at`. An unknown outcome is looked into `settle` seconds after the attempt, when Slack has surely decided.
    Notes whose head is not posted yet do not wait, they are not there."""
    return list(conn.execute(_queue(conn.dialect.name), {"settle": settle, "most": limit}))


@cache
def _queue(dialect: str) -> sa.Select[Any]:
    """Made once: it is asked each second."""
    method = sa.case((message.c.ts.is_not(None), "update"), (message.c.attempting.is_not(None), "find"), else_="post")
    channel = sa.func.coalesce(message.c.channel, _head.c.channel)
    settled = message.c.attempting + sa.bindparam("settle", type_=sa.Double)
    known = sa.case((method == "find", settled), else_=message.c.due_at)
    free = sa.func.coalesce(message_pace.c.free_at, 0.0)
    ready = _latest(dialect, message.c.due_at, message.c.leased_until, free, known)
    thread = sa.case(
        (message.c.channel.is_not(None), message.c.thread), else_=sa.func.coalesce(_head.c.thread, _head.c.ts)
    )
    labels = {"place_channel": channel, "place_thread": thread, "method": method, "ready_at": ready}
    return (
        sa.select(message, *(column.label(name) for name, column in labels.items()))
        .outerjoin(_head, sa.and_(_head.c.run == message.c.run, _head.c.slot == HEAD))
        .outerjoin(message_pace, sa.and_(message_pace.c.channel == channel, message_pace.c.method == method))
        .where(message.c.due_at.is_not(None), sa.or_(message.c.channel.is_not(None), _head.c.ts.is_not(None)))
        .order_by("ready_at", message.c.id)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )


def _latest(dialect: str, *times: Any) -> Any:
    """The greatest of several times."""
    return sa.func.greatest(*times) if dialect == "postgresql" else sa.func.max(*times)


def has_head(conn: sa.Connection, run: str) -> bool:
    """Is there a message of the run's own, posted or to be posted?"""
    head = sa.select(message.c.id).where(message.c.run == run, message.c.slot == HEAD)
    return conn.execute(head).first() is not None


def claim(conn: sa.Connection, row: Any, now: float, lease: float) -> int | None:
    """Take a row of the queue for `lease` seconds; the turn, or None if another sender has it. A row to be posted is
    marked as being attempted."""
    values: dict[str, Any] = {"turn": row.turn + 1, "leased_until": now + lease}
    if row.method == "post":
        values["attempting"] = now
    return row.turn + 1 if _write(conn, row.id, row.turn, values) else None


def settle(conn: sa.Connection, id: int, turn: int, **values: Any) -> bool:
    """Write the outcome of a turn and give the row back. False when another sender has taken the row meanwhile."""
    return _write(conn, id, turn, {"turn": turn + 1, "leased_until": 0.0, **values})


def _write(conn: sa.Connection, id: int, turn: int, values: dict[str, Any]) -> bool:
    mine = message.update().where(message.c.id == id, message.c.turn == turn)
    return conn.execute(mine.values(**values)).rowcount == 1


def shows(revision: int) -> dict[str, Any]:
    """The values of a row that now shows a revision: due again only if more is wanted."""
    still = sa.case((message.c.wanted > revision, message.c.due_at), else_=sa.null())
    return {"shown": revision, "due_at": still, "attempts": 0, "attempting": None, "trouble": None}


def doubt(conn: sa.Connection, id: int, at: float) -> None:
    """An update came after its lease, or may yet come: what the message shows is not known, so it is to be shown again,
    then or earlier."""
    due = sa.case((message.c.due_at < at, message.c.due_at), else_=at)
    conn.execute(message.update().where(message.c.id == id).values(shown=0, due_at=due))


def unlease(conn: sa.Connection) -> None:
    """Give back what a sender that is gone had claimed; only where there can be no other sender (SQLite)."""
    conn.execute(message.update().where(message.c.leased_until > 0).values(leased_until=0.0, turn=message.c.turn + 1))


def take_slot(conn: sa.Connection, channel: str, method: str, now: float, apart: float) -> bool:
    """May something be sent to the channel now? If so, nothing else may for `apart` seconds."""
    wanted = insert(conn, message_pace).values(channel=channel, method=method, free_at=now + apart)
    taken = wanted.on_conflict_do_update(
        index_elements=["channel", "method"],
        set_={"free_at": wanted.excluded.free_at},
        where=message_pace.c.free_at <= now,
    )
    return conn.execute(taken.returning(message_pace.c.channel)).first() is not None


def hold_back(conn: sa.Connection, channel: str, method: str, until: float) -> None:
    """Send nothing by this method to the channel before then."""
    wanted = insert(conn, message_pace).values(channel=channel, method=method, free_at=until)
    later = _latest(conn.dialect.name, message_pace.c.free_at, wanted.excluded.free_at)
    conn.execute(wanted.on_conflict_do_update(index_elements=["channel", "method"], set_={"free_at": later}))


def forget_shown(conn: sa.Connection, owner: str, before: float) -> None:
    """Remove the rows of messages that show what they should since then; `owner`: how their `run` begins."""
    shown = message.c.run.startswith(owner, autoescape=True), message.c.due_at.is_(None), message.c.sent_at < before
    conn.execute(message.delete().where(*shown))
