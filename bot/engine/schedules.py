"""Schedules as rows: what is due, and who of several replicas may fire it.

Ticks are the multiples of the interval since the epoch, so a daily schedule ticks at midnight UTC whenever the bot
was started, and a store that was lost forgets no weekly tick. Each tick is delayed by a jitter that follows from
the schedule's name and the tick alone, so that every replica works out the same time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from bot.core.desk import ScheduleView
from bot.core.errors import Refused
from bot.core.value import Value, canonical, sha256
from bot.engine import standing
from bot.engine.store import metadata
from bot.engine.upsert import insert
from bot.settings import Schedule, Standing

LATE = 60.0  # seconds that a tick may be late at start and still count as due, not as missed

schedule = sa.Table(
    "schedule",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("command", sa.Text, nullable=False),
    sa.Column("ask", sa.Text, nullable=False),  # canonical JSON
    sa.Column("channel", sa.Text),
    sa.Column("every", sa.Double, nullable=False),  # seconds
    sa.Column("jitter", sa.Double, nullable=False),  # seconds
    sa.Column("tick", sa.Double, nullable=False),  # the time it stands for
    sa.Column("next_at", sa.Double, nullable=False, index=True),  # the time it fires: tick and jitter
    sa.Column("last_at", sa.Double),
    sa.Column("last_run", sa.Text),
    sa.Column("early_at", sa.Double),  # when it last fired between its ticks
    sa.Column("early_for", sa.Text),  # SHA-256 of the names of the credentials that this was for
    sa.Column("trouble", sa.Text),  # the last run that was posted and ended with trouble; null once one ended without
)


class Due(Value):
    """A schedule whose time has come. `tick` (seconds since the epoch) names the occasion: one request per tick."""

    name: str
    command: str
    ask: dict[str, Any]
    channel: str | None
    every: float
    jitter: float
    tick: float
    next_at: float

    @property
    def key(self) -> str:
        """The key of the tick's request, the same whoever makes it."""
        return f"schedule-{self.name}-{self.tick:.3f}"


def sync(conn: sa.Connection, schedules: Mapping[str, Schedule], now: float) -> None:
    """Make the rows follow the settings. A schedule with the same interval keeps its next time; one that was missed
    while no bot ran fires now if it catches up, and else waits for the next tick."""
    rows = {row.name: row for row in conn.execute(sa.select(schedule))}
    for name in rows.keys() - schedules.keys():
        conn.execute(schedule.delete().where(schedule.c.name == name))
    for name, wanted in schedules.items():
        _follow(conn, name, wanted, rows.get(name), now)


def due(conn: sa.Connection, now: float) -> tuple[Due, ...]:
    """What should fire by `now`, the longest overdue first."""
    rows = conn.execute(sa.select(schedule).where(schedule.c.next_at <= now).order_by(schedule.c.next_at))
    return tuple(_due(row) for row in rows)


def fire(conn: sa.Connection, due: Due, now: float, *, run: str | None = None) -> bool:
    """Take this tick and set the next one after `now`. True for exactly one caller, who then makes the request in
    the same transaction; `run` is that request's run. Ticks that passed meanwhile are not made up for."""
    tick, next_at = _after(due.name, due.every, due.jitter, max(now, due.tick))
    taken = conn.execute(
        schedule.update()
        .where(schedule.c.name == due.name, schedule.c.tick == due.tick, schedule.c.next_at == due.next_at)
        .values(tick=tick, next_at=next_at, last_at=now, last_run=run)
    )
    return taken.rowcount == 1


def views(conn: sa.Connection, standings: Mapping[str, Standing], now: float) -> tuple[ScheduleView, ...]:
    """All schedules by name, with the standing approval that covers each now."""
    return tuple(_view(row, standings, now) for row in conn.execute(sa.select(schedule).order_by(schedule.c.name)))


def _follow(conn: sa.Connection, name: str, wanted: Schedule, row: Any, now: float) -> None:
    values: dict[str, Any] = {
        "command": wanted.command,
        "ask": _json(name, wanted.ask),
        "channel": wanted.channel,
        "every": wanted.every_minutes * 60,
        "jitter": wanted.jitter_minutes * 60,
    }
    values["tick"], values["next_at"] = _next(name, values, wanted.catch_up, row, now)
    if row is None:  # another replica may be starting too
        row_of_mine = insert(conn, schedule).values(name=name, **values)
        conn.execute(row_of_mine.on_conflict_do_nothing(index_elements=["name"]))
        return
    same = (schedule.c.name == name, schedule.c.next_at == row.next_at)  # else it has fired meanwhile: keep that
    if any(value != row._mapping[column] for column, value in values.items()):
        conn.execute(schedule.update().where(*same).values(**values))


def _json(name: str, ask: dict[str, Any]) -> str:
    try:
        return canonical(ask).decode()
    except (TypeError, ValueError):
        what = f"schedules.{name}.ask holds a value that is not text, a number, true or false."
        raise Refused(what, "Put it in quotes.") from None


def _next(name: str, values: dict[str, Any], catch_up: bool, row: Any, now: float) -> tuple[float, float]:
    if row is None or (row.every, row.jitter) != (values["every"], values["jitter"]):
        return _after(name, values["every"], values["jitter"], now)
    if row.next_at < now - LATE and not catch_up:
        return _after(name, row.every, row.jitter, now)
    return row.tick, row.next_at


def _after(name: str, every: float, jitter: float, moment: float) -> tuple[float, float]:
    """The first tick after a moment, and when it fires: within the jitter, and before the tick after it."""
    count = moment // every + 1
    tick = count * every if count * every > moment else (count + 1) * every
    share = int(sha256([name, tick])[:8], 16) / 2**32
    return tick, tick + share * min(jitter, every)


def _due(row: Any) -> Due:
    known = {column: row._mapping[column] for column in Due.model_fields if column != "ask"}
    return Due(ask=json.loads(row.ask), **known)


def _view(row: Any, standings: Mapping[str, Standing], now: float) -> ScheduleView:
    ask = json.loads(row.ask)
    return ScheduleView(
        name=row.name, command=row.command, text=" ".join(_typed(name, value) for name, value in ask.items()),
        every=row.every, next_at=row.next_at, last_at=row.last_at, last_run=row.last_run, trouble=row.trouble,
        standing=standing.covering(standings, row.command, ask, now),
    )  # fmt: skip


def _typed(name: str, value: Any) -> str:
    """A parameter as a person would type it."""
    if isinstance(value, list):
        value = ",".join(map(str, value))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f'{name}="{text}"' if " " in text else f"{name}={text}"
