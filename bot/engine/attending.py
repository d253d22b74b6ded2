"""What people do to an incident: take it on, tick a step of its runbook, have it looked at, close it. The same action
again (by its key) has the same outcome and no effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from bot.core.incident import IncidentState
from bot.core.intake import Outcome
from bot.engine import audit, incidents, watching
from bot.engine.matching import visible
from bot.engine.runs import hashed
from bot.engine.tables import incident, incident_action, incident_tick
from bot.engine.upsert import insert
from bot.engine.workshop import Workshop

STEP_LIMIT = 200  # characters of a step's name that are kept
Action = Literal["take", "tick", "look", "close"]


@dataclass(frozen=True)
class Press:
    """A button that somebody pressed. `step`: the name of the step that is ticked."""

    key: str
    incident: str
    user: str
    action: Action
    step: str = ""


def act(conn: sa.Connection, shop: Workshop, press: Press) -> Outcome:
    """Do it, unless it was done already. IntegrityError when another transaction does the same: call it again."""
    row = incidents.lock(conn, incident.c.id == press.incident)
    if row is None:
        return _refused(conn, shop, press, "There is no such incident here (any more).")
    key = hashed(press.key)
    done = conn.execute(sa.select(incident_action).where(incident_action.c.key == key)).first()
    if done is not None:
        return Outcome(accepted=done.accepted, told=done.told, run=done.incident)
    accepted, told = _done(conn, shop, row, press)
    conn.execute(
        incident_action.insert().values(
            key=key, incident=press.incident, user=press.user, action=press.action,
            step=visible(press.step, STEP_LIMIT), at=shop.clock(), accepted=accepted, told=told,
        )
    )  # fmt: skip
    if not accepted:
        return _refused(conn, shop, press, told)
    return Outcome(accepted=True, told=told, run=press.incident)


def _refused(conn: sa.Connection, shop: Workshop, press: Press, told: str) -> Outcome:
    facts = {"incident": press.incident, "action": press.action, "told": told}
    audit.append(conn, who=press.user, what="refused_action", run=None, facts=facts, at=shop.clock())
    return Outcome(accepted=False, told=told, run=press.incident)


def _done(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[bool, str]:
    """Was it done, and what to tell the person."""
    if press.action == "tick":
        return _tick(conn, shop, row, press)
    if row.state == IncidentState.CLOSED:
        return False, "This incident is closed."
    do = {"take": _take, "close": _close, "look": _look}
    return do[press.action](conn, shop, row, press)


def _take(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[bool, str]:
    if row.owner == press.user:
        return True, "You are on it already."
    incidents.change(conn, shop, row.id, {"owner": press.user})
    if row.owner:
        incidents.note(
            conn, shop, row.id, "taken", "Somebody else has taken this over; the message says who.", row.owner
        )
    _audit(conn, shop, press, "incident_taken", {"before": row.owner})
    return (
        True,
        "You have taken it over; who was on it is told." if row.owner else "You are on it; the message says so.",
    )


def _tick(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[bool, str]:
    found = incidents.diagnosis(row.diagnosis)
    if found is None or press.step not in {one.name for one in found.steps}:
        return False, "This step is not called for any more; look at the message as it is now."
    new = insert(conn, incident_tick).values(incident=row.id, step=press.step, user=press.user, at=shop.clock())
    once = new.on_conflict_do_nothing(index_elements=["incident", "step"]).returning(incident_tick.c.step)
    if conn.execute(once).first() is None:
        return True, "It was ticked already."
    incidents.change(conn, shop, row.id, {})
    _audit(conn, shop, press, "step_ticked", {"step": press.step})
    return True, "Ticked."


def _look(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[bool, str]:
    if not watching.put(conn, shop, row.id):
        return True, "A look is under way already."
    _audit(conn, shop, press, "look_asked", {})
    return True, "Looking; the message changes in a few seconds."


def _close(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[bool, str]:
    watching.close(conn, shop, row.id, who=press.user, text=f"Closed by hand. {watching.told(row)}")
    return True, "Closed."


def _audit(conn: sa.Connection, shop: Workshop, press: Press, what: str, facts: dict[str, Any]) -> None:
    audit.append(conn, who=press.user, what=what, run=press.incident, facts=facts, at=shop.clock())
