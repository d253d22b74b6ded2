"""What people are told of the runs that schedules ask for: what waits for them, what went wrong, that it is well again.

The rest is in the rows alone. A message that was wanted once goes on showing its run, so trouble in the middle of a
run shows all of it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.ports import Place
from bot.core.view import OPEN, State, StepState
from bot.engine import messages, outbox
from bot.engine.schedules import schedule
from bot.engine.tables import run, run_step
from bot.engine.workshop import Workshop

BY = "schedule:"  # how the asker of such a run begins
NEEDED = (run.c.id, run.c.revision, run.c.channel, run.c.thread, run.c.source, run.c.asker, run.c.state, run.c.standing)
DECIDED = (State.DENIED, State.CANCELLED)  # somebody saw to it: neither trouble nor the end of it
DAY = 86400.0  # seconds for which people know the warnings and failed steps of a run that was posted


def hushed(conn: sa.Connection, shop: Workshop, row: Any) -> bool:
    """Is there nothing to show (yet) of this run? `row` has the columns NEEDED."""
    if row.source != "schedule" or messages.has_head(conn, row.id):
        return False
    wanted = shop.settings.schedules.get(_name(row))
    if row.state == State.ASKED or wanted is None or wanted.tell == "trouble":
        return _nothing_to_say(conn, shop, row)
    return False


def _name(row: Any) -> str:
    return str(row.asker.removeprefix(BY))


def _nothing_to_say(conn: sa.Connection, shop: Workshop, row: Any) -> bool:
    """Nobody waits for the planning of a schedule, and nobody reads that all went well. A plan without a standing
    approval waits for somebody, and so does what a report offers."""
    if row.state == State.PROPOSED:
        return row.standing is not None  # it is approved in the same transaction
    if row.state == State.APPROVED:
        return _known(conn, shop, row, run.c.plan, "then")
    if row.state in (State.APPLYING, State.PARTLY):  # what it offers is offered by the one that people know
        told = row.state == State.APPLYING or _known(conn, shop, row, run.c.report)  # the report is judged at the end
        return told and _failed_before(conn, shop, row)
    if row.state == State.DONE:
        return _known(conn, shop, row, run.c.report, "offers", "again")
    if row.state == State.ANSWERED:
        return bool(_document(conn, row.id, run.c.answer).get("quiet"))
    return bool(row.state == State.ASKED)


def _known(conn: sa.Connection, shop: Workshop, row: Any, column: sa.ColumnElement[Any], *names: str) -> bool:
    """Has the plan or report nothing under these names, and no warning that people were not told within a day?"""
    document = _document(conn, row.id, column)
    said = frozenset(document.get("warnings") or ())
    return not any(document.get(name) for name in names) and (not said or said <= _told(conn, shop, row))


def _document(conn: sa.Connection, id: str, column: sa.ColumnElement[Any]) -> dict[str, Any]:
    return conn.execute(sa.select(column).where(run.c.id == id)).scalar() or {}


def _told(conn: sa.Connection, shop: Workshop, row: Any) -> frozenset[str]:
    """The warnings of the run that was posted last, if it had no trouble that was worse than a step that failed."""
    last = _last_told(conn, shop, row)
    return frozenset(_warnings(last)) if last else frozenset()


def _last_told(conn: sa.Connection, shop: Workshop, row: Any) -> Any:
    last = sa.select(run.c.id, run.c.plan, run.c.report).join(schedule, schedule.c.trouble == run.c.id)
    lately, ended = run.c.asked_at > shop.clock() - DAY, run.c.state.in_([State.DONE, State.PARTLY])
    return conn.execute(last.where(schedule.c.name == _name(row), ended, lately)).first()


def _warnings(row: Any) -> tuple[str, ...]:
    return tuple(said for document in (row.plan, row.report) for said in (document or {}).get("warnings") or ())


def _failed_before(conn: sa.Connection, shop: Workshop, row: Any) -> bool:
    """Did nothing fail but what failed for the same reason in the run that was posted last?"""
    if not (failed := _failures(conn, row.id)):
        return True
    last = _last_told(conn, shop, row)
    return last is not None and failed <= _failures(conn, last.id)


def _failures(conn: sa.Connection, id: str) -> frozenset[tuple[str, str]]:
    """What the failed steps say, and why they failed."""
    bad = run_step.c.state.in_([StepState.FAILED, StepState.UNDO_FAILED])
    rows = conn.execute(sa.select(run_step.c.says, run_step.c.trouble).where(run_step.c.run == id, bad))
    return frozenset((row.says, (row.trouble or {}).get("what", "")) for row in rows)


def unfinished(conn: sa.Connection, name: str) -> str | None:
    """The last run of the schedule, if it has not ended."""
    last = sa.select(run.c.id).join(schedule, schedule.c.last_run == run.c.id)
    return conn.execute(last.where(schedule.c.name == name, run.c.state.in_(list(OPEN)))).scalar()


def ended(conn: sa.Connection, shop: Workshop, row: Any) -> None:
    """Remember a run of a schedule that ended with trouble and is posted, and tell once when a later one ends without.
    `row` is the whole one, which is shown already if it is to be shown."""
    if row.source != "schedule" or row.state in DECIDED:
        return
    mine, shown = schedule.c.name == _name(row), messages.has_head(conn, row.id)
    if not _well(row):
        if shown:
            conn.execute(schedule.update().where(mine).values(trouble=row.id))
        return
    before = conn.execute(sa.select(schedule.c.trouble).where(mine)).scalar()
    same = schedule.update().where(mine, schedule.c.trouble == before)
    if before and conn.execute(same.values(trouble=None)).rowcount == 1 and not shown:
        _well_again(conn, shop, row, before)


def _well(row: Any) -> bool:
    if row.state == State.ANSWERED:
        return bool(row.answer.get("quiet"))
    return bool(row.state == State.DONE and not _warnings(row))


def _well_again(conn: sa.Connection, shop: Workshop, row: Any, before: str) -> None:
    if row.channel:
        text = f"✅ The schedule {_name(row)} is well again: /{row.command} had no trouble ({row.id}) after {before}."
        at = Place(channel=row.channel, thread=row.thread)
        outbox.note(conn, run=row.id, name="well", text=text, mention=(), due=shop.clock(), at=at)
