"""What people are told of the runs that schedules ask for: what waits for them, what went wrong, that it is well again.

The rest is in the rows alone. A message that was wanted once goes on showing its run, so trouble in the middle of a
run shows all of it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.ports import Place
from bot.core.view import State, StepState
from bot.engine import messages, outbox
from bot.engine.schedules import schedule
from bot.engine.tables import run, run_step
from bot.engine.workshop import Workshop

BY = "schedule:"  # how the asker of such a run begins
NEEDED = (run.c.id, run.c.revision, run.c.channel, run.c.thread, run.c.source, run.c.asker, run.c.state, run.c.standing)
DECIDED = (State.DENIED, State.CANCELLED)  # somebody saw to it: neither trouble nor the end of it


def hushed(conn: sa.Connection, shop: Workshop, row: Any) -> bool:
    """Is there nothing to show (yet) of this run? `row` has the columns NEEDED."""
    if row.source != "schedule" or messages.has_head(conn, row.id):
        return False
    wanted = shop.settings.schedules.get(row.asker.removeprefix(BY))
    if row.state == State.ASKED or wanted is None or wanted.tell == "trouble":
        return _nothing_to_say(conn, row)
    return False


def _nothing_to_say(conn: sa.Connection, row: Any) -> bool:
    """Nobody waits for the planning of a schedule, and nobody reads that all went well. A plan without a standing
    approval waits for somebody, and so does what a report offers."""
    if row.state == State.PROPOSED:
        return row.standing is not None  # it is approved in the same transaction
    if row.state == State.APPROVED:
        return not _holds(conn, row.id, run.c.plan, "warnings", "then")
    if row.state == State.APPLYING:
        return not _failed(conn, row.id)
    if row.state == State.DONE:
        return not _holds(conn, row.id, run.c.report, "warnings", "offers", "again")
    if row.state == State.ANSWERED:
        return _holds(conn, row.id, run.c.answer, "quiet")
    return bool(row.state == State.ASKED)


def _holds(conn: sa.Connection, id: str, column: sa.ColumnElement[Any], *names: str) -> bool:
    document = conn.execute(sa.select(column).where(run.c.id == id)).scalar() or {}
    return any(document.get(name) for name in names)


def _failed(conn: sa.Connection, id: str) -> bool:
    bad = sa.select(run_step.c.run).where(
        run_step.c.run == id, run_step.c.state.in_([StepState.FAILED, StepState.UNDO_FAILED])
    )
    return conn.execute(bad.limit(1)).first() is not None


def ended(conn: sa.Connection, shop: Workshop, row: Any) -> None:
    """Remember a run of a schedule that ended with trouble, and tell once when a later one ends without. `row` is the
    whole one, which is shown already if it is to be shown."""
    if row.source != "schedule" or row.state in DECIDED:
        return
    name = row.asker.removeprefix(BY)
    mine = schedule.c.name == name
    if not _well(row):
        conn.execute(schedule.update().where(mine).values(trouble=row.id))
        return
    before = conn.execute(sa.select(schedule.c.trouble).where(mine)).scalar()
    same = schedule.update().where(mine, schedule.c.trouble == before)
    if before and conn.execute(same.values(trouble=None)).rowcount == 1 and not messages.has_head(conn, row.id):
        _well_again(conn, shop, row, f"{name} is well again: /{row.command} had no trouble ({row.id}) after {before}.")


def _well(row: Any) -> bool:
    if row.state == State.ANSWERED:
        return bool(row.answer.get("quiet"))
    warned = (row.plan or {}).get("warnings") or (row.report or {}).get("warnings")
    return bool(row.state == State.DONE and not warned)


def _well_again(conn: sa.Connection, shop: Workshop, row: Any, told: str) -> None:
    if row.channel:
        at = Place(channel=row.channel, thread=row.thread)
        outbox.note(conn, run=row.id, name="well", text=f"✅ The schedule {told}", mention=(), due=shop.clock(), at=at)
