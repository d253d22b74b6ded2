"""One thread per replica that wakes what is due: expiries, reminders, schedules, looks at incidents and credentials,
backups to remove, rows to forget.

Every change is compare-and-set, so several tickers do no harm: one wins, the others find nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.core.errors import Transient
from bot.core.intake import Request
from bot.core.people import listed
from bot.core.view import State
from bot.engine import audit, ending, inventory, retention, retiring, runs, schedules, telling, watching
from bot.engine.durable import Halt
from bot.engine.store import reading, writing
from bot.engine.tables import run as run_table
from bot.engine.workshop import Workshop, log

PERIOD = 1.0  # seconds between two ticks
BATCH = 200  # rows of one kind in one tick
HEAL_EVERY = 30.0  # seconds
HEAL_AFTER = 60.0  # seconds that a run may stay as it is before somebody looks whether anybody works on it
RETAIN_EVERY = 3600.0  # seconds


class Ticker:
    """`run` is the thread; `tick` is one round of it."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._heal_at = self._retain_at = 0.0
        self.last = 0.0

    def run(self) -> None:
        """Tick until this process stops."""
        while not self._shop.stopping.wait(PERIOD):
            try:
                self.tick()
            except (Transient, Halt):
                continue  # the store is away, or we stop: the rows wait
            except Exception as error:
                log.error("tick failed", error=type(error).__name__)

    def tick(self) -> None:
        """Wake what is due now. Transient when the store is away."""
        now = self.last = self._shop.clock()
        for row in self._due(run_table.c.expires_at):
            self._go_on(expire, self._shop, row)
        for row in self._due(run_table.c.remind_at):
            self._go_on(remind, self._shop, row)
        self._go_on(fire_schedules, self._shop)
        self._go_on(watching.tick, self._shop)
        self._go_on(inventory.tick, self._shop)
        self._go_on(self._retire)
        if now >= self._heal_at:
            self._heal_at = now + HEAL_EVERY
            self._go_on(heal, self._shop)
            self._go_on(watching.heal, self._shop)
            self._go_on(inventory.heal, self._shop)
        if now >= self._retain_at:
            self._retain_at = now + RETAIN_EVERY
            self._go_on(retention.forget, self._shop)

    def _go_on(self, work: Callable[..., object], *arguments: Any) -> None:
        """One bad row must not stop the clock for all that comes after it, at this tick and at every other."""
        try:
            work(*arguments)
        except Transient:
            raise
        except Exception as error:
            log.error("tick failed", work=getattr(work, "__name__", "?"), error=type(error).__name__)

    def _retire(self) -> None:
        with writing(self._shop.store) as conn:
            retiring.put_due(conn, self._shop, BATCH)

    def _due(self, column: sa.Column[Any]) -> list[Any]:
        query = sa.select(run_table).where(run_table.c.state == State.PROPOSED, column <= self._shop.clock())
        with reading(self._shop.store) as conn:
            return list(conn.execute(query.order_by(column).limit(BATCH)))


def expire(shop: Workshop, row: Any) -> None:
    """Nobody decided in time: nothing was changed."""
    trouble = {"what": "Nobody decided in time.", "now": "Nothing was changed. Ask again for a fresh plan."}
    with writing(shop.store) as conn:
        if runs.change(conn, shop, row.id, [State.PROPOSED], State.EXPIRED, who="bot", what="expired",
                       facts={"digest": row.digest}, values={"trouble": trouble}):  # fmt: skip
            runs.note(conn, shop, row.id, "expired", text="Nobody decided in time, so nothing was changed.")
    shop.changed.set()


def remind(shop: Workshop, row: Any) -> None:
    """Half of the time is over: say so in the thread, once, to those who are to hear of it."""
    rule = shop.rule(row.command)
    group = shop.settings.groups.get(rule.escalate_to or "")
    minutes = max(1, round((row.expires_at - shop.clock()) / 60))
    left = f"{minutes} minute{'s' if minutes != 1 else ''}"
    text = f"This plan still waits for someone in {listed(rule.approve)}. It expires in {left}, unchanged."
    with writing(shop.store) as conn:
        mine = run_table.c.id == row.id, run_table.c.remind_at == row.remind_at, run_table.c.state == State.PROPOSED
        if conn.execute(run_table.update().where(*mine).values(remind_at=None)).rowcount == 1:
            mention = (*group.slack_groups, *group.users) if group else ()
            runs.note(conn, shop, row.id, "half time", text=text, mention=mention)
            audit.append(conn, who="bot", what="reminded", run=row.id, facts={"mention": list(mention)},
                         at=shop.clock())  # fmt: skip
    shop.changed.set()


def fire_schedules(shop: Workshop) -> None:
    """Ask for what schedules are due, once per tick over all replicas."""
    with reading(shop.store) as conn:
        due = schedules.due(conn, shop.clock())
    for one in due:
        try:
            with writing(shop.store) as conn:
                _fire(conn, shop, one)
        except IntegrityError:  # another replica stores the same request at this moment
            continue
        shop.changed.set()


def _fire(conn: sa.Connection, shop: Workshop, due: schedules.Due) -> None:
    if due.command not in shop.handlers:
        if schedules.fire(conn, due, shop.clock()):
            facts = {"schedule": due.name, "command": due.command, "told": "There is no such command."}
            audit.append(conn, who=f"schedule:{due.name}", what="refused_ask", run=None, facts=facts, at=shop.clock())
        return
    request = Request(key=due.key, command=due.command, ask=due.ask, asker=f"schedule:{due.name}", source="schedule",
                      channel=due.channel)  # fmt: skip
    late, new = telling.unfinished(conn, due.name), runs.insert(conn, shop, request)
    if schedules.fire(conn, due, shop.clock(), run=new) and late is not None:
        runs.tell(conn, shop, late)  # it was to be over by now


def heal(shop: Workshop) -> None:
    """Look after runs that have not moved for a while: enqueue work that is missing, close runs whose work is lost."""
    before = shop.clock() - HEAL_AFTER
    open_states = [State.ASKED, State.APPROVED, State.APPLYING]
    query = sa.select(run_table).where(run_table.c.state.in_(open_states), run_table.c.changed_at < before)
    with reading(shop.store) as conn:
        rows = list(conn.execute(query.order_by(run_table.c.changed_at).limit(BATCH)))
    for row in rows:
        work = "plan" if row.state == State.ASKED else "apply"
        state = shop.queues.state(work, row.id)
        if state is None:
            _put_again(shop, row, work)
        elif state != "waiting":
            _give_up(shop, row)


def _put_again(shop: Workshop, row: Any, work: str) -> None:
    with writing(shop.store) as conn:
        shop.queues.put(conn, work, row.id, subject=row.plan["subject"] if work == "apply" else None)
        audit.append(conn, who="bot", what="enqueued_again", run=row.id, facts={"work": work}, at=shop.clock())


def _give_up(shop: Workshop, row: Any) -> None:
    """The engine itself failed on this run: say what is known, and leave nothing stuck."""
    what = f"The bot itself failed while working on {row.id}."
    if row.state == State.APPLYING:
        ending.close(shop, row.id, State.STOPPED, {"what": what, "now": "The steps show how far it came; please look."})
        return
    trouble = {"what": what, "now": "Nothing was changed. Ask again; the bot's log says more."}
    to = State.REFUSED if row.state == State.ASKED else State.STOPPED
    with writing(shop.store) as conn:
        runs.change(conn, shop, row.id, [State(row.state)], to, who="bot", what=to.value,
                    facts={"trouble": trouble}, values={"trouble": trouble})  # fmt: skip
    shop.changed.set()
