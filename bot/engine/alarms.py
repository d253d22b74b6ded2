"""What people are told of credentials without asking: once when an alarm is new or another one, once when it is over.

What they were told last is a row; it changes in the transaction that stores a look, with the message that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from bot.core.inventory import Credential
from bot.core.ports import Place
from bot.engine import audit, outbox
from bot.engine.tables import alarm
from bot.engine.workshop import Workshop

LINES = 10  # in one message; the rest is counted
STILL = ("unknown", "degraded")  # without a word of alarm these say neither that it is over nor that it is new
OWNER = "alarm-"  # how the messages are owned, with the command's name after it


class News(NamedTuple):
    """What has changed since people were told last."""

    new: tuple[Credential, ...]
    over: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """One for each, what is new first."""
        said = [f"🔔 {_said(one)}" for one in self.new]
        return (*said, *(f"✅ {name}: over" for name in self.over))


def _said(one: Credential) -> str:
    """Its name before what is told of it, where that does not begin with it anyway."""
    told = one.told or one.alarm
    return told if told.startswith(f"{one.name} ") else f"{one.name}: {told}"


def news(told: Mapping[str, str], found: Iterable[Credential], in_hand: Collection[str] = ()) -> News:
    """`told`: name -> the alarm that people know of. `in_hand`: names that a schedule has just begun to renew; somebody
    is needed only if the next look still finds them so. What is not there any more is nothing to be alarmed of; what
    could not be read, or is not well in another way, is not over."""
    seen = [one for one in found if one.alarm or one.state in STILL]
    open_ = {one.name for one in seen}
    ringing = sorted((one.name, one) for one in seen if one.alarm and one.name not in in_hand)
    new = tuple(one for name, one in ringing if told.get(name) != one.alarm)
    return News(new, tuple(sorted(name for name in told if name not in open_)))


def tell(  # noqa: PLR0917  # a look, and what has come of it already
    conn: sa.Connection, shop: Workshop, command: str, turn: int, found: Iterable[Credential],
    in_hand: Collection[str] = (),
) -> None:  # fmt: skip
    """One message about all that has changed with this look, the command's `turn`-th; none if nothing has."""
    rows = conn.execute(sa.select(alarm).where(alarm.c.command == command))
    change = news({row.name: row.word for row in rows}, found, in_hand)
    if not change.new and not change.over:
        return
    gone = [*change.over, *(one.name for one in change.new)]
    conn.execute(alarm.delete().where(alarm.c.command == command, alarm.c.name.in_(gone)))
    for one in change.new:
        conn.execute(alarm.insert().values(command=command, name=one.name, word=one.alarm))
    facts = {"command": command, "new": len(change.new), "over": len(change.over)}
    audit.append(conn, who="bot", what="alarms_told", run=None, facts=facts, at=shop.clock())
    _post(conn, shop, command, turn, change)


def forget(conn: sa.Connection, commands: Iterable[str]) -> None:
    """Only these commands look after anything now."""
    conn.execute(alarm.delete().where(alarm.c.command.not_in(list(commands))))


def _post(conn: sa.Connection, shop: Workshop, command: str, turn: int, change: News) -> None:
    wanted = shop.settings.inventory
    channel = wanted.channel or shop.settings.slack.channel
    if channel is None:
        return
    group = shop.settings.groups.get(wanted.mention or "") if change.new else None
    mention = (*group.slack_groups, *group.users) if group else ()
    outbox.note(conn, run=f"{OWNER}{command}", name=f"{turn}", text=_head(command, change), mention=mention,
                due=shop.clock(), at=Place(channel=channel), lines=_fitting(command, change))  # fmt: skip


def _head(command: str, change: News) -> str:
    new, over = len(change.new), len(change.over)
    parts = [
        f"{new} {'needs' if new == 1 else 'need'} somebody" if new else "",
        f"{over} {'is' if over == 1 else 'are'} well again" if over else "",
    ]
    return f"Credentials of /{command}: {', '.join(filter(None, parts))}."


def _fitting(command: str, change: News) -> tuple[str, ...]:
    lines = change.lines()
    more = len(lines) - LINES
    return lines if more <= 0 else (*lines[:LINES], f"… and {more} more: /hivekeeper inventory {command}")
