"""Asking once more for what a run was asked for. The same press again (by its key) has the same outcome and no effect;
two people who press for the same run get one new run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.core.intake import Outcome, Request
from bot.core.view import OPEN, State
from bot.engine import audit, runs
from bot.engine.matching import visible
from bot.engine.tables import run, run_action
from bot.engine.workshop import Workshop

AGAIN = frozenset(
    {State.PARTLY, State.STOPPED, State.UNDONE, State.REFUSED, State.EXPIRED, State.CANCELLED, State.DENIED}
)


@dataclass(frozen=True)
class Press:
    """Somebody wants what this run wanted. `barred`: why this person may not."""

    key: str
    run: str
    user: str
    barred: str = ""


def act(conn: sa.Connection, shop: Workshop, press: Press) -> Outcome:
    """Ask, unless it was done already. IntegrityError when another transaction does the same: call it again."""
    row = runs.lock(conn, press.run)
    if row is None:
        return _refused(conn, shop, press, "That run is not in the store (any more).")
    key = runs.hashed(press.key)
    known = conn.execute(sa.select(run_action).where(run_action.c.key == key)).first()
    if known is not None:
        return Outcome(accepted=known.accepted, told=known.told, run=known.led_to or known.run)
    told = _why_not(shop, row, press)
    new, said = (None, told) if told else _asked(conn, shop, row, press)
    conn.execute(
        run_action.insert().values(
            key=key, run=row.id, user=press.user, action="again", step="", at=shop.clock(), accepted=not told,
            told=said, led_to=new,
        )
    )  # fmt: skip
    return _refused(conn, shop, press, told) if told else Outcome(accepted=True, told=said, run=new or row.id)


def _refused(conn: sa.Connection, shop: Workshop, press: Press, told: str) -> Outcome:
    facts = {"run": visible(press.run, 64), "action": "again", "told": told}
    audit.append(conn, who=press.user, what="refused_action", run=None, facts=facts, at=shop.clock())
    return Outcome(accepted=False, told=told, run=press.run)


def _why_not(shop: Workshop, row: Any, press: Press) -> str:
    """Empty when there is nothing against it."""
    if press.barred:
        return press.barred
    if row.command not in shop.handlers:
        return f"There is no command /{row.command} here any more."
    if row.state in OPEN:
        return "This run has not ended yet; look at its message."
    if row.state == State.SUPERSEDED:
        return f"A newer plan stands in its place: {row.superseded_by}."
    if row.state not in AGAIN:
        return f"This run ended well, so there is nothing to try again. Type /{row.command} to ask anew."
    return ""


def _asked(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[str, str]:
    """The new run, or the one that is under way already, and what to tell the person."""
    retries = sa.select(run.c.id).where(run.c.retry_of == row.id, run.c.state.in_(list(OPEN)))
    known = conn.execute(retries.order_by(run.c.asked_at.desc()).limit(1)).scalar()
    if known:
        return str(known), f"It was asked for again already: {known} is under way."
    again = Request(key=f"again-{press.key}", command=row.command, ask=_left(row), text=row.text, asker=press.user,
                    source="retry", channel=row.channel, thread=row.thread, incident=row.incident)  # fmt: skip
    new = runs.insert(conn, shop, again, retry_of=row.id)
    audit.append(conn, who=press.user, what="asked_again", run=row.id, facts={"by": new}, at=shop.clock())
    return new, f"Asked again as {new}; its plan is on the way."


def _left(row: Any) -> dict[str, Any]:
    """What is to be asked for: just what is missing, where the handler's report says what that is."""
    ask: dict[str, Any] | None = (row.report or {}).get("again")
    return row.ask if ask is None else ask
