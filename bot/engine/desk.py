"""The engine as a whole: how it is started and stopped."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial

from bot.core.diagnosis import AlertHandler
from bot.core.handler import Handler, HandlerSettings
from bot.core.ports import Membership, Messenger, ReadTools, Tools, VaultWriter
from bot.engine import (
    applying,
    diagnosing,
    durable,
    inventory,
    planning,
    records,
    retiring,
    schedules,
    schema,
    signing_in,
    store,
)
from bot.engine.durable import Checkpoint, Executor, Queues
from bot.engine.outbox import Sender
from bot.engine.sealing import Cipher
from bot.engine.stored_desk import StoredDesk
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
GOING_DOWN = 20.0  # seconds that work under way gets to come to the end of its step


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
                    patience or Patience(), alert_handlers or {}, alert_settings or {},
                    vault=lambda: tools.vault)  # fmt: skip
    shop = records.remembering(shop)
    executor = Executor(settings, cipher, unlock, {name: partial(work, shop) for name, work in WORKS.items()},
                        shop.stopping)  # fmt: skip
    with store.writing(engine) as conn:
        schedules.sync(conn, settings.schedules, clock())
        inventory.sync(conn, [name for name, one in handlers.items() if one.inventory is not None], clock())
    durable.migrate(settings, unlock)
    queues.open(("plan", "inventory", "retire"), by_subject=("apply", "diagnose"))
    executor.start()
    threads = [
        threading.Thread(target=Ticker(shop).run, name="ticker", daemon=True),
        threading.Thread(target=signing_in.keep_asking, args=(shop,), name="sign-ins", daemon=True),
    ]
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
    vault: Callable[[], VaultWriter] | None = None,
) -> Submitting:
    """A desk next to a running bot, or before its first start. Transient when the store is away. `vault`: for what is
    handed in."""
    engine = store.connect(settings, unlock)
    schema.migrate(engine)
    durable.migrate(settings, unlock)
    shop = Workshop(engine, Queues(engine, cipher), settings, handlers, handler_settings, None, None, membership, clock,
                    alert_handlers=alert_handlers or {}, vault=vault)  # fmt: skip
    return Submitting(shop)


def _end() -> None:
    """Without a sign of life others take the work over: this process must not go on with it."""
    log.error("this replica could not say that it lives, and ends")
    os._exit(70)
