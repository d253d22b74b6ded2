"""The engine as a whole: the desk that edges and the command line speak to, and how it is started and stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from bot.core.alert import Notice
from bot.core.desk import AuditEntry, ScheduleView
from bot.core.diagnosis import AlertHandler
from bot.core.errors import Refused, Transient
from bot.core.handler import Handler, HandlerSettings
from bot.core.incident import IncidentView
from bot.core.intake import Decision, Outcome, Request
from bot.core.inventory import Holding
from bot.core.people import Rule, check_ask
from bot.core.ports import Membership, Messenger, ReadTools, Tools
from bot.core.view import RunView
from bot.engine import (
    applying,
    asking_again,
    attending,
    audit,
    deciding,
    diagnosing,
    durable,
    incidents,
    inventory,
    notices,
    planning,
    retiring,
    runs,
    schedules,
    schema,
    store,
    ticking,
)
from bot.engine.durable import Checkpoint, Executor, Queues
from bot.engine.line import Line
from bot.engine.outbox import Sender
from bot.engine.sealing import Cipher
from bot.engine.takeover import LIFE, Takeover
from bot.engine.ticker import Ticker
from bot.engine.workshop import Patience, Workshop, log
from bot.settings import Settings

WORKS: dict[str, Callable[[Workshop, str, Checkpoint], None]] = {
    "plan": planning.plan,
    "diagnose": diagnosing.diagnose,
    "apply": applying.apply,
    "inventory": inventory.look,
    "retire": retiring.retire,
}
AT_ONCE = 5  # transactions that may collide on one incident before that is our own mistake
GOING_DOWN = 20.0  # seconds that work under way gets to come to the end of its step

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


class Running:
    """A started engine. `store` is its database, for `audit verify` and metrics."""

    def __init__(
        self, shop: Workshop, executor: Executor, threads: list[threading.Thread], takeover: Takeover | None
    ) -> None:
        self.desk = StoredDesk(shop, executor)
        self.store = shop.store
        self._shop, self._executor, self._threads, self._takeover = shop, executor, threads, takeover

    def stop(self) -> None:
        """Stop taking work; what is under way comes to the end of its step and goes on at the next start."""
        self._shop.stopping.set()
        self._shop.changed.set()
        for thread in self._threads:
            thread.join(GOING_DOWN)
        self._executor.wind_down(GOING_DOWN)
        if self._takeover is not None:  # until here this replica lives: nobody else takes up what just ended
            self._takeover.stop()
        self._executor.close()
        self._shop.queues.close()
        self._shop.store.dispose()


class Submitting:
    """A desk without an executor, for the command line next to a running bot: it takes in, decides and shows."""

    def __init__(self, shop: Workshop) -> None:
        self.desk = StoredDesk(shop)
        self.store = shop.store
        self._shop = shop

    def stop(self) -> None:
        self._shop.queues.close()
        self._shop.store.dispose()


def start(  # noqa: PLR0917  # one call in the composition root, of seven parts
    settings: Settings,
    handlers: Mapping[str, Handler],
    handler_settings: Mapping[str, HandlerSettings],
    tools: Tools,
    read_tools: ReadTools,
    membership: Membership,
    messenger: Messenger | None,
    *,
    cipher: Cipher,
    unlock: store.Unlock | None = None,
    clock: Callable[[], float] = time.time,
    patience: Patience | None = None,
    lost: Callable[[], None] | None = None,
    life: float = LIFE,
    alert_handlers: Mapping[str, AlertHandler] | None = None,
    alert_settings: Mapping[str, HandlerSettings] | None = None,
) -> Running:
    """Start the engine in this process; one per process. `read_tools` cannot write, also at run time. `lost` is
    called when a replica may no longer work because it cannot say that it lives (for a part of `life`, in seconds);
    it ends the process by default.
    Refused when another process has the SQLite store; Transient when the store is away."""
    engine = store.connect(settings, unlock)
    schema.migrate(engine)
    queues = Queues(engine, cipher)
    shop = Workshop(engine, queues, settings, handlers, handler_settings, tools, read_tools, membership, clock,
                    patience or Patience(), alert_handlers or {}, alert_settings or {})  # fmt: skip
    executor = Executor(settings, cipher, unlock, {name: partial(work, shop) for name, work in WORKS.items()},
                        shop.stopping)  # fmt: skip
    with store.writing(engine) as conn:
        schedules.sync(conn, settings.schedules, clock())
        inventory.sync(conn, [name for name, one in handlers.items() if one.inventory is not None], clock())
    durable.migrate(settings, unlock)
    queues.open(("plan", "inventory", "retire"), by_subject=("apply", "diagnose"))
    executor.start()
    threads = [threading.Thread(target=Ticker(shop).run, name="ticker", daemon=True)]
    if messenger is not None:
        sender = Sender(engine, messenger, StoredDesk(shop).shown, clock, lease=max(45.0, 4 * settings.slack.timeout))
        threads.append(
            threading.Thread(target=sender.run, args=(shop.stopping, shop.changed), name="sender", daemon=True)
        )
    takeover = None
    if engine.dialect.name == "postgresql":
        takeover = Takeover(engine, executor.id, executor.recover, lost or _end, life=life)
        takeover.start()
    for thread in threads:
        thread.start()
    return Running(shop, executor, threads, takeover)


def submit_only(
    settings: Settings,
    handlers: Mapping[str, Handler],
    handler_settings: Mapping[str, HandlerSettings],
    membership: Membership,
    *,
    cipher: Cipher,
    unlock: store.Unlock | None = None,
    clock: Callable[[], float] = time.time,
    alert_handlers: Mapping[str, AlertHandler] | None = None,
) -> Submitting:
    """A desk next to a running bot, or before its first start. Transient when the store is away."""
    engine = store.connect(settings, unlock)
    schema.migrate(engine)
    durable.migrate(settings, unlock)
    shop = Workshop(engine, Queues(engine, cipher), settings, handlers, handler_settings, None, None, membership, clock,
                    alert_handlers=alert_handlers or {})  # fmt: skip
    return Submitting(shop)


def _end() -> None:
    """Without a sign of life others take the work over: this process must not go on with it."""
    log.error("this replica could not say that it lives, and ends")
    os._exit(70)
