"""Firing a schedule between its ticks, because a credential would not last until the next one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from bot.core.intake import Request
from bot.core.inventory import Credential
from bot.core.value import sha256
from bot.core.view import OPEN, State
from bot.engine import audit, runs
from bot.engine.schedules import schedule
from bot.engine.tables import run
from bot.engine.workshop import Workshop

AHEAD = 900.0  # seconds before its end at which a credential should have a successor
SHOWN = 10  # names of credentials in the audit
AT_WORK = (State.ASKED, State.APPROVED, State.APPLYING)  # a run that waits for no person
APART = 3600.0  # seconds between two early firings of one schedule, and so between tries that fail


def fire(conn: sa.Connection, shop: Workshop, command: str, found: Iterable[Credential]) -> frozenset[str]:
    """Ask at once for what the command's schedules that catch up would ask for too late. Their ticks stay. Gives the
    names of the credentials that are in hand: asked for now, by a tick that is due, or by a run that is at work."""
    credentials, in_hand = tuple(found), set[str]()
    query = sa.select(schedule).where(schedule.c.command == command)
    for row in conn.execute(query.order_by(schedule.c.name)).all():
        wanted = shop.settings.schedules.get(row.name)
        names = sorted(one.name for one in credentials if cannot_wait(one, row.next_at, shop.clock()))
        if names and wanted is not None and wanted.catch_up and command in shop.handlers:
            in_hand |= set(names) if _in_hand(conn, shop, row, names) else set()
    return frozenset(in_hand)


def _in_hand(conn: sa.Connection, shop: Workshop, row: Any, names: list[str]) -> bool:
    if row.next_at <= shop.clock() or _last(conn, row) in AT_WORK:
        return True
    return _fire(conn, shop, row, names)


def cannot_wait(one: Credential, next_at: float, now: float) -> bool:
    """Is it to be renewed before the schedule's next time? One that its handler calls fresh waits until it is due (or
    close to its end): asked earlier, the handler would find nothing to do."""
    if one.state in ("expired", "missing"):
        return True
    if one.expires_at is None or one.expires_at - AHEAD >= next_at:
        return False
    return one.state == "due" or one.expires_at - APART <= now


def _fire(conn: sa.Connection, shop: Workshop, row: Any, names: list[str]) -> bool:
    """Through a compare-and-set of the schedule's row, so once over all replicas."""
    now, wanted_for = shop.clock(), sha256(names)
    if not _may(conn, row, wanted_for, now):
        return False
    same = (
        schedule.c.name == row.name,
        schedule.c.next_at == row.next_at,
        schedule.c.early_at.is_not_distinct_from(row.early_at),
    )
    if conn.execute(schedule.update().where(*same).values(early_at=now, early_for=wanted_for)).rowcount != 1:
        return False
    request = Request(key=f"schedule-{row.name}-early-{now:.3f}", command=row.command, ask=json.loads(row.ask),
                      asker=f"schedule:{row.name}", source="schedule", channel=row.channel)  # fmt: skip
    new = runs.insert(conn, shop, request)
    conn.execute(schedule.update().where(schedule.c.name == row.name).values(last_at=now, last_run=new))
    facts = {"schedule": row.name, "count": len(names), "for": names[:SHOWN]}
    audit.append(conn, who=f"schedule:{row.name}", what="fired_early", run=new, facts=facts, at=now)
    return True


def _may(conn: sa.Connection, row: Any, wanted_for: str, now: float) -> bool:
    """Not while its last run is under way, not twice in an hour, and not again for the same credentials when the last
    early run found nothing to do: then the schedule does not look after these."""
    if row.early_at is not None and now < row.early_at + APART:
        return False
    last = _last(conn, row)
    in_vain = last == State.ANSWERED and row.last_at == row.early_at and row.early_for == wanted_for
    return last not in OPEN and not in_vain


def _last(conn: sa.Connection, row: Any) -> State | None:
    """The state of the schedule's last run."""
    return conn.execute(sa.select(run.c.state).where(run.c.id == row.last_run)).scalar() if row.last_run else None
