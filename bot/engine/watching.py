"""How an incident is followed: the rules for its state and its next look, and what the ticker wakes.

open ──► quiet ──► closed        quiet: nothing fails any more, or all its alerts are resolved
  ▲ └─────│──► handed over       handed over: watched for the longest time; people go on
  └───────┘
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from bot.core.diagnosis import Diagnosis, Mood, Watching
from bot.core.incident import IncidentState
from bot.engine import audit, incidents
from bot.engine.store import reading, writing
from bot.engine.tables import incident
from bot.engine.workshop import Workshop

OPEN, QUIET, CLOSED, HANDED_OVER = (
    IncidentState.OPEN, IncidentState.QUIET, IncidentState.CLOSED, IncidentState.HANDED_OVER,
)  # fmt: skip
APART = 5.0  # seconds between two looks at one incident: what a storm of notices costs
BATCH = 200  # rows of one kind in one tick
LOST_AFTER = 60.0  # seconds that a look may wait before somebody sees whether it is still to come


def after_notice(state: IncidentState, *, news: bool, firing: int, resolved: int, mood: Mood | None) -> IncidentState:
    """The state once a notice is stored. `news`: it told of something that had not been told before."""
    if not firing and resolved and mood is not Mood.BAD:  # what a look has seen failing is not over
        return QUIET
    if state is HANDED_OVER:
        return state
    return OPEN if news else state


def after_look(state: IncidentState, *, firing: int, resolved: int, found: Diagnosis) -> IncidentState:
    """The state once a diagnosis is stored."""
    if found.over or (not firing and resolved and found.mood is not Mood.BAD):
        return QUIET
    return state if state is HANDED_OVER else OPEN


def deadlines(was: IncidentState, now_is: IncidentState, rule: Watching, now: float) -> dict[str, Any]:
    """The columns that go with a change of state."""
    if was is now_is:
        return {}
    close_in = {QUIET: rule.quiet, HANDED_OVER: rule.longest}.get(now_is)
    return {"state": now_is, "close_at": None if close_in is None else now + close_in}


def pause(rule: Watching, state: IncidentState, mood: Mood | None) -> float | None:
    """Seconds to the next look: sooner while it is bad or nobody knows; None when people go on."""
    if state in (HANDED_OVER, CLOSED):
        return None
    return rule.every if state is QUIET or mood in (Mood.GOOD, Mood.WATCH) else rule.every / 2


def next_look(row: Any, state: IncidentState, mood: Mood | None, rule: Watching, now: float) -> float | None:
    """When to look again, after a look. A wish that came during the look is kept, but not before its time."""
    regular = pause(rule, state, mood)
    wishes = [t for t in (row.next_look_at, None if regular is None else now + regular) if t is not None]
    return max(min(wishes), now + APART) if wishes else None


def put(conn: sa.Connection, shop: Workshop, id: str) -> bool:
    """Enqueue a look now, unless one is to come already."""
    idle = incident.c.id == id, incident.c.look_turn == incident.c.looked_turn, incident.c.state != CLOSED
    values = {"look_turn": incident.c.look_turn + 1, "look_put_at": shop.clock(), "next_look_at": None}
    turn = conn.execute(incident.update().where(*idle).values(**values).returning(incident.c.look_turn)).scalar()
    if turn is None:
        return False
    shop.queues.put(conn, "diagnose", id, subject=id, turn=turn)
    return True


# --- what the ticker wakes ----------------------------------------------------------------------------------


def tick(shop: Workshop) -> None:
    """Looks, closings and hand-overs that are due. Each is compare-and-set: several tickers do no harm."""
    watched = incident.c.state.in_([OPEN, QUIET, HANDED_OVER]), incident.c.looked_turn == incident.c.look_turn
    for row in _due(shop, incident.c.next_look_at, *watched):
        with writing(shop.store) as conn:
            put(conn, shop, row.id)
    for row in _due(shop, incident.c.close_at, incident.c.state.in_([QUIET, HANDED_OVER])):
        _close(shop, row)
    for row in _due(shop, incident.c.hand_over_at, incident.c.state == OPEN):
        _hand_over(shop, row)


def heal(shop: Workshop) -> None:
    """Looks that were enqueued long ago and will not come are enqueued anew."""
    for row in _due(shop, incident.c.look_put_at + LOST_AFTER, incident.c.look_turn > incident.c.looked_turn):
        if shop.queues.state("diagnose", row.id, row.look_turn) == "waiting":
            continue
        mine = incident.c.id == row.id, incident.c.looked_turn < row.look_turn
        with writing(shop.store) as conn:
            conn.execute(incident.update().where(*mine).values(looked_turn=row.look_turn, next_look_at=shop.clock()))


def _due(shop: Workshop, time: sa.ColumnElement[Any], *which: sa.ColumnElement[bool]) -> list[Any]:
    query = sa.select(incident).where(time <= shop.clock(), *which).order_by(time).limit(BATCH)
    with reading(shop.store) as conn:
        return list(conn.execute(query))


def _close(shop: Workshop, row: Any) -> None:
    """It stayed quiet, or in people's hands, for long enough."""
    state, rule = IncidentState(row.state), incidents.rule(shop, row.handler)
    why = (
        f"It has been quiet for {span(rule.quiet)}"
        if state is QUIET
        else "Nothing new came in since it was handed over"
    )
    with writing(shop.store) as conn:
        still = incident.c.close_at == row.close_at, incident.c.state == state
        close(conn, shop, row.id, *still, who="bot", text=f"{why}: closed. {told(row)}")
    shop.changed.set()


