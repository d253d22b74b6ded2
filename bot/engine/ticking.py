"""Ticking the steps of an answer's checklist, such as a runbook's. The same action again (by its key) has the same
outcome and no effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.core.intake import Outcome
from bot.core.plan import Answer
from bot.core.view import State
from bot.engine import audit, runs
from bot.engine.matching import visible
from bot.engine.tables import run_action, run_tick
from bot.engine.workshop import Workshop

STEP_LIMIT = 200  # characters of a step's name that are kept


@dataclass(frozen=True)
class Press:
    """Somebody ticks a step, or (`done` False) takes the tick back. `barred`: why this person may not."""

    key: str
    run: str
    step: str
    user: str
    done: bool = True
    barred: str = ""

    @property
    def action(self) -> str:
        return "tick" if self.done else "untick"


def act(conn: sa.Connection, shop: Workshop, press: Press) -> Outcome:
    """Do it, unless it was done already. IntegrityError when another transaction does the same: call it again."""
    row = runs.lock(conn, press.run)
    if row is None:
        return _refused(conn, shop, press, "That run is not in the store (any more).")
    key = runs.hashed(press.key)
    known = conn.execute(sa.select(run_action).where(run_action.c.key == key)).first()
    if known is not None:
        return Outcome(accepted=known.accepted, told=known.told, run=known.run)
    accepted, told = _done(conn, shop, row, press)
    conn.execute(
        run_action.insert().values(
            key=key, run=row.id, user=press.user, action=press.action, step=visible(press.step, STEP_LIMIT),
            at=shop.clock(), accepted=accepted, told=told,
        )
    )  # fmt: skip
    return Outcome(accepted=True, told=told, run=row.id) if accepted else _refused(conn, shop, press, told)


def _refused(conn: sa.Connection, shop: Workshop, press: Press, told: str) -> Outcome:
    facts = {"run": visible(press.run, 64), "action": press.action, "told": told}
    audit.append(conn, who=press.user, what="refused_action", run=None, facts=facts, at=shop.clock())
    return Outcome(accepted=False, told=told, run=press.run)


def _done(conn: sa.Connection, shop: Workshop, row: Any, press: Press) -> tuple[bool, str]:
    """Was it done, and what to tell the person."""
    if press.barred:
        return False, press.barred
    answer = Answer.model_validate(row.answer) if row.answer else None
    if row.state != State.ANSWERED or answer is None or press.step not in {one.name for one in answer.checklist}:
        return False, "That run has no such step to tick."
    here = (run_tick.c.run == row.id) & (run_tick.c.step == press.step)
    tick = conn.execute(sa.select(run_tick).where(here)).first()
    if press.done:
        return _tick(conn, shop, press, tick)
    return _untick(conn, shop, press, tick, here)


def _tick(conn: sa.Connection, shop: Workshop, press: Press, tick: Any) -> tuple[bool, str]:
    if tick is not None:
        return True, "It was ticked already."
    conn.execute(run_tick.insert().values(run=press.run, step=press.step, user=press.user, at=shop.clock()))
    _shown(conn, shop, press, "step_ticked")
    return True, "Ticked."


def _untick(
    conn: sa.Connection, shop: Workshop, press: Press, tick: Any, here: sa.ColumnElement[bool]
) -> tuple[bool, str]:
    if tick is None:
        return True, "It is not ticked."
    if tick.user != press.user:
        return False, "Somebody else ticked it; ask that person."
    conn.execute(run_tick.delete().where(here))
    _shown(conn, shop, press, "step_unticked")
    return True, "The tick is taken back."


def _shown(conn: sa.Connection, shop: Workshop, press: Press, what: str) -> None:
    runs.shown_anew(conn, shop, press.run)
    audit.append(conn, who=press.user, what=what, run=press.run, facts={"step": press.step}, at=shop.clock())
