"""The desk that edges and the command line speak to: each call is a transaction or two over the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.core.alert import Notice
from bot.core.desk import AuditEntry, ScheduleView
from bot.core.errors import Refused, Transient
from bot.core.handler import Handler
from bot.core.incident import IncidentView
from bot.core.intake import Decision, Outcome, Request
from bot.core.inventory import Holding
from bot.core.people import Rule, check_ask
from bot.core.secret import Secret
from bot.core.view import RunView
from bot.engine import (
    asking_again,
    attending,
    audit,
    deciding,
    handing_in,
    incidents,
    inventory,
    notices,
    runs,
    schedules,
    signing_in,
    store,
    ticking,
)
from bot.engine.durable import Executor
from bot.engine.line import Line
from bot.engine.workshop import Workshop

AT_ONCE = 5  # transactions that may collide on one incident before that is our own mistake

T = TypeVar("T")


class StoredDesk:
    """`bot.core.desk.Desk` over the store. `executor` is None next to a running bot."""

    def __init__(self, shop: Workshop, executor: Executor | None = None) -> None:
        self._shop, self._executor = shop, executor
        self._line = Line()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return self._shop.handlers

    def rule(self, command: str) -> Rule:
        return self._shop.rule(command)

    def ask(self, request: Request) -> str:
        try:
            self._check(request)
        except Refused as error:
            facts = {"command": request.command, "ask": request.ask, "told": str(error)}
            self.refuse(request.asker, "refused_ask", facts)
            raise
        return self._write(lambda conn: runs.insert(conn, self._shop, request))

    def _check(self, request: Request) -> None:
        if request.command not in self._shop.handlers:
            raise Refused(f"There is no command /{request.command} here.", "See /hivekeeper help.")
        check_ask(request.asker, self.rule(request.command), self._shop.settings.groups, self._shop.recent.of)

    def _write(self, change: Callable[[sa.Connection], T]) -> T:
        """The change in a transaction, again when another one (of another replica, say) does the same just now."""
        for _ in range(AT_ONCE):
            try:
                with store.writing(self._shop.store) as conn:
                    result = change(conn)
            except IntegrityError:
                continue
            self._shop.changed.set()
            return result
        raise Transient("The store was busy with the same.", "Nothing was changed; try again in a minute.")

    def notice(self, notice: Notice) -> tuple[str, ...]:
        with self._line.turn(store.BUSY):  # a storm's threads wait here and not for the store, which is unfair
            return self._write(lambda conn: notices.take(conn, self._shop, notice))

    def incident(self, incident: str) -> IncidentView | None:
        with store.reading(self._shop.store) as conn:
            return incidents.view(conn, incident)

    def incidents(self, *, open_only: bool = False, limit: int = 20) -> tuple[IncidentView, ...]:
        with store.reading(self._shop.store) as conn:
            return incidents.views(conn, open_only=open_only, limit=limit)

    def incident_action(self, key: str, incident: str, user: str, action: attending.Action, step: str = "") -> Outcome:
        press = attending.Press(key, incident, user, action, step)
        return self._write(lambda conn: attending.act(conn, self._shop, press))

    def shown(self, owner: str) -> RunView | IncidentView | None:
        """What the message of a run or an incident should show."""
        return self.incident(owner) if incidents.is_incident(owner) else self.run(owner)

    def decide(self, decision: Decision) -> Outcome:
        return deciding.decide(self._shop, decision)

    def tick(self, key: str, run: str, step: str, user: str, *, done: bool = True) -> Outcome:
        press = ticking.Press(key, run, step, user, done, self._barred(run, user))
        return self._write(lambda conn: ticking.act(conn, self._shop, press))

    def ask_again(self, key: str, run: str, user: str) -> Outcome:
        press = asking_again.Press(key, run, user, self._barred(run, user))
        return self._write(lambda conn: asking_again.act(conn, self._shop, press))

    def hand_in(self, key: str, run: str, name: str, user: str, secret: Secret) -> Outcome:
        return handing_in.take(self._shop, self._write, handing_in.Press(key, run, name, user), secret)

    def sign_in(self, key: str, run: str, name: str, user: str) -> Outcome:
        return signing_in.begin(self._shop, self._write, handing_in.Press(key, run, name, user))

    def _barred(self, run: str, user: str) -> str:
        """Why this person may not work on that run, empty if he may: who may ask may also work on the answer."""
        with store.reading(self._shop.store) as conn:
            row = runs.get(conn, run)
        try:
            if row is not None:
                check_ask(user, self.rule(row.command), self._shop.settings.groups, self._shop.recent.of)
        except Refused as error:
            return str(error)
        return ""

    def run(self, run: str) -> RunView | None:
        with store.reading(self._shop.store) as conn:
            return runs.view(conn, self._shop, run)

    def runs(self, *, open_only: bool = False, limit: int = 20) -> tuple[RunView, ...]:
        with store.reading(self._shop.store) as conn:
            return runs.views(conn, self._shop, open_only=open_only, limit=limit)

    def waiting_for(self, user: str, *, limit: int = 20) -> tuple[RunView, ...]:
        own = deciding.may_decide(self._shop, user)
        with store.reading(self._shop.store) as conn:
            return runs.proposals(conn, self._shop, own, user, limit)

    def schedules(self) -> tuple[ScheduleView, ...]:
        with store.reading(self._shop.store) as conn:
            return schedules.views(conn, self._shop.settings.standing, self._shop.clock())

    def inventory(self) -> tuple[Holding, ...]:
        with store.reading(self._shop.store) as conn:
            return inventory.views(conn)

    def audit(self, *, limit: int = 20, run: str | None = None) -> tuple[AuditEntry, ...]:
        with store.reading(self._shop.store) as conn:
            return audit.entries(conn, limit=limit, run=run)

    def refuse(self, who: str, what: str, facts: dict[str, Any]) -> None:
        with store.writing(self._shop.store) as conn:
            audit.append(conn, who=who, what=what, run=None, facts=facts, at=self._shop.clock())

    def check(self) -> None:
        with store.reading(self._shop.store) as conn:
            conn.execute(sa.text("SELECT 1"))
        if self._executor is not None and not self._executor.alive:
            raise Transient("The bot is starting or stopping.", "Try again in a few seconds.")