def close(conn: sa.Connection, shop: Workshop, id: str, *still: sa.ColumnElement[bool], who: str, text: str) -> bool:
    """Close the incident if it is open and `still` holds: its story is over."""
    now = shop.clock()
    values = {
        "state": CLOSED, "live": None, "closed_at": now, "closed_by": None if who == "bot" else who,
        "close_at": None, "next_look_at": None,
    }  # fmt: skip
    if not incidents.change(conn, shop, id, values, incident.c.state != CLOSED, *still):
        return False
    incidents.note(conn, shop, id, "closed", text, *([who] if who != "bot" else []))
    audit.append(conn, who=who, what="incident_closed", run=id, facts={"told": text}, at=now)
    return True


def _hand_over(shop: Workshop, row: Any) -> None:
    """The longest time has passed: say what is still so, and that nobody looks any more."""
    rule, now = incidents.rule(shop, row.handler), shop.clock()
    text = (
        f"This has been watched for {span(now - row.opened_at)} and is not over; the bot stops looking by itself. "
        f"{told(row)} Please go on by hand: Look again takes a fresh look, and the incident is closed when all its "
        f"alerts are resolved or when nothing new comes in for {span(rule.longest)}."
    )
    values = deadlines(OPEN, HANDED_OVER, rule, now) | {"next_look_at": None}
    with writing(shop.store) as conn:
        still = incident.c.state == OPEN, incident.c.hand_over_at == row.hand_over_at
        if incidents.change(conn, shop, row.id, values, *still):
            incidents.note(conn, shop, row.id, "handed over", text)
            audit.append(conn, who="bot", what="incident_handed_over", run=row.id, facts={"told": text}, at=now)
    shop.changed.set()


def told(row: Any) -> str:
    """What is known last, in a sentence or two."""
    found = incidents.diagnosis(row.diagnosis)
    last = f"Last seen: {found.title.rstrip('.')} ({found.mood})." if found else "It was never looked into."
    return f"{last} Alerts: {row.firing} firing, {row.resolved} resolved."


def span(seconds: float) -> str:
    """A length of time for people: 45 seconds, 30 minutes, 12 hours."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or seconds == size:
            number = round(seconds / size)
            return f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{round(seconds)} seconds"
